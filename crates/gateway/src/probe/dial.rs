//! From a name to a connection: addresses, sockets, TLS.

use std::{
    io::{Error, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    plan::{Plan, Target},
    tls::{self, Question, Witness},
    verdict::Verdict,
};

/// What is spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A way to the server is not there: why, and what was seen.
pub type Failed = (Verdict, Vec<String>);

/// The addresses of the name.
///
/// # Errors
/// [`Verdict::NameUnknown`].
pub async fn resolve(plan: &Plan) -> Result<Vec<SocketAddr>, Failed> {
    let Target { host, port, .. } = &plan.target;
    let found = match &plan.connect {
        Some(place) => timeout(plan.timeout, lookup_host(place.clone())).await.map(|found| found.map(Vec::from_iter)),
        None => timeout(plan.timeout, lookup_host((host.as_str(), *port))).await.map(|found| found.map(Vec::from_iter)),
    };
    match found {
        Ok(Ok(found)) if !found.is_empty() => Ok(found),
        Ok(Ok(_)) => Err((Verdict::NameUnknown, vec!["it has no address".into()])),
        Ok(Err(error)) => Err((Verdict::NameUnknown, vec![error.to_string()])),
        Err(_) => Err((Verdict::NameUnknown, vec!["the name server does not answer".into()])),
    }
}

/// Connects to the first address that answers.
///
/// # Errors
/// What the last one said.
pub async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Failed> {
    let mut seen = Vec::new();
    let mut verdict = Verdict::Unreachable;
    for address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only latency is at stake.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                verdict = of_socket(&error);
                seen.push(format!("{address}: {error}"));
            }
            Err(_) => {
                verdict = Verdict::ConnectionTimeout;
                seen.push(format!("{address}: no answer within {} s", limit.as_secs()));
            }
        }
    }
    Err((verdict, seen))
}

fn of_socket(error: &Error) -> Verdict {
    match error.kind() {
        ErrorKind::ConnectionRefused => Verdict::ConnectionRefused,
        ErrorKind::TimedOut => Verdict::ConnectionTimeout,
        _ => Verdict::Unreachable,
    }
}

/// Speaks TLS. What the server showed is with the witness, whatever comes of it.
///
/// # Errors
/// What ended it.
pub async fn handshake(
    plan: &Plan,
    stream: TcpStream,
    witness: &Arc<Witness>,
    version: Option<u8>,
) -> Result<TlsStream<TcpStream>, Failed> {
    let shown = |text: String| vec![text];
    let config = witness.client(version).map_err(|e| (Verdict::TlsFailed, shown(e)))?;
    let name = ServerName::try_from(plan.target.host.clone());
    let name = name.map_err(|_| (Verdict::TlsFailed, shown(format!("{} is no name for TLS", plan.target.host))))?;
    match timeout(plan.timeout, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err((of_tls(&error, witness.question()), shown(error.to_string()))),
        Err(_) => Err((Verdict::TlsTimeout, shown(format!("no answer within {} s", plan.timeout.as_secs())))),
    }
}

/// What an error on a connection with TLS means.
#[must_use]
pub fn of_tls(error: &Error, question: Question) -> Verdict {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls::of_error(error, question);
    }
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Verdict::TlsClosed,
        _ => Verdict::TlsFailed,
    }
}

/// Milliseconds since then.
#[must_use]
pub fn ms_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
