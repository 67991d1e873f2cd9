//! A client over TLS of which tests decide everything: the server name, the certificate, whether sessions are resumed, every octet.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::pki::{Authority, Identity};
use crate::{
    http::{Response, exchange},
    wait::PATIENCE,
};

/// The client.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// An open connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

impl Client {
    /// One that believes this authority and shows this certificate.
    ///
    /// # Panics
    /// When rustls refuses.
    #[must_use]
    pub fn new(address: SocketAddr, root: &Authority, identity: Option<&Identity>) -> Self {
        Self::with(address, root, identity, true)
    }

    /// One that speaks only TLS 1.2.
    #[must_use]
    pub fn old(address: SocketAddr, root: &Authority, identity: Option<&Identity>) -> Self {
        Self::with(address, root, identity, false)
    }

    fn with(address: SocketAddr, root: &Authority, identity: Option<&Identity>, new: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root.certificate.der().to_vec())).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let versions = if new { [&TLS13] } else { [&TLS12] };
        let builder = builder.with_protocol_versions(&versions).unwrap().with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.private_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(8);
        Self { address, config: Arc::new(config) }
    }

    /// The same, speaking HTTP/2; what is sent are frames then.
    #[must_use]
    pub fn http2(mut self) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![b"h2".to_vec()];
        self
    }

    /// Connects for this server name.
    ///
    /// # Errors
    /// Those of TCP and TLS.
    pub async fn connect(&self, host: &str) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        Ok(Connection { stream, read: Vec::new() })
    }

    /// Sends these octets over a new connection and reads until the server closes.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn raw(&self, host: &str, octets: &[u8]) -> Response {
        let connection = self.connect(host).await.expect("TLS");
        Response::parse(&exchange(connection.stream, octets).await.expect("an answer"))
    }

    /// A request over a new connection, with these further fields, each ended by CRLF.
    pub async fn ask(&self, host: &str, method: &str, target: &str, fields: &str, body: &[u8]) -> Response {
        self.raw(host, &encode(method, target, &format!("Host: {host}\r\nConnection: close\r\n{fields}"), body)).await
    }

    /// GET over a new connection.
    pub async fn get(&self, host: &str, target: &str, fields: &str) -> Response {
        self.ask(host, "GET", target, fields, &[]).await
    }
}

impl Connection {
    /// Whether a session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The certificate that the server has shown.
    ///
    /// # Panics
    /// When it has shown none.
    #[must_use]
    pub fn server_certificate(&self) -> Vec<u8> {
        self.stream.get_ref().1.peer_certificates().and_then(<[_]>::first).expect("a certificate").to_vec()
    }

    /// Sends octets.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await
    }

    /// A request on this connection, which stays open; the answer must say how long it is.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn ask(&mut self, host: &str, method: &str, target: &str, fields: &str, body: &[u8]) -> std::io::Result<Response> {
        self.send(&encode(method, target, &format!("Host: {host}\r\n{fields}"), body)).await?;
        self.answer().await
    }

    /// The next answer, which must say how long it is.
    ///
    /// # Errors
    /// Those of the connection; the end of it.
    pub async fn answer(&mut self) -> std::io::Result<Response> {
        let run = async {
            let mut chunk = vec![0; 64 * 1024];
            loop {
                if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                    let mut response = Response::parse(&self.read);
                    if response.status == 100 {
                        self.read.drain(..end + 4);
                        continue;
                    }
                    let length = response.field("content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
                    if response.body.len() >= length {
                        response.body.truncate(length);
                        self.read.drain(..end + 4 + length);
                        return Ok(response);
                    }
                }
                let read = self.stream.read(&mut chunk).await?;
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                self.read.extend_from_slice(&chunk[..read]);
            }
        };
        timeout(PATIENCE, run).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }

    /// The first line of the next answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn first_line(&mut self) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n") {
            text.push(timeout(PATIENCE, self.stream.read_u8()).await.expect("an answer").expect("an answer"));
        }
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    /// So many octets of what comes next.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn first_octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        timeout(PATIENCE, self.stream.read_exact(&mut octets)).await.expect("octets").expect("octets");
        octets
    }

    /// Everything that comes until the other side ends the connection.
    ///
    /// # Panics
    /// When it does not end within a few seconds.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let end = timeout(std::time::Duration::from_secs(8), self.stream.read_to_end(&mut all)).await;
        assert!(end.is_ok(), "the other side goes on");
        all
    }

    /// Waits until the other side ends the connection.
    ///
    /// # Panics
    /// When it does not, or sends something.
    pub async fn ended(&mut self) {
        let mut chunk = [0; 1];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("an end");
        assert!(matches!(read, Ok(0) | Err(_)), "the other side goes on");
    }
}

/// A request's octets.
#[must_use]
pub fn encode(method: &str, target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() && method != "POST" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut octets = format!("{method} {target} HTTP/1.1\r\n{fields}{length}\r\n").into_bytes();
    octets.extend_from_slice(body);
    octets
}

/// `Authorization: Basic`, ended by CRLF.
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}
