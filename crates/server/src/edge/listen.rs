//! Accepting connections: so many at a time, heads and handshakes within their time, and an orderly end.

use std::{convert::Infallible, fmt, io, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::{config::Limits, state::Server};

/// Most octets of a request's head: the longest address (65,534 octets) and its fields.
const MAX_HEAD: usize = 128 * 1024;
/// Most fields of a request's head.
const MAX_FIELDS: usize = 100;
/// Most octets of the fields of a head, without the request line.
const MAX_FIELD_OCTETS: usize = 32 * 1024;
/// How long open requests may take to finish once the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Network(SocketAddr),
    /// A local user at the administrator's socket, by numeric id.
    Local(u32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Local(uid) => write!(f, "uid {uid}"),
        }
    }
}

/// The certificate that a client has shown in TLS, DER: its chain to one of our authorities, its purpose and its dates are verified, and that
/// it has the key. Whether it is revoked, and whose it is, is for each request to find out. Every request of the listener for managed devices
/// has this extension, and no other request has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate(pub Vec<u8>);

/// Serves plain HTTP, or HTTPS when there is an acceptor, until told to stop. The name is the listener's, for its counters.
pub async fn serve_tcp(
    name: &'static str,
    listener: TcpListener,
    router: Router,
    tls: Option<Acceptor>,
    server: Arc<Server>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(server.config.limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = stop.changed() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        server.telemetry.count("lanyard_http_connections_total", &[("listener", name.to_owned())]);
        let _ = stream.set_nodelay(true);
        let (router, limits) = (router.clone(), server.config.limits.clone());
        let (tls, watcher, server) = (tls.clone(), graceful.watcher(), Arc::clone(&server));
        tokio::spawn(async move {
            let _place = place;
            let peer = Peer::Network(address);
            match tls {
                None => connection(stream, router, Client { peer, certificate: None }, &limits, watcher).await,
                Some(acceptor) => match timeout(seconds(&limits.handshake_timeout), acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                        let certificate = shown.map(|der| ClientCertificate(der.to_vec()));
                        connection(stream, router, Client { peer, certificate }, &limits, watcher).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => server.telemetry.count("lanyard_http_refused_total", &[("cause", "slow-handshake".into())]),
                },
            }
        });
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// Makes an acceptor with the newest server certificate.
pub type Acceptor = Arc<dyn Fn() -> TlsAcceptor + Send + Sync>;

/// Serves the administrator's socket until told to stop.
pub async fn serve_unix(listener: UnixListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        // Without a known user there is nobody to audit: such a connection is dropped.
        let Ok(uid) = stream.peer_cred().map(|c| c.uid()) else { continue };
        let (router, limits, watcher) = (router.clone(), limits.clone(), graceful.watcher());
        tokio::spawn(async move {
            let client = Client { peer: Peer::Local(uid), certificate: None };
            connection(stream, router, client, &limits, watcher).await;
        });
    }
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// Out of file descriptors is the usual cause: trying again at once would only burn time.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection cannot be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn seconds(span: &lanyard_model::time::Span) -> Duration {
    Duration::from_secs(u64::try_from(span.secs()).unwrap_or(10))
}

/// Who is at the other end of a connection, and what they have shown.
#[derive(Clone)]
struct Client {
    peer: Peer,
    certificate: Option<ClientCertificate>,
}

/// Serves one connection. The head of each request must come within its time, which also ends idle connections.
async fn connection<S>(stream: S, router: Router, client: Client, limits: &Limits, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (router, client) = (router.clone(), client.clone());
        async move { Ok::<_, Infallible>(answer(router, client, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(seconds(&limits.head_timeout))
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(router: Router, client: Client, mut request: Request<Incoming>) -> Response {
    let octets: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if octets > MAX_FIELD_OCTETS {
        return StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response();
    }
    request.extensions_mut().insert(client.peer);
    if let Some(certificate) = client.certificate {
        request.extensions_mut().insert(certificate);
    }
    let answered = AssertUnwindSafe(router.oneshot(request.map(Body::new))).catch_unwind().await;
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!("a request ended in a panic; the server goes on");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
