//! The HTTP module: a service of the organisation's own decides, and is told the outcome.
//!
//! `docs/guides/policy-modules.md` describes the other side, with an example.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use lanyard_model::{
    module::{HttpEvent, HttpModule},
    secret::SecretText,
    text::{hex, printable},
    time::Timestamp,
};
use lanyard_pki::{
    crypto::digest::{hmac_sha256, sha256},
    pem,
};
use serde_json::{Map, Value, json};

use crate::{
    contract::{Inquiry, PolicyModule, Report, Wanted},
    error::ModuleError,
    outbound::{Answer, Call, Outbound, Target},
};

/// Carries time and signature: `t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<t>.<body>" in hexadecimal>`.
pub const SIGNATURE: &str = "lanyard-signature";
/// Most characters of the service's reason that are kept.
const MAX_REASON: usize = 300;

/// Asks one service.
pub struct Webhook {
    target: Target,
    outbound: Outbound,
    secret: SecretText,
    events: Vec<HttpEvent>,
    send_csr: bool,
}

/// The answers there are.
enum Decision {
    Allow,
    Deny(String),
}

/// Reads an answer that is exactly one of the two; anything else, or anything more, is none.
fn decision(body: &[u8]) -> Option<Decision> {
    let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    match (members.get("decision")?.as_str()?, members.get("reason"), members.len()) {
        ("allow", None, 1) => Some(Decision::Allow),
        ("deny", Some(Value::String(reason)), 2) => Some(Decision::Deny(reason.clone())),
        _ => None,
    }
}

impl Webhook {
    /// Sets the module up from its table, its secret and the contents of its `ca-file`.
    ///
    /// # Errors
    /// [`ModuleError::Config`].
    pub fn new(config: &HttpModule, secret: SecretText, ca_certificates: Option<&str>) -> Result<Self, ModuleError> {
        let fault = |key, problem, fix| ModuleError::Config { module: "http", key, problem, fix };
        let target = Target::parse(&config.url).map_err(|p| fault("url", p, "write https://host/path"))?;
        let timeout = Duration::from_secs(u64::try_from(config.timeout.secs()).unwrap_or(5));
        let outbound = Outbound::new(ca_certificates, config.allow_addresses.clone(), timeout)
            .map_err(|p| fault("ca-file", p, "name a file with the certificates under which the service stands"))?;
        outbound.permits(&target).map_err(|p| fault("url", p.to_owned(), "add what is missing to the module's table"))?;
        Ok(Self { target, outbound, secret, events: config.events.clone(), send_csr: config.send_csr })
    }

    /// The body tells when something happened; the signature when it is told.
    async fn post(
        &self,
        event: &'static str,
        (at, now): (Timestamp, Timestamp),
        content: Map<String, Value>,
    ) -> Result<Answer, ModuleError> {
        let mut body = Map::new();
        body.insert("event".into(), event.into());
        body.insert("time".into(), at.to_string().into());
        body.extend(content);
        let body = Value::Object(body).to_string().into_bytes();
        let seconds = now.secs().to_string();
        let mac = hmac_sha256(self.secret.expose().as_bytes(), &[seconds.as_bytes(), b".", &body]);
        let fields = [("content-type", "application/json".to_owned()), (SIGNATURE, format!("t={seconds},v1={}", hex(&mac)))];
        self.outbound.call(Call { method: Method::POST, target: &self.target, fields: &fields, body }).await
    }

    async fn ask(&self, event: &'static str, at: Timestamp, content: Map<String, Value>) -> Result<(), ModuleError> {
        let answer = self.post(event, (at, at), content).await?;
        let odd = |problem: String| ModuleError::Answer { host: printable(self.target.host()), problem };
        if answer.status != 200 {
            return Err(odd(format!("its status is {}", answer.status)));
        }
        match decision(&answer.body) {
            Some(Decision::Allow) => Ok(()),
            Some(Decision::Deny(reason)) => {
                let reason: String = reason.chars().take(MAX_REASON).collect();
                Err(ModuleError::Denied { said: printable(&reason) })
            }
            None => Err(odd("it is neither {\"decision\":\"allow\"} nor {\"decision\":\"deny\",\"reason\":…}".to_owned())),
        }
    }

    fn wants(&self, event: HttpEvent) -> bool {
        self.events.contains(&event)
    }
}

/// A JSON object from `json!({…})`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[async_trait]
impl PolicyModule for Webhook {
    fn kind(&self) -> &'static str {
        "http"
    }

    async fn generate(&self, wanted: &Wanted) -> Result<(), ModuleError> {
        if !self.wants(HttpEvent::Generate) {
            return Ok(());
        }
        let content = object(json!({
            "profile": wanted.profile.as_str(),
            "template": wanted.template.as_str(),
            "subject": wanted.subject.to_string(),
            "san": texts(&wanted.san),
            "user": wanted.user.as_ref().map(|u| u.as_str()),
            "device": wanted.device.as_ref().map(|d| d.as_str()),
            "by": wanted.by,
        }));
        self.ask("generate", wanted.at, content).await
    }

    async fn verify(&self, inquiry: &Inquiry) -> Result<(), ModuleError> {
        if !self.wants(HttpEvent::Verify) {
            return Ok(());
        }
        let mut content = object(json!({
            "request": inquiry.id.to_string(),
            "protocol": inquiry.protocol.to_string(),
            "profile": inquiry.profile.as_str(),
            "transaction": inquiry.transaction,
            "renewal": inquiry.renewal,
            "template": inquiry.template.as_ref().map(|t| t.as_str()),
            "subject": inquiry.subject.to_string(),
            "san": texts(&inquiry.san),
            "key": inquiry.key.kind.to_string(),
            "public-key": STANDARD.encode(&inquiry.key.spki),
            "user": inquiry.user.as_ref().map(|u| u.as_str()),
            "device": inquiry.device.as_ref().map(|d| d.as_str()),
            "approved-by": inquiry.approved_by,
            "peer": inquiry.peer,
        }));
        if self.send_csr && !inquiry.csr.is_empty() {
            content.insert("csr".into(), STANDARD.encode(&inquiry.csr).into());
        }
        self.ask("verify", inquiry.at, content).await
    }

    fn wants_reports(&self) -> bool {
        self.wants(HttpEvent::Notify)
    }

    async fn notify(&self, report: &Report, now: Timestamp) -> Result<(), ModuleError> {
        if !self.wants(HttpEvent::Notify) {
            return Ok(());
        }
        let certificate = report.certificate.as_ref().map(|c| {
            json!({
                "serial": c.serial.to_string(),
                "issuer": c.issuer,
                "not-after": c.not_after.to_string(),
                "sha256": hex(&sha256(&c.der)),
                "pem": pem::encode(pem::CERTIFICATE, &c.der),
            })
        });
        let content = object(json!({
            "request": report.id.to_string(),
            "protocol": report.protocol.to_string(),
            "profile": report.profile.as_str(),
            "transaction": report.transaction,
            "outcome": report.disposition.as_str(),
            "reason": report.reason,
            "template": report.template.as_ref().map(|t| t.as_str()),
            "subject": report.subject.as_ref().map(ToString::to_string),
            "san": texts(&report.san),
            "user": report.user.as_ref().map(|u| u.as_str()),
            "device": report.device.as_ref().map(|d| d.as_str()),
            "certificate": certificate,
        }));
        let answer = self.post("notify", (report.at, now), content).await?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(ModuleError::Answer { host: printable(self.target.host()), problem: format!("its status is {}", answer.status) })
    }
}
