//! The way to a server elsewhere: TLS, and a token from a file.

use std::{path::Path, sync::Arc, time::Duration};

use hyper::{
    Uri,
    header::{AUTHORIZATION, HOST},
    http::{request::Builder, uri::Scheme},
};
use hyper_rustls::ConfigBuilderExt;
use lanyard_server::{
    SecretText,
    error::chain,
    installation::{read_file, read_secret},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::admin::CallError;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server elsewhere.
pub struct Remote {
    host: String,
    port: u16,
    authority: String,
    token: SecretText,
    tls: Arc<ClientConfig>,
}

impl Remote {
    /// Reads address, token and certificates.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(server: &str, token_file: &Path, ca_file: Option<&Path>) -> Result<Self, CallError> {
        let shown = lanyard_server::printable(server);
        let uri: Uri = server.parse().map_err(|e| {
            CallError::new(format!("--server {shown}: {e}"), Some("write https://host or https://host:port".into()))
        })?;
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().filter(|a| https && !a.as_str().contains('@') && matches!(uri.path(), "" | "/"));
        let Some(authority) = authority else {
            let fix = "write https://host or https://host:port: a token goes over TLS or not at all";
            return Err(CallError::new(format!("--server {shown} is not the address of a server"), Some(fix.into())));
        };
        let file = |error: &dyn std::error::Error| CallError::new(chain(error), None);
        let token = read_secret(token_file).map_err(|e| file(&e))?;
        let token = SecretText::new(token.expose().trim().to_owned());
        let tls = Arc::new(tls(ca_file)?);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: authority.port_u16().unwrap_or(443), authority: authority.as_str().to_owned(), token, tls })
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody answers whose certificate can be believed.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, CallError> {
        let failed = |problem: String| {
            let fix = "is the server's address right? --ca-file names the certificates to believe in, as 'lanyard ca export' writes them";
            CallError::new(format!("no server can be reached at https://{}: {problem}", self.authority), Some(fix.into()))
        };
        let name = ServerName::try_from(self.host.clone()).map_err(|e| failed(e.to_string()))?;
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await
        };
        match timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(|e| failed(e.to_string())),
            Err(_) => Err(failed(format!("no connection within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Adds the token to a request.
    pub fn sign(&self, request: Builder) -> Builder {
        request.header(HOST, &self.authority).header(AUTHORIZATION, format!("Bearer {}", self.token.expose()))
    }
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, CallError> {
    let failed = |e: &dyn std::fmt::Display| CallError::new(format!("the certificates to believe in: {e}"), None);
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?;
    let Some(path) = ca_file else {
        return Ok(builder.with_native_roots().map_err(|e| failed(&e))?.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(read_file(path).map_err(|e| failed(&e))?.as_bytes()) {
        roots.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
    }
    if roots.is_empty() {
        return Err(failed(&format!("{} holds none", path.display())));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
