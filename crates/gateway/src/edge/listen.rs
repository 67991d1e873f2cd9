//! Accepting connections: so many at a time, handshakes and heads within their time, and an orderly end.

use std::{convert::Infallible, io, net::SocketAddr, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor, server::TlsStream};

use super::{
    answer::denied,
    framing::{Framed, MAX_COUNT, MAX_HEAD},
    serve::{Client, serve},
};
use crate::{
    certificate::verdict::Presented,
    decide::{
        denial::{Denial, Reason},
        publish::canonical,
    },
    proxy::{application::seconds, body::ResponseBody},
    run::Gateway,
};

/// Streams that a client may open and reset at once before the connection ends.
const MOST_RESETS: usize = 20;
/// Largest head over HTTP/2, decoded, in octets.
const MAX_HEAD_H2: u32 = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it is still there.
const ALIVE: Duration = Duration::from_secs(60);

/// Serves HTTPS until told to stop; then open requests have their time of grace.
pub async fn https(listener: TcpListener, gateway: Arc<Gateway>, places: Arc<Semaphore>, mut stop: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let (end, ended) = watch::channel(false);
    while let Some((stream, address, place)) = accept(&listener, &places, &mut stop).await {
        let (gateway, watcher, mut ended) = (Arc::clone(&gateway), graceful.watcher(), ended.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = connection(stream, address, gateway, watcher) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
    }
    drop(listener);
    let grace = seconds(gateway.rules().limits.grace);
    let _ = timeout(grace, graceful.shutdown()).await;
    // What is held for an hour is not waited for: devices ask again.
    let _ = end.send(true);
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    loop {
        let place = tokio::select! {
            place = Arc::clone(places).acquire_owned() => place.ok()?,
            _ = stop.changed() => return None,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return None,
        };
        match accepted {
            Ok((stream, address)) => {
                let _ = stream.set_nodelay(true);
                let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
                let _ = rustix::net::sockopt::set_tcp_keepidle(&stream, ALIVE);
                return Some((stream, address, place));
            }
            Err(error) => {
                // Out of file descriptors is the usual cause: trying again at once would only burn time.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, gateway: Arc<Gateway>, watcher: Watcher) {
    let rules = gateway.rules();
    let limits = rules.limits.clone();
    // Boxed, so that its memory is free again when it is over.
    let shaken = Box::pin(timeout(seconds(limits.handshake_timeout), async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let host = start.client_hello().server_name().map(canonical);
        let config = rules.doors.choose(host.as_deref());
        Ok::<_, io::Error>((start.into_stream(config).await?, host))
    }));
    let (stream, host) = match shaken.await {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            gateway.telemetry.handshake_failed();
            tracing::debug!(%address, %error, "TLS handshake failed");
            return;
        }
        Err(_) => return gateway.telemetry.handshake_failed(),
    };
    drop(rules);
    let session = stream.get_ref().1;
    let presented = session.peer_certificates().and_then(Presented::new);
    let h2 = session.alpn_protocol() == Some(b"h2");
    let client = Arc::new(Client::new(address, host, presented));
    let _counted = gateway.telemetry.connected();
    let live = Arc::clone(&gateway.live);
    let _place = live.add(&client);
    let served = pin!(exchange(stream, h2, Arc::clone(&client), Arc::clone(&gateway), watcher));
    tokio::select! {
        () = served => {}
        () = client.closing.notified() => tracing::info!(%address, "a connection was closed: what it showed no longer counts"),
    }
}

async fn exchange(stream: TlsStream<TcpStream>, h2: bool, client: Arc<Client>, gateway: Arc<Gateway>, watcher: Watcher) {
    let limits = gateway.rules().limits.clone();
    let serving = Arc::clone(&gateway);
    let service = service_fn(move |request: Request<Incoming>| {
        let (gateway, client) = (Arc::clone(&serving), Arc::clone(&client));
        async move {
            let answered = AssertUnwindSafe(serve(&gateway, &client, request)).catch_unwind().await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| {
                tracing::error!("a request ended in a panic; the gateway goes on");
                denied(&Denial::of(Reason::Internal), None)
            }))
        }
    });
    let ended = if h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_concurrent_streams(limits.streams).max_header_list_size(MAX_HEAD_H2);
        builder.max_pending_accept_reset_streams(MOST_RESETS).max_local_error_reset_streams(MOST_RESETS);
        builder.keep_alive_interval(ALIVE).keep_alive_timeout(ALIVE);
        watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
    } else {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(seconds(limits.head_timeout));
        builder.max_buf_size(MAX_HEAD + 8 * 1024).max_headers(MAX_COUNT);
        watcher.watch(builder.serve_connection(TokioIo::new(Framed::new(stream)), service)).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Serves plain HTTP, where everything is told to come by HTTPS, until told to stop.
pub async fn redirect(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    places: Arc<Semaphore>,
    port: u16,
    mut stop: watch::Receiver<bool>,
) {
    while let Some((stream, _, place)) = accept(&listener, &places, &mut stop).await {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let _place = place;
            let head = seconds(gateway.rules().limits.head_timeout);
            let service = service_fn(move |request: Request<Incoming>| {
                let gateway = Arc::clone(&gateway);
                async move { Ok::<_, Infallible>(elsewhere(&gateway, &request, port)) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(head).max_headers(MAX_COUNT);
            let _ = builder.serve_connection(TokioIo::new(Framed::new(stream)), service).await;
        });
    }
}

fn elsewhere(gateway: &Gateway, request: &Request<Incoming>, port: u16) -> Response<ResponseBody> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(canonical);
    let host = host.filter(|host| gateway.rules().published.host(host).is_some());
    // A password that came in the clear is lost; only what carries none is sent on without a word.
    let harmless =
        matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(header::AUTHORIZATION);
    let mut response = Response::new(ResponseBody::own(Bytes::from_static(b"403.4 Come by HTTPS.\n")));
    *response.status_mut() = StatusCode::FORBIDDEN;
    if let (true, Some(host)) = (harmless, host) {
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        if let Ok(place) = HeaderValue::from_str(&format!("https://{host}{port}{target}")) {
            response.headers_mut().insert(header::LOCATION, place);
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        }
    }
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Serves `/metrics` and `/healthz` until told to stop.
pub async fn metrics(listener: TcpListener, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(64));
    while let Some((stream, _, place)) = accept(&listener, &places, &mut stop).await {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request: Request<Incoming>| {
                let gateway = Arc::clone(&gateway);
                async move {
                    let (status, text) = match request.uri().path() {
                        "/metrics" => (StatusCode::OK, gateway.render()),
                        "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
                        _ => (StatusCode::NOT_FOUND, String::new()),
                    };
                    let mut response = Response::new(ResponseBody::own(text));
                    *response.status_mut() = status;
                    Ok::<_, Infallible>(response)
                }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            let _ = builder.serve_connection(TokioIo::new(Framed::new(stream)), service).await;
        });
    }
}
