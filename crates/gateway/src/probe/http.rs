//! One request over a connection of its own, and its answer as it came.

use std::{
    io::Error,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use ::http::{HeaderMap, Method, Request, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lanyard_model::{secret::SecretText, text::printable};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    dial::{Failed, Stream, ms_since, of_tls},
    tls::Question,
    verdict::Verdict,
};

/// How long a connection that failed may still tell why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Most octets of an answer that are read.
const MAX_BODY: usize = 1024 * 1024;
/// Most characters of a refusal's text that are shown.
const MAX_REASON: usize = 300;
/// Most headers of an answer that are shown.
const MAX_SHOWN: usize = 60;

/// What is sent.
pub struct Ask<'a> {
    /// Method.
    pub method: Method,
    /// Path with query.
    pub target: String,
    /// `Host`.
    pub authority: &'a str,
    /// `User-Agent`.
    pub agent: &'a str,
    /// User and password, for Basic.
    pub user: Option<&'a (String, SecretText)>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Status line as it came, as far as a client sees it.
    pub line: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The beginning of the body, or all of it.
    pub body: Vec<u8>,
    /// Milliseconds until the body was there.
    pub ms: u64,
}

impl Answer {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The status line and the headers, for people; what a cookie holds is left out.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        let mut out = vec![self.line.clone()];
        let plain = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let reason = (self.status >= 400 && plain).then(|| self.text()).filter(|text| !text.trim().is_empty());
        out.extend(reason.map(|text| format!("says: {}", printable(&text.trim().chars().take(MAX_REASON).collect::<String>()))));
        for (name, value) in self.headers.iter().take(MAX_SHOWN) {
            let secret = matches!(name.as_str(), "set-cookie" | "authorization" | "proxy-authenticate");
            let text = String::from_utf8_lossy(value.as_bytes());
            let text = if secret { text.split('=').next().unwrap_or_default().to_owned() + "=…" } else { text.into_owned() };
            out.push(format!("{name}: {}", printable(&text)));
        }
        out
    }

    /// The body as text, as far as it is text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.get(..self.body.len().min(64 * 1024)).unwrap_or_default()).into_owned()
    }
}

/// Sends a request and reads the answer. `question`: what became of the question for a client
/// certificate, which an alert may be about.
///
/// # Errors
/// What ended it before there was an answer.
pub async fn exchange(stream: Box<dyn Stream>, ask: Ask<'_>, limit: Duration, question: Question) -> Result<Answer, Failed> {
    let start = Instant::now();
    let request = ask.request().map_err(|e| (Verdict::NotHttp, vec![e]))?;
    let heard = Heard::default();
    let stream = Overheard { stream, heard: Arc::clone(&heard) };
    let sending = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let pump = tokio::spawn(connection);
        let answer = match sender.send_request(request).await {
            Ok(answer) => answer,
            Err(error) => {
                // What comes last over the connection may be why.
                let _ = timeout(LAST_WORDS, pump).await;
                return Err(error);
            }
        };
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Ok((head, body))
    };
    match timeout(limit, sending).await {
        Ok(Ok((head, body))) => {
            let reason = head
                .extensions
                .get::<hyper::ext::ReasonPhrase>()
                .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
            let reason = reason.or_else(|| head.status.canonical_reason().map(str::to_owned)).unwrap_or_default();
            let line = format!("{:?} {} {}", head.version, head.status.as_u16(), printable(&reason));
            Ok(Answer { status: head.status.as_u16(), line, headers: head.headers, body, ms: ms_since(start) })
        }
        Ok(Err(error)) => {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(match heard {
                Some(heard) => (of_socket(&heard, question), vec![heard.to_string()]),
                None => (if error.is_parse() { Verdict::NotHttp } else { Verdict::ConnectionCut }, vec![error.to_string()]),
            })
        }
        Err(_) => Err((Verdict::AnswerTimeout, vec![format!("no answer within {} s", limit.as_secs())])),
    }
}

impl Ask<'_> {
    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.target);
        request = request.header(header::HOST, self.authority).header(header::USER_AGENT, self.agent);
        if let Some((user, password)) = self.user {
            let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
            let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            let mut value = ::http::HeaderValue::from_str(&value).map_err(|e| e.to_string())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(Bytes::from(self.body.clone()))).map_err(|e| e.to_string())
    }
}

/// What an error of the connection means. In TLS 1.3 the server's word about our certificate comes with the first thing read.
fn of_socket(error: &Error, question: Question) -> Verdict {
    let verdict = of_tls(error, question);
    if verdict == Verdict::TlsClosed || verdict == Verdict::TlsFailed { Verdict::ConnectionCut } else { verdict }
}

/// The first error that a connection told.
type Heard = Arc<Mutex<Option<Error>>>;

/// A connection whose first error is remembered: HTTP tells its users that it ended, but not always why.
struct Overheard {
    stream: Box<dyn Stream>,
    heard: Heard,
}

impl Overheard {
    fn remember<T>(&self, done: Poll<Result<T, Error>>) -> Poll<Result<T, Error>> {
        let Poll::Ready(Err(error)) = done else { return done };
        let told = Error::new(error.kind(), error.to_string());
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        Poll::Ready(Err(told))
    }
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Error>> {
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.remember(done)
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<Result<usize, Error>> {
        let done = Pin::new(&mut self.stream).poll_write(context, octets);
        if let Poll::Ready(Err(_)) = done {
            // The reason waits to be read.
            let mut rest = [0; 512];
            let read = Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut rest));
            let _ = self.remember(read);
        }
        self.remember(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
