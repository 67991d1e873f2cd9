//! A service on loopback that says what a test tells it to say, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::wait::until;

/// What the service was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// GET or POST.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What the service says.
#[derive(Debug, Clone)]
pub struct Says {
    /// Status.
    pub status: u16,
    /// Further fields, each ended by CRLF.
    pub fields: String,
    /// Body.
    pub body: Vec<u8>,
    /// How long it thinks first.
    pub after: Duration,
}

impl Says {
    /// Status 200 with this JSON.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, fields: String::new(), body: value.to_string().into_bytes(), after: Duration::ZERO }
    }

    /// 200 with a page.
    #[must_use]
    pub fn html(body: &str) -> Self {
        Self { fields: "Content-Type: text/html\r\n".into(), ..Self::text(body) }
    }

    /// This status and nothing more.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, fields: String::new(), body: Vec::new(), after: Duration::ZERO }
    }

    /// Status 200 with these octets.
    #[must_use]
    pub fn text(body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..Self::status(200) }
    }
}

type Answer = Box<dyn FnMut(&Asked) -> Says + Send>;

struct Shared {
    asked: Vec<Asked>,
    answer: Answer,
}

/// The service; it ends with this value.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    /// A service that answers by this function.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(answer: impl FnMut(&Asked) -> Says + Send + 'static) -> Self {
        Self::start_over(None, answer).await
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start_tls(tls: TlsAcceptor, answer: impl FnMut(&Asked) -> Says + Send + 'static) -> Self {
        Self::start_over(Some(tls), answer).await
    }

    async fn start_over(tls: Option<TlsAcceptor>, answer: impl FnMut(&Asked) -> Says + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { asked: Vec::new(), answer: Box::new(answer) }));
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &shared).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, shared, task }
    }

    /// Answers differently from now on.
    pub fn now_says(&self, answer: impl FnMut(&Asked) -> Says + Send + 'static) {
        self.shared().answer = Box::new(answer);
    }

    /// Everything it was asked so far, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared().asked.clone()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        self.shared().asked.clear();
    }

    /// Waits until something like this was asked.
    pub async fn was_asked(&self, what: &str, like: impl Fn(&Asked) -> bool) -> Asked {
        until(what, || {
            let found = self.asked().into_iter().find(|asked| like(asked));
            async move { found }
        })
        .await
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, shared: &Mutex<Shared>) {
    let Some(asked) = read(&mut stream).await else { return };
    let says = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.asked.push(asked.clone());
        (shared.answer)(&asked)
    };
    tokio::time::sleep(says.after).await;
    let head = format!(
        "HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n",
        says.status,
        says.body.len(),
        says.fields
    );
    let _ = stream.write_all(&[head.into_bytes(), says.body].concat()).await;
    let _ = stream.shutdown().await;
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Asked> {
    let mut octets = Vec::new();
    loop {
        let end = octets.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&octets[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let mut first = lines.next()?.split(' ').map(str::to_owned);
            let field = |l: &str| l.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
            let fields: Vec<_> = lines.filter_map(field).collect();
            let length = fields.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap_or(0));
            if octets.len() >= end + 4 + length {
                let body = octets[end + 4..end + 4 + length].to_vec();
                return Some(Asked { method: first.next()?, path: first.next()?, fields, body });
            }
        }
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}
