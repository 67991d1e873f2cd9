//! HTTP/1.1 by hand, so that tests decide about every octet.

use std::{net::SocketAddr, sync::Arc};

use lanyard_pki::certificate::Certificate;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use tokio_rustls::TlsConnector;

use crate::wait::PATIENCE;

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Everything after the head, as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// A field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads a whole answer.
    ///
    /// # Panics
    /// When it is not HTTP.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Self {
        let end = octets.windows(4).position(|w| w == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no HTTP answer: {:?}", String::from_utf8_lossy(octets)));
        let head = String::from_utf8_lossy(&octets[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status line");
        let field = |l: &str| l.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
        Self { status, fields: lines.filter_map(field).collect(), body: octets[end + 4..].to_vec() }
    }
}

/// Sends these octets and reads until the server closes.
///
/// # Errors
/// Those of the connection.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, octets: &[u8]) -> std::io::Result<Vec<u8>> {
    let run = async {
        stream.write_all(octets).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            // A server that refuses a body unread may reset the connection after its answer.
            Err(_) if !answer.is_empty() => Ok(answer),
            Err(error) => Err(error),
            Ok(_) => Ok(answer),
        }
    };
    timeout(PATIENCE, run).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

/// Sends these octets over a new connection.
///
/// # Errors
/// Those of the connection.
pub async fn raw(address: SocketAddr, octets: &[u8]) -> std::io::Result<Vec<u8>> {
    exchange(TcpStream::connect(address).await?, octets).await
}

/// A request with these further fields (each ended by CRLF).
///
/// # Errors
/// Those of the connection.
pub async fn request(address: SocketAddr, method: &str, target: &str, fields: &str, body: &[u8]) -> std::io::Result<Response> {
    let octets = raw(address, &encode(method, target, fields, body)).await?;
    // A server that is killed closes without a word.
    let cut = !octets.windows(4).any(|w| w == b"\r\n\r\n");
    if cut { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(Response::parse(&octets)) }
}

/// The same of a server that keeps the connection open whatever it is asked, and says how long its answer is.
///
/// # Errors
/// Those of the connection.
pub async fn request_by_length(address: SocketAddr, method: &str, target: &str, body: &[u8]) -> std::io::Result<Response> {
    let run = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&encode(method, target, "Content-Type: application/json\r\n", body)).await?;
        let (mut answer, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let read = stream.read(&mut chunk).await?;
            answer.extend_from_slice(&chunk[..read]);
            if answer.windows(4).any(|w| w == b"\r\n\r\n") {
                let response = Response::parse(&answer);
                let length = response.field("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
                if response.body.len() >= length {
                    return Ok(response);
                }
            }
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    timeout(PATIENCE, run).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

/// A request's octets; the connection ends with its answer.
#[must_use]
pub fn encode(method: &str, target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() && method != "POST" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{fields}\r\n");
    let mut octets = head.into_bytes();
    octets.extend_from_slice(body);
    octets
}

/// GET.
///
/// # Panics
/// When there is no answer.
pub async fn get(address: SocketAddr, target: &str) -> Response {
    request(address, "GET", target, "", &[]).await.expect("an answer")
}

/// POST.
///
/// # Panics
/// When there is no answer.
pub async fn post(address: SocketAddr, target: &str, body: &[u8]) -> Response {
    request(address, "POST", target, "Content-Type: application/x-pki-message\r\n", body).await.expect("an answer")
}

/// Sends these octets over TLS to `localhost` under this root, and reads until the server closes.
///
/// # Panics
/// When there is no answer from a server that can be believed.
pub async fn tls(address: SocketAddr, root: &Certificate, octets: &[u8]) -> Response {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.der().to_vec())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
    Response::parse(&exchange(stream, octets).await.expect("an answer"))
}
