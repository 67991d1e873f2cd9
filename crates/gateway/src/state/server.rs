//! Asking Lanyard's server, over TLS and with a token.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use lanyard_model::gateway::{PasswordAnswer, PasswordQuestion};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    config::{file, read},
    error::GatewayError,
};

/// Time for a connection, and for the answer to a password.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer to a password, in octets.
const MAX_ANSWER: usize = 64 * 1024;

/// The way to the server.
#[derive(Debug)]
pub struct Server {
    host: String,
    port: u16,
    authority: HeaderValue,
    token: HeaderValue,
    tls: Arc<ClientConfig>,
}

impl Server {
    /// Reads token and certificates; nobody is asked yet.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn open(settings: &file::Server, folder: &Path) -> Result<Self, GatewayError> {
        let fault = |problem: &str| GatewayError::Config(format!("server: {problem}"));
        let uri: Uri = settings.url.parse().map_err(|_| fault("url is not an address"))?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/"));
        let authority = authority.ok_or_else(|| fault("url must be https://host:port"))?;
        let token = read::secret(&read::path(folder, &settings.token_file))?;
        let mut token =
            HeaderValue::from_str(&format!("Bearer {}", token.expose().trim())).map_err(|_| fault("the token is none"))?;
        token.set_sensitive(true);
        Ok(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(443),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| fault("url has no host"))?,
            token,
            tls: crate::proxy::upstream::client(&read::certificates(&read::path(folder, &settings.ca_file))?)?,
        })
    }

    /// A connection.
    ///
    /// # Errors
    /// [`GatewayError::Server`].
    pub async fn connect(&self) -> Result<Connection<'_>, GatewayError> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| e.to_string())?;
            let _ = stream.set_nodelay(true);
            let name = ServerName::try_from(self.host.clone()).map_err(|e| e.to_string())?;
            let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(|e| e.to_string())?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            Ok::<_, String>(Connection { server: self, sender })
        };
        match timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(GatewayError::Server),
            Err(_) => Err(GatewayError::Server(format!("no connection within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Whose password this is.
    ///
    /// # Errors
    /// [`GatewayError::Server`].
    pub async fn password(&self, question: &PasswordQuestion) -> Result<PasswordAnswer, GatewayError> {
        let body = serde_json::to_vec(question).map_err(|e| GatewayError::Server(e.to_string()))?;
        let asking = async {
            let response = self.connect().await?.ask("POST", "/api/v1/gateway/password", body).await?;
            let whole = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let whole = whole.map_err(|e| GatewayError::Server(e.to_string()))?.to_bytes();
            serde_json::from_slice(&whole).map_err(|e| GatewayError::Server(e.to_string()))
        };
        timeout(PATIENCE, asking).await.map_err(|_| GatewayError::Server("no answer about a password".into()))?
    }
}

/// An open connection.
pub struct Connection<'a> {
    server: &'a Server,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Connection<'_> {
    /// Asks; anything but 200 is an error.
    ///
    /// # Errors
    /// [`GatewayError::Server`].
    pub async fn ask(&mut self, method: &str, target: &str, body: Vec<u8>) -> Result<Response<Incoming>, GatewayError> {
        let fault = |e: &dyn std::error::Error| GatewayError::Server(e.to_string());
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, &self.server.authority)
            .header(header::AUTHORIZATION, &self.server.token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|e| fault(&e))?;
        self.sender.ready().await.map_err(|e| fault(&e))?;
        let response = self.sender.send_request(request).await.map_err(|e| fault(&e))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(GatewayError::Server(format!(
                "{}: the token is not one of the role gateway, or has ended",
                response.status()
            ))),
            other => Err(GatewayError::Server(format!("it answers {other}"))),
        }
    }
}
