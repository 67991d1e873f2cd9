//! One request from its head to its answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use lanyard_model::text::printable;
use tokio::sync::Notify;

use super::answer::denied;
use crate::{
    activesync::{
        device,
        query::{self, Query},
        refusal,
    },
    certificate::verdict::Presented,
    config::file::Kind,
    decide::{
        admit::{Admission, Asking, admit},
        denial::{Denial, Reason},
        publish::canonical,
    },
    proxy::{application::Application, body::ResponseBody, forward::forward},
    run::{Gateway, Rules},
};

/// Who is at the other end of a connection.
#[derive(Debug)]
pub struct Client {
    /// Address.
    pub address: SocketAddr,
    /// The host that TLS was made for, canonical.
    pub host: Option<String>,
    /// What it has shown.
    pub presented: Option<Presented>,
    /// Ends the connection at once.
    pub closing: Notify,
    /// Keys of the accounts that were let in by it.
    users: Mutex<Vec<String>>,
}

/// Version of ActiveSync, where it is not in the query ([MS-ASHTTP] section 2.2.1.1.2.4).
const VERSION: HeaderName = HeaderName::from_static("ms-asprotocolversion");
/// Most accounts that are remembered of one connection.
const MOST_USERS: usize = 16;

impl Client {
    /// A connection on which nobody was let in yet.
    #[must_use]
    pub fn new(address: SocketAddr, host: Option<String>, presented: Option<Presented>) -> Self {
        Self { address, host, presented, closing: Notify::new(), users: Mutex::default() }
    }

    /// Keys of the accounts that were let in.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn let_in(&self, key: &str) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() < MOST_USERS && !users.iter().any(|known| known == key) {
            users.push(key.to_owned());
        }
    }
}

/// What is logged of a request.
struct Story<'a> {
    client: &'a Client,
    method: http::Method,
    target: String,
    agent: Option<HeaderValue>,
    application: Option<Arc<Application>>,
    admission: Option<Admission>,
    query: Option<Query>,
    version: Option<HeaderValue>,
    began: Instant,
}

/// Answers a request.
pub async fn serve(gateway: &Gateway, client: &Client, request: Request<Incoming>) -> Response<ResponseBody> {
    let rules = gateway.rules();
    let mut story = Story {
        client,
        method: request.method().clone(),
        target: request.uri().path().to_owned(),
        agent: request.headers().get(header::USER_AGENT).cloned(),
        application: None,
        admission: None,
        query: None,
        version: None,
        began: Instant::now(),
    };
    let outcome = answer(gateway, &rules, client, request, &mut story).await;
    story.tell(&outcome);
    outcome.unwrap_or_else(|denial| story.refusal(&denial))
}

async fn answer(
    gateway: &Gateway,
    rules: &Rules,
    client: &Client,
    request: Request<Incoming>,
    story: &mut Story<'_>,
) -> Result<Response<ResponseBody>, Denial> {
    let host = host(&request)?;
    let published = rules.published.host(&host);
    if client.host.as_deref() != Some(host.as_str()) {
        // A connection made for one host must not reach another that asks for more, nor carry its certificate there.
        let other = client.host.as_deref().and_then(|name| rules.published.host(name));
        if published.into_iter().chain(other).any(|host| host.wants_certificate) {
            return Err(Denial::because(Reason::Misdirected, &format!("TLS for {:?}, request for {host}", client.host)));
        }
    }
    let published = published.ok_or(Denial::of(Reason::NotPublished))?;
    let application = Arc::clone(story.application.insert(Arc::clone(published.application(request.uri().path())?)));
    let asking = Asking {
        presented: client.presented.as_ref(),
        headers: request.headers(),
        source: client.address.ip(),
        now: gateway.clock.now(),
        attempts: &gateway.attempts,
        state: gateway.state.as_deref(),
        suppose_password: false,
    };
    let admission = admit(&application, &asking).await?;
    let admission = story.admission.insert(admission);
    if let Some(account) = &admission.account {
        client.let_in(&account.key);
        // Disabled since it was looked at: whoever ends connections may have looked before this one was noted.
        if application.accounts.as_ref().is_some_and(|(_, source)| !source.still(account)) {
            return Err(Denial::because(Reason::AccountRefused, &format!("{} is disabled", account.name)));
        }
    }
    if application.kind == Kind::Activesync {
        let query = query::read(request.uri().query());
        let query = &*story.query.insert(query.map_err(|e| Denial::because(Reason::Malformed, &e.to_string()))?);
        story.version = request.headers().get(VERSION).cloned();
        let asking = device::Asking {
            query,
            agent: request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            method: request.method(),
            certificate: admission.certificate.as_ref().map(|verified| verified.fingerprint),
        };
        application.devices.admit(admission.account.as_ref(), &asking)?;
    }
    forward(request, &application, admission, client.address.ip()).await
}

/// The host a request is for, canonical. Where it stands twice it must be the same.
fn host<B>(request: &Request<B>) -> Result<String, Denial> {
    let refuse = |why: &str| Denial::because(Reason::Malformed, why);
    check_fields(request.headers(), request.version())?;
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let field = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.to_str().map_err(|_| refuse("the field Host cannot be read"))?),
        (Some(_), Some(_)) => return Err(refuse("there are two fields Host")),
    };
    let host = match (request.uri().authority(), field) {
        (Some(authority), Some(field)) if canonical(authority.as_str()) != canonical(field) => {
            return Err(refuse("address and field Host differ"));
        }
        (Some(authority), _) => authority.as_str(),
        (None, Some(field)) => field,
        (None, None) => return Err(refuse("there is no host")),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if host.is_empty() || !host.bytes().all(good) {
        return Err(refuse("the host is not a name"));
    }
    Ok(canonical(host))
}

/// What HTTP/2 allows and HTTP/1 would read in another way.
fn check_fields(headers: &HeaderMap, version: Version) -> Result<(), Denial> {
    if version != Version::HTTP_2 {
        return Ok(());
    }
    let refuse = |why: &str| Denial::because(Reason::Malformed, why);
    let mut octets = 0;
    for (name, value) in headers {
        octets += name.as_str().len() + value.len() + 4;
        let plain = |b: u8| (b >= b' ' && b != 0x7f) || b == b'\t';
        let value = value.as_bytes();
        if !value.iter().all(|b| plain(*b)) || value.trim_ascii().len() != value.len() {
            return Err(refuse("a field has characters that HTTP/1 has no place for"));
        }
    }
    if headers.contains_key(header::TRANSFER_ENCODING) || headers.contains_key(header::CONNECTION) {
        return Err(refuse("HTTP/2 has no such field"));
    }
    if octets > 32 * 1024 || headers.len() > super::framing::MAX_COUNT {
        return Err(refuse("there are too many fields"));
    }
    Ok(())
}

impl Story<'_> {
    fn refusal(&self, denial: &Denial) -> Response<ResponseBody> {
        let version = self.version.as_ref().and_then(|version| version.to_str().ok());
        if let Some(body) = self.query.as_ref().and_then(|query| refusal::body(query, version, denial.reason)) {
            let mut response = Response::new(ResponseBody::own(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.ms-sync.wbxml"));
            return response;
        }
        denied(denial, self.application.as_ref().map(|a| &a.challenge))
    }

    fn tell(&self, outcome: &Result<Response<ResponseBody>, Denial>) {
        let (status, code) = match outcome {
            Ok(response) => (response.status().as_u16(), "forwarded"),
            Err(denial) => (denial.reason.status(), denial.reason.code()),
        };
        if let Some(application) = &self.application {
            application.count(code);
        }
        if !tracing::enabled!(target: "lanyard_gateway::access", tracing::Level::INFO) {
            return;
        }
        let detail = outcome.as_ref().err().map(|denial| denial.detail.as_str()).unwrap_or_default();
        let account = self.admission.as_ref().and_then(|a| a.account.as_ref());
        let subject = self.admission.as_ref().and_then(|a| a.certificate.as_ref()).map(|c| c.facts.subject.as_str());
        let agent = self.agent.as_ref().map(|v| printable(&String::from_utf8_lossy(v.as_bytes()))).unwrap_or_default();
        tracing::info!(
            target: "lanyard_gateway::access",
            peer = %self.client.address,
            host = self.client.host.as_deref().unwrap_or_default(),
            method = %self.method,
            path = %printable(&self.target),
            status,
            code,
            detail,
            application = self.application.as_ref().map_or("", |a| a.name.as_str()),
            mode = self.application.as_ref().map_or("", |a| a.mode.as_str()),
            user = account.map(|a| printable(&a.name)).unwrap_or_default(),
            mapped = account.map_or("", |a| a.found_by),
            device = account.and_then(|a| a.device.as_deref()).unwrap_or_default(),
            subject = subject.unwrap_or_default(),
            agent,
            command = self.query.as_ref().and_then(|q| q.command.as_deref()).map(printable).unwrap_or_default(),
            device_id = self.query.as_ref().and_then(|q| q.device_id.as_deref()).map(printable).unwrap_or_default(),
            device_type = self.query.as_ref().and_then(|q| q.device_type.as_deref()).map(printable).unwrap_or_default(),
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
    }
}
