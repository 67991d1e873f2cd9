//! One request over a connection of its own, and its answer as it came.

use std::time::{Duration, Instant};

use ::http::{HeaderMap, Method, Request, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lanyard_model::{secret::SecretText, text::printable};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{
    dial::{Failed, Stream, ms_since, of_tls},
    tls::Question,
    verdict::Verdict,
};

/// Most octets of an answer that are read.
const MAX_BODY: usize = 1024 * 1024;
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
    let sending = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let pump = tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        // Why a connection ended is told to the one who drives it.
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return match timeout(Duration::from_secs(1), pump).await {
                    Ok(Ok(Err(reason))) => Err(reason),
                    _ => Err(error),
                };
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
        Ok(Err(error)) => Err((of_error(&error, question), vec![said(&error)])),
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

fn source_of(error: &hyper::Error) -> Option<&std::io::Error> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>())
}

fn said(error: &hyper::Error) -> String {
    source_of(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn of_error(error: &hyper::Error, question: Question) -> Verdict {
    // In TLS 1.3 the server's word about our certificate comes with the first thing read.
    if let Some(source) = source_of(error) {
        let verdict = of_tls(source, question);
        return if verdict == Verdict::TlsClosed || verdict == Verdict::TlsFailed { Verdict::ConnectionCut } else { verdict };
    }
    if error.is_parse() { Verdict::NotHttp } else { Verdict::ConnectionCut }
}
