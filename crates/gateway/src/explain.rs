//! What would become of a request, without sending anything: which rule, which verdicts, which account, and what the back end would be told.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use lanyard_model::secret::SecretText;
use rustls::pki_types::CertificateDer;
use serde::Serialize;

use crate::{
    account::{attempts::Attempts, basic::Credentials},
    activesync::{device, query},
    certificate::verdict::{Presented, Verdict},
    clock::Clock,
    config::{file::Kind, read},
    decide::{
        admit::{Asking, admit},
        denial::{Denial, Reason},
        publish::canonical,
    },
    error::GatewayError,
    proxy::identity,
    run::{Lanyard, lanyard, load, rules},
    state::{follow, live::Live},
};

/// How long the server may take to tell its state.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to explain.
#[derive(Debug)]
pub struct Question<'a> {
    /// Address that a client would ask: `https://mail.example.org/Microsoft-Server-ActiveSync`.
    pub url: &'a str,
    /// Name that it would give; its password is taken for right.
    pub user: Option<&'a str>,
    /// File with the certificate that it would show.
    pub certificate: Option<&'a Path>,
    /// `User-Agent` that it would send.
    pub agent: &'a str,
    /// Where it would come from.
    pub source: IpAddr,
}

/// One step of the explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was looked at.
    pub step: &'static str,
    /// What was found.
    pub finding: String,
}

/// What would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was found on the way.
    pub steps: Vec<Step>,
    /// Status that the client would get; `None` when the request would go on.
    pub status: Option<u16>,
    /// Code of the reason.
    pub code: Option<&'static str>,
    /// The end in one sentence.
    pub outcome: String,
}

/// Explains.
///
/// # Errors
/// [`GatewayError`] when the configuration or a file cannot be used.
pub async fn explain(config: &Path, question: &Question<'_>) -> Result<Explanation, GatewayError> {
    let (settings, folder) = load(config)?;
    let known = lanyard(&settings, &folder)?;
    let rules = rules(&settings, &folder, known.clone())?;
    let mut steps = Vec::new();
    let following = known.as_ref().map(|known| tokio::spawn(hear(known.clone())));
    if let (Some((state, _)), Some(following)) = (&known, following) {
        let heard = tokio::time::timeout(PATIENCE, async {
            while state.age().is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let finding = match heard.await {
            Ok(()) => format!("{} certificates, {} users, {} devices", state.sizes().0, state.sizes().1, state.sizes().2),
            Err(_) => "the server does not tell its state".to_owned(),
        };
        following.abort();
        steps.push(Step { step: "server", finding });
    }
    let presented = match question.certificate {
        None => None,
        Some(path) => {
            let chain: Vec<CertificateDer<'static>> =
                read::certificates(path)?.iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
            Presented::new(&chain)
        }
    };
    let attempts = Attempts::new(&settings.lockout)?;
    let asked = Asked { question, presented: presented.as_ref(), attempts: &attempts, known: known.as_ref() };
    Ok(match walk(&rules, &asked, &mut steps).await {
        Ok(outcome) => Explanation { steps, status: None, code: None, outcome },
        Err(denial) => Explanation {
            steps,
            status: Some(denial.reason.status()),
            code: Some(denial.reason.code()),
            outcome: format!("refused: {denial}"),
        },
    })
}

/// Follows the server until it is stopped.
async fn hear((state, server): Lanyard) {
    follow::follow(server, state, Arc::<Live>::default(), |_| {}).await;
}

struct Asked<'a> {
    question: &'a Question<'a>,
    presented: Option<&'a Presented>,
    attempts: &'a Attempts,
    known: Option<&'a Lanyard>,
}

async fn walk(rules: &crate::run::Rules, asked: &Asked<'_>, steps: &mut Vec<Step>) -> Result<String, Denial> {
    let mut tell = |step: &'static str, finding: String| steps.push(Step { step, finding });
    let question = asked.question;
    let uri: Uri = question.url.parse().map_err(|_| Denial::because(Reason::Malformed, "the address cannot be read"))?;
    let host = canonical(uri.authority().map(http::uri::Authority::as_str).unwrap_or_default());
    let published = rules.published.host(&host).ok_or(Denial::of(Reason::NotPublished))?;
    let application = published.application(uri.path())?;
    tell("application", format!("{}, mode {}", application.name, application.mode.as_str()));
    let asks = if published.wants_certificate {
        "a certificate is asked for at this host"
    } else {
        "no certificate is asked for at this host"
    };
    tell("TLS", asks.to_owned());
    let now = Clock::default().now();
    let shown = asked.presented.filter(|_| published.wants_certificate);
    if let Some(presented) = shown.filter(|_| application.mode.wants_certificate()) {
        for trust in &application.trusts {
            let finding = match presented.judge(std::slice::from_ref(trust), now) {
                Verdict::Good(verified) => format!("good: {}, until {}", verified.facts.subject, verified.not_after),
                Verdict::Bad(denial) => denial.to_string(),
                Verdict::Absent | Verdict::NotVerified => "none".to_owned(),
            };
            tell("certificate", format!("under trust {}: {finding}", trust.name));
        }
    }
    let mut headers = HeaderMap::new();
    if let Some(user) = question.user {
        // Any password will do: it is taken for right.
        let field = Credentials::field(user, &SecretText::new("x".to_owned()));
        headers
            .insert(header::AUTHORIZATION, field.ok_or_else(|| Denial::because(Reason::Malformed, "the user has no good name"))?);
    }
    let asking = Asking {
        presented: shown,
        headers: &headers,
        source: question.source,
        now,
        attempts: asked.attempts,
        state: asked.known.map(|(state, _)| state.as_ref()),
        suppose_password: true,
    };
    let admission = admit(application, &asking).await?;
    if let Some(account) = &admission.account {
        let device = account.device.as_ref().map(|device| format!(", device {device}")).unwrap_or_default();
        tell("account", format!("{} (by {}){device}", account.name, account.found_by));
    }
    if application.kind == Kind::Activesync {
        let query = query::read(uri.query()).map_err(|e| Denial::because(Reason::Malformed, &e.to_string()))?;
        let certificate = admission.certificate.as_ref().map(|verified| verified.fingerprint);
        let asking = device::Asking { query: &query, agent: question.agent, method: &Method::POST, certificate };
        let decision = application.devices.decide(admission.account.as_deref(), &asking);
        let rule = decision.rule.map_or_else(|| "no rule fits".to_owned(), |rule| format!("rule {rule}"));
        tell("device", format!("{:?} ({rule})", decision.action).to_lowercase());
        application.devices.look(admission.account.as_ref(), &asking)?;
    }
    let mut added = HeaderMap::new();
    added.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| Denial::of(Reason::Malformed))?);
    identity::add(&mut added, application, &admission, question.source)?;
    for (name, value) in &added {
        let shown = if value.is_sensitive() { "…" } else { value.to_str().unwrap_or("…") };
        tell("to the back end", format!("{name}: {shown}"));
    }
    let target = application.target(uri.path(), uri.query()).unwrap_or_default();
    let back_ends: Vec<&str> = application.back_ends.list().iter().map(|back_end| back_end.origin.as_str()).collect();
    Ok(format!("would go on to {target} at {}", back_ends.join(" or ")))
}
