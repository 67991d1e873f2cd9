//! The clients, each with its certificate and without resumption, and the back end behind all servers.

use std::{
    io::{Error, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lanyard_agent::{model::secret::SecretBytes, pki::certificate::Certificate};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::papers::{HOST, Papers};

/// Octets of an answer's body.
const BODY: usize = 512;
/// What is asked for where nothing is to come for long.
pub const HELD: &str = "/held";
/// An ordinary request, as phones write it.
pub const ORDINARY: &str = "/Microsoft-Server-ActiveSync?Cmd=Sync&User=alice&DeviceId=bench0001&DeviceType=SmartPhone";

/// The back end: answers every request with the same body, and those for [`HELD`] after an hour.
pub async fn back_end() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A proxy that goes away ends its connection.
            tokio::spawn(async move { answer(stream).await.unwrap_or(()) });
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let reply = [format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").into_bytes(), vec![b'x'; BODY]].concat();
    let mut octets = Vec::with_capacity(4096);
    loop {
        while !octets.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut octets).await? == 0 {
                return Ok(());
            }
        }
        if octets.starts_with(format!("GET {HELD}").as_bytes()) {
            // Until whoever asked goes away.
            let mut nothing = [0];
            let _ = tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut nothing)).await;
            return Ok(());
        }
        octets.clear();
        stream.write_all(&reply).await?;
    }
}

/// Clients of one certificate.
#[derive(Clone)]
pub struct Clients {
    connector: TlsConnector,
    address: SocketAddr,
}

/// A connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    octets: Vec<u8>,
}

impl Clients {
    /// Clients of the server at this address.
    pub fn new(papers: &Papers, address: SocketAddr) -> Result<Self, String> {
        Self::with(&papers.root, vec![papers.client.certificate.der().to_vec()], &papers.client.key, address)
    }

    /// Clients that trust this root and show this chain (DER), with its key (PKCS#8).
    pub fn with(root: &Certificate, chain: Vec<Vec<u8>>, key: &SecretBytes, address: SocketAddr) -> Result<Self, String> {
        let text = |e: rustls::Error| e.to_string();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root.der().to_vec())).map_err(text)?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.expose().to_vec()));
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(text)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(text)?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), address })
    }

    /// A connection with its handshake.
    pub async fn connect(&self) -> Result<Connection, Error> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(HOST).map_err(|e| Error::new(ErrorKind::InvalidInput, e))?;
        Ok(Connection { stream: self.connector.connect(name, stream).await?, octets: Vec::with_capacity(2048) })
    }

    /// So many handshakes with a request each, by so many clients at a time. How long each took.
    pub async fn handshakes(&self, count: usize, at_a_time: usize) -> Result<Vec<Duration>, Error> {
        self.share(count, at_a_time, |clients, left| async move {
            let mut took = Vec::new();
            while take(&left) {
                let start = Instant::now();
                clients.connect().await?.ask(ORDINARY).await?;
                took.push(start.elapsed());
            }
            Ok(took)
        })
        .await
    }

    /// So many requests over so many connections that are kept. How long each took.
    pub async fn requests(&self, count: usize, connections: usize) -> Result<Vec<Duration>, Error> {
        self.share(count, connections, |clients, left| async move {
            let mut connection = clients.connect().await?;
            let mut took = Vec::new();
            while take(&left) {
                let start = Instant::now();
                connection.ask(ORDINARY).await?;
                took.push(start.elapsed());
            }
            Ok(took)
        })
        .await
    }

    /// So many connections with a request each that is not answered for long.
    pub async fn held(&self, count: usize) -> Result<Vec<Connection>, Error> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let mut some = JoinSet::new();
            for _ in 0..32.min(count - all.len()) {
                let clients = self.clone();
                some.spawn(async move {
                    let mut connection = clients.connect().await?;
                    connection.send(HELD).await?;
                    Ok::<_, Error>(connection)
                });
            }
            while let Some(done) = some.join_next().await {
                all.push(done.map_err(Error::other)??);
            }
        }
        Ok(all)
    }

    async fn share<F, R>(&self, count: usize, clients: usize, one: F) -> Result<Vec<Duration>, Error>
    where
        F: Fn(Self, Arc<AtomicUsize>) -> R,
        R: Future<Output = Result<Vec<Duration>, Error>> + Send + 'static,
    {
        let left = Arc::new(AtomicUsize::new(count));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            tasks.spawn(one(self.clone(), Arc::clone(&left)));
        }
        let mut took = Vec::with_capacity(count);
        while let Some(done) = tasks.join_next().await {
            took.extend(done.map_err(Error::other)??);
        }
        took.sort_unstable();
        Ok(took)
    }
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Connection {
    async fn send(&mut self, target: &str) -> Result<(), Error> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await
    }

    /// Asks, and reads the whole answer, which must be 200 with the back end's body.
    pub async fn ask(&mut self, target: &str) -> Result<(), Error> {
        self.send(target).await?;
        self.octets.clear();
        loop {
            if let Some(end) = self.octets.windows(4).position(|window| window == b"\r\n\r\n") {
                if !self.octets.starts_with(b"HTTP/1.1 200") {
                    let line = String::from_utf8_lossy(self.octets.get(..end).unwrap_or_default()).into_owned();
                    return Err(Error::other(format!("another answer than 200: {line}")));
                }
                if self.octets.len() >= end + 4 + BODY {
                    return Ok(());
                }
            }
            if self.stream.read_buf(&mut self.octets).await? == 0 {
                return Err(Error::from(ErrorKind::UnexpectedEof));
            }
        }
    }
}
