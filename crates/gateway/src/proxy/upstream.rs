//! Connections to back ends: used again while they are fresh, spread over the back ends that are well.
//!
//! A request is repeated on another connection only while nothing of it was sent; a mail must not be sent twice. The one exception are requests
//! without a body and without an effect, over a connection that lay idle and may have been closed on the other side meanwhile.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    application::seconds,
    body::{Progress, RequestBody, Upload},
};
use crate::{
    config::{file, read},
    decide::denial::{Denial, Reason},
    error::GatewayError,
};

/// How long a connection may lie idle before it is given up.
const IDLE: Duration = Duration::from_secs(30);
/// From this idle time on it may have been closed on the other side.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// Most idle connections to one back end.
const MOST_IDLE: usize = 256;
/// How long a back end that could not be reached is left alone while there are others.
const DOWN: Duration = Duration::from_secs(5);
/// Largest head of an answer, in octets.
const MAX_HEAD: usize = 128 * 1024;

/// The back ends of an application.
#[derive(Debug)]
pub struct BackEnds {
    list: Vec<Arc<BackEnd>>,
    turn: AtomicUsize,
    /// Whether connections are used again.
    reuse: bool,
}

/// One back end.
#[derive(Debug)]
pub struct BackEnd {
    /// `http://host:port` as a client would see it, without what is usual.
    pub origin: String,
    /// For `Host`.
    pub authority: HeaderValue,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    connect_timeout: Duration,
    idle: Mutex<Vec<Idle>>,
    began: Instant,
    down_until: AtomicU64,
    active: AtomicI64,
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idle")
    }
}

/// A connection in use. Dropping it closes the connection, and with it whatever the back end still does for it.
pub struct Lease {
    back_end: Arc<BackEnd>,
    sender: Option<SendRequest<RequestBody>>,
    progress: Option<Progress>,
    reuse: bool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.back_end.origin).finish()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.back_end.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    /// Frees the connection for others, when the request was sent to its end.
    pub fn give_back(mut self) {
        let sent = self.reuse && self.progress.as_ref().is_none_or(|progress| progress.get() == Upload::Done);
        if let (Some(sender), true) = (self.sender.take(), sent)
            && !sender.is_closed()
        {
            let mut idle = self.back_end.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST_IDLE {
                idle.push(Idle { sender, since: Instant::now() });
            }
        }
    }

    /// The back end.
    #[must_use]
    pub fn back_end(&self) -> &BackEnd {
        &self.back_end
    }
}

impl BackEnds {
    /// Reads the settings; nothing is connected yet.
    ///
    /// # Errors
    /// [`GatewayError::Config`], [`GatewayError::File`].
    pub fn open(settings: &file::Application, folder: &Path) -> Result<Self, GatewayError> {
        let tls = match &settings.back_end_ca_file {
            None => None,
            Some(file) => Some(client(&read::certificates(&read::path(folder, file))?)?),
        };
        let one = |url: &String| {
            let fault = |problem: &str| GatewayError::Config(format!("application {}: back end {url}: {problem}", settings.name));
            let uri: Uri = url.parse().map_err(|_| fault("is not an address"))?;
            let (Some(host), true) = (uri.host(), matches!(uri.path(), "" | "/") && uri.query().is_none()) else {
                return Err(fault("is to be http:// or https://, host and port, and nothing more"));
            };
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let (tls, usual) = match uri.scheme_str() {
                Some("http") => (None, 80),
                Some("https") => {
                    let connector = tls.clone().ok_or_else(|| fault("needs back-end-ca-file"))?;
                    let name = ServerName::try_from(host.clone()).map_err(|_| fault("has no host name"))?;
                    (Some((connector, name)), 443)
                }
                _ => return Err(fault("must begin with http:// or https://")),
            };
            let port = uri.port_u16().unwrap_or(usual);
            let authority = if port == usual {
                uri.host().unwrap_or_default().to_owned()
            } else {
                format!("{}:{port}", uri.host().unwrap_or_default())
            };
            Ok(Arc::new(BackEnd {
                origin: format!("{}://{authority}", uri.scheme_str().unwrap_or_default()),
                authority: HeaderValue::from_str(&authority).map_err(|_| fault("has no host name"))?,
                host,
                port,
                tls,
                connect_timeout: seconds(settings.connect_timeout),
                idle: Mutex::default(),
                began: Instant::now(),
                down_until: AtomicU64::new(0),
                active: AtomicI64::new(0),
            }))
        };
        let list = settings.back_ends.iter().map(one).collect::<Result<_, _>>()?;
        let reuse = settings.reuse_connections.unwrap_or(settings.kind != file::Kind::Activesync);
        Ok(Self { list, turn: AtomicUsize::new(0), reuse })
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Arc<BackEnd>] {
        &self.list
    }

    /// The back ends in the order in which they are to be tried: those that are well, the least busy first, in turn; then the others.
    fn order(&self) -> Vec<Arc<BackEnd>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut list: Vec<Arc<BackEnd>> = self.list.to_vec();
        let length = list.len().max(1);
        list.rotate_left(turn.checked_rem(length).unwrap_or(0));
        list.sort_by_key(|b| (b.is_down(), b.active.load(Ordering::Relaxed)));
        list
    }

    /// Sends a request to one of them.
    ///
    /// # Errors
    /// The denial for the client.
    pub async fn send(
        &self,
        mut request: Request<RequestBody>,
        progress: Option<Progress>,
        keep_host: bool,
        patience: Duration,
    ) -> Result<(Response<Incoming>, Lease), Denial> {
        let mut problem = Denial::of(Reason::BackEndUnreachable);
        if !self.reuse {
            request.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        let order = if let [one] = self.list.as_slice() { vec![Arc::clone(one)] } else { self.order() };
        for back_end in order {
            if !keep_host {
                request.headers_mut().insert(http::header::HOST, back_end.authority.clone());
            }
            // Once over a connection that lay idle, and once over a new one.
            for fresh in [false, true] {
                let taken = if fresh || !self.reuse { None } else { back_end.take().await };
                let (sender, idle) = match taken {
                    Some((sender, idle)) => (sender, idle),
                    None if !fresh => continue,
                    None => match Box::pin(back_end.connect()).await {
                        Ok(sender) => (sender, Duration::ZERO),
                        Err(why) => {
                            back_end.fell_down();
                            problem = Denial::because(Reason::BackEndUnreachable, &format!("{}: {why}", back_end.origin));
                            break;
                        }
                    },
                };
                let spare = (idle >= DOUBTFUL).then(|| spare(&request)).flatten();
                back_end.active.fetch_add(1, Ordering::Relaxed);
                let mut lease = Lease {
                    back_end: Arc::clone(&back_end),
                    sender: Some(sender),
                    progress: progress.clone(),
                    reuse: self.reuse,
                };
                match attempt(&mut lease, request, patience).await {
                    Ok(response) => return Ok((response, lease)),
                    Err((Some(unsent), _)) => request = unsent,
                    Err((None, denial)) => match spare {
                        Some(again) => request = again,
                        None => return Err(denial),
                    },
                }
            }
        }
        Err(problem)
    }
}

/// A second copy of a request that may be repeated.
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !harmless || !hyper::body::Body::is_end_stream(request.body()) {
        return None;
    }
    let mut copy = Request::new(RequestBody::none());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

type Failed = (Option<Request<RequestBody>>, Denial);

async fn attempt(lease: &mut Lease, request: Request<RequestBody>, patience: Duration) -> Result<Response<Incoming>, Failed> {
    let progress = lease.progress.clone();
    let origin = lease.back_end.origin.clone();
    let Some(sender) = lease.sender.as_mut() else { return Err((Some(request), Denial::of(Reason::Internal))) };
    let answer = sender.try_send_request(request);
    tokio::pin!(answer);
    loop {
        match timeout(patience, answer.as_mut()).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(mut error)) => {
                let unsent = error.take_message();
                let reason = match progress.as_ref().map(Progress::get) {
                    Some(Upload::TooLarge) => Reason::BodyTooLarge,
                    Some(Upload::TooSlow) => Reason::BodyTooSlow,
                    Some(Upload::Broken) => Reason::Malformed,
                    _ => Reason::BackEndBroken,
                };
                return Err((unsent, Denial::because(reason, &format!("{origin}: {}", error.error()))));
            }
            // What is still being sent has time limits of its own.
            Err(_) if progress.as_ref().is_some_and(|p| p.get() == Upload::Going) => {}
            Err(_) => return Err((None, Denial::because(Reason::BackEndTimeout, &origin))),
        }
    }
}

impl BackEnd {
    fn is_down(&self) -> bool {
        self.down_until.load(Ordering::Relaxed) > self.elapsed()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn fell_down(&self) {
        let down = u64::try_from(DOWN.as_millis()).unwrap_or_default();
        self.down_until.store(self.elapsed().saturating_add(down), Ordering::Relaxed);
    }

    /// Requests on their way.
    #[must_use]
    pub fn active(&self) -> i64 {
        self.active.load(Ordering::Relaxed)
    }

    /// Whether it is thought to be well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.is_down()
    }

    /// The connection used last that can still be used, and how long it lay idle.
    async fn take(&self) -> Option<(SendRequest<RequestBody>, Duration)> {
        loop {
            let found = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                // Last in, first out: what lies at the bottom grows old and goes.
                if idle.first().is_some_and(|i| i.since.elapsed() >= IDLE) {
                    idle.retain(|i| i.since.elapsed() < IDLE && !i.sender.is_closed());
                }
                idle.pop()
            };
            let mut found = found?;
            if found.sender.is_closed() {
                continue;
            }
            // It was given back at the last octet of an answer; its task may have to take notice.
            if found.sender.is_ready() || matches!(timeout(Duration::from_millis(20), found.sender.ready()).await, Ok(Ok(()))) {
                return Some((found.sender, found.since.elapsed()));
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, String> {
        match timeout(self.connect_timeout, self.reach()).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("no connection within {} s", self.connect_timeout.as_secs())),
        }
    }

    async fn reach(&self) -> Result<SendRequest<RequestBody>, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| e.to_string())?;
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => shake(TokioIo::new(stream)).await,
            Some((config, name)) => {
                let stream =
                    TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await.map_err(|e| e.to_string())?;
                shake(TokioIo::new(stream)).await
            }
        }
    }

    /// Asks it whether it is well, for ever.
    pub async fn watch(self: Arc<Self>, path: String, every: Duration) {
        loop {
            sleep(every).await;
            let asked = async {
                let mut sender = self.connect().await?;
                let request = Request::get(path.as_str()).header(http::header::HOST, self.authority.clone());
                let request = request.body(RequestBody::none()).map_err(|e| e.to_string())?;
                let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
                if response.status().is_server_error() { Err(response.status().to_string()) } else { Ok(()) }
            };
            let answer = timeout(self.connect_timeout.saturating_mul(2), asked).await;
            let well = matches!(answer, Ok(Ok(())));
            if !well {
                let until = self.elapsed().saturating_add(u64::try_from((every * 2).as_millis()).unwrap_or_default());
                self.down_until.store(until, Ordering::Relaxed);
                tracing::warn!(back_end = %self.origin, "a back end is not well");
            } else if self.down_until.swap(0, Ordering::Relaxed) > 0 {
                tracing::info!(back_end = %self.origin, "a back end is well again");
            }
        }
    }
}

async fn shake<I>(io: I) -> Result<SendRequest<RequestBody>, String>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(io).await.map_err(|e| e.to_string())?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a back end ended");
        }
    });
    Ok(sender)
}

/// TLS towards somebody who stands under these authorities and no others.
///
/// # Errors
/// [`GatewayError::Config`].
pub fn client(authorities: &[lanyard_pki::certificate::Certificate]) -> Result<Arc<ClientConfig>, GatewayError> {
    let fault = |e: rustls::Error| GatewayError::Config(format!("back-end-ca-file: {e}"));
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from(authority.der().to_vec())).map_err(fault)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = builder.with_safe_default_protocol_versions().map_err(fault)?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
