//! Calling another service.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use lanyard_model::{network::Network, text::printable};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{address, target::Target};
use crate::error::ModuleError;

/// Longest answer that is read, in octets.
pub const MAX_ANSWER: usize = 64 * 1024;
/// Most addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 16;
const USER_AGENT: &str = concat!("lanyard/", env!("CARGO_PKG_VERSION"));

/// Where connections of one module may lead.
#[derive(Clone)]
pub struct Outbound {
    tls: Option<Arc<ClientConfig>>,
    listed: Vec<Network>,
    timeout: Duration,
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// GET or POST.
    pub method: Method,
    /// Whom.
    pub target: &'a Target,
    /// Further fields.
    pub fields: &'a [(&'static str, String)],
    /// Body.
    pub body: Vec<u8>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status; never one of redirection.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl Outbound {
    /// A way out that believes services under these certificates (PEM) and may reach public addresses and those listed.
    ///
    /// # Errors
    /// What is wrong with the certificates.
    pub fn new(ca_certificates: Option<&str>, listed: Vec<Network>, timeout: Duration) -> Result<Self, String> {
        let tls = ca_certificates.map(tls_config).transpose()?.map(Arc::new);
        Ok(Self { tls, listed, timeout })
    }

    /// Whether a target may be called at all: https needs certificates to believe in, http addresses that were listed.
    ///
    /// # Errors
    /// What is missing.
    pub fn permits(&self, target: &Target) -> Result<(), &'static str> {
        match target.tls {
            true if self.tls.is_none() => Err("https needs ca-file, the certificates (PEM) under which the service stands"),
            false if self.listed.is_empty() => Err("http needs allow-addresses, the networks in which the service is"),
            _ => Ok(()),
        }
    }

    /// Calls a service and reads its whole answer.
    ///
    /// # Errors
    /// [`ModuleError::Address`], [`ModuleError::Unreachable`], [`ModuleError::Timeout`], [`ModuleError::Answer`].
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, ModuleError> {
        let host = call.target.host.clone();
        match timeout(self.timeout, self.exchange(call)).await {
            Ok(answered) => answered,
            Err(_) => Err(ModuleError::Timeout { host, seconds: self.timeout.as_secs() }),
        }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Answer, ModuleError> {
        let target = call.target;
        self.permits(target).map_err(|problem| unreachable(target, problem))?;
        let stream = self.connect(target).await?;
        if !target.tls {
            return talk(stream, call).await;
        }
        let Some(tls) = &self.tls else { return Err(unreachable(target, "there are no certificates to believe in")) };
        let name = ServerName::try_from(target.host.clone()).map_err(|_| unreachable(target, "the host is no server name"))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        talk(stream.map_err(|error| unreachable(target, &error.to_string()))?, call).await
    }

    /// Looks the name up once and connects to one of the very addresses that were judged.
    async fn connect(&self, target: &Target) -> Result<TcpStream, ModuleError> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|_| unreachable(target, "the name has no address"))?;
        let addresses: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
        // One bad address among good ones is a name that somebody plays with.
        if let Some(bad) = addresses.iter().find(|a| !address::allowed(a.ip(), &self.listed, !target.tls)) {
            return Err(ModuleError::Address { host: printable(&target.host), address: bad.ip().to_string() });
        }
        let mut problem = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => problem = error.to_string(),
            }
        }
        Err(unreachable(target, &problem))
    }
}

fn unreachable(target: &Target, problem: &str) -> ModuleError {
    ModuleError::Unreachable { host: printable(&target.host), problem: printable(problem) }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, call: Call<'_>) -> Result<Answer, ModuleError> {
    let Call { method, target, fields, body } = call;
    let broken = |error: &dyn std::fmt::Display| unreachable(target, &error.to_string());
    let odd = |problem: String| ModuleError::Answer { host: printable(&target.host), problem };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let driver = AbortOnDrop(tokio::spawn(connection));
    let mut request = Request::builder()
        .method(method)
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, "close");
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|e| broken(&e))?;
    let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(odd(format!("it redirects ({status}), which is never followed")));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|e| match e.is::<http_body_util::LengthLimitError>() {
        true => odd(format!("it is longer than {MAX_ANSWER} octets")),
        false => broken(&e),
    })?;
    drop(driver);
    Ok(Answer { status: status.as_u16(), body: body.to_bytes().to_vec() })
}

/// Ends the connection's task when nobody waits for it any more.
struct AbortOnDrop(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn tls_config(pem: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| e.to_string())?;
        roots.add(certificate).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate in PEM".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
