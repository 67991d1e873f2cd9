//! The acts.

use std::time::Duration;

use indicatif::ProgressBar;
use lanyard_agent::{
    error::AgentError,
    http::HttpClient,
    pki::{certificate::Certificate, crl::CertificateList, name},
    scep::{EnrollOptions, EnrollOutcome, SessionOptions, enroll, renew, renew::RenewOptions},
    store::Status,
};
use lanyard_server::{error::chain, flow};

use super::stage::Stage;

/// Devices that act at the same time.
const AT_A_TIME: usize = 4;

/// What happened to whom, and whether it was what should happen.
pub struct Happened {
    /// Whom.
    pub who: String,
    /// In which act.
    pub act: &'static str,
    /// Whether it was right.
    pub held: bool,
    /// What.
    pub what: String,
}

fn device_name(number: u32) -> String {
    format!("laptop-{number}")
}

pub(super) fn subject(name: &str) -> String {
    format!("CN={name},O=Example")
}

pub(super) fn dns(name: &str) -> String {
    format!("dns:{name}.example.org")
}

pub(super) fn verdict(who: String, act: &'static str, outcome: Result<String, String>) -> Happened {
    let (held, what) = match outcome {
        Ok(what) => (true, what),
        Err(what) => (false, what),
    };
    Happened { who, act, held, what }
}

pub(super) fn options(stage: &Stage, subject: &str, san: &str) -> Result<EnrollOptions, String> {
    let subject = name::parse(subject).map_err(|e| e.to_string())?;
    let mut options = EnrollOptions::new(&stage.scep(), stage.fingerprint(), subject);
    options.san = vec![san.parse().map_err(|e| format!("{e}"))?];
    options.session = session();
    Ok(options)
}

fn session() -> SessionOptions {
    SessionOptions { retry_period: Duration::from_millis(200), ..SessionOptions::default() }
}

fn serial(certificate: &Certificate) -> String {
    certificate.serial().map(|s| s.to_string()).unwrap_or_default()
}

pub(super) fn told(error: &AgentError) -> String {
    chain(error)
}

/// Runs a job for each device, a few at a time, and keeps their order.
async fn each<'a, F, Fut>(devices: u32, bar: &'a ProgressBar, message: &'static str, job: F) -> Vec<Happened>
where
    F: Fn(u32) -> Fut + 'a,
    Fut: Future<Output = Happened> + 'a,
{
    use futures_util::StreamExt;
    bar.set_message(message);
    let jobs = futures_util::stream::iter(1..=devices).map(job).buffered(AT_A_TIME);
    jobs.inspect(|_| bar.inc(1)).collect().await
}

/// Act 1: a bound challenge, then SCEP enrolment.
pub async fn enrol_all(stage: &Stage, devices: u32, bar: &ProgressBar) -> Vec<Happened> {
    each(devices, bar, "enrolling", |number| async move {
        let who = device_name(number);
        let outcome = enrol(stage, &who).await;
        verdict(who, "enrolment", outcome)
    })
    .await
}

async fn enrol(stage: &Stage, who: &str) -> Result<String, String> {
    let mut options = options(stage, &subject(who), &dns(who))?;
    options.challenge = Some(stage.challenge(&subject(who), &dns(who)).await?);
    let store = stage.device(who)?;
    match enroll(Some(&store), options, &mut |_| {}).await {
        Ok(EnrollOutcome::Issued(issued)) => Ok(format!("certificate {}", serial(&issued.certificate))),
        Ok(EnrollOutcome::Refused(refusal)) => Err(format!("refused: {}", refusal.meaning())),
        Ok(EnrollOutcome::StillPending { .. }) => Err("held, though nobody need approve it".into()),
        Err(error) => Err(told(&error)),
    }
}

/// Act 2: a challenge that was used is presented again with another key.
pub async fn replayed_challenge(stage: &Stage) -> Happened {
    let outcome = async {
        let who = "thief";
        let challenge = stage.challenge(&subject(who), &dns(who)).await?;
        let mut first = options(stage, &subject(who), &dns(who))?;
        first.challenge = Some(challenge);
        let second = first.clone();
        match enroll(None, first, &mut |_| {}).await {
            Ok(EnrollOutcome::Issued(_)) => {}
            _ => return Err("the first use of the challenge was not accepted".to_owned()),
        }
        expect_refusal(stage, second, "ra.challenge-other-key").await
    };
    verdict("thief".into(), "replayed challenge", outcome.await)
}

/// Act 3: the CSR asks for another name than the challenge binds.
pub async fn another_name(stage: &Stage) -> Happened {
    let outcome = async {
        let mut options = options(stage, &subject("director"), &dns("director"))?;
        options.challenge = Some(stage.challenge(&subject("intern"), &dns("intern")).await?);
        expect_refusal(stage, options, "ra.subject-mismatch").await
    };
    verdict("intern".into(), "another name", outcome.await)
}

/// Asks, and checks that the server refuses for exactly this reason, which only its record tells.
async fn expect_refusal(stage: &Stage, options: EnrollOptions, reason: &str) -> Result<String, String> {
    let refusal = match enroll(None, options, &mut |_| {}).await {
        Ok(EnrollOutcome::Refused(refusal)) => refusal,
        Ok(_) => return Err("it was NOT refused".into()),
        Err(error) => return Err(told(&error)),
    };
    let id = refusal.request_id.as_deref().and_then(|id| id.parse().ok()).ok_or("the server named no request")?;
    let record = stage.server().store.load_request(id).await.map_err(|e| chain(&e))?;
    match record.and_then(|r| r.reason) {
        Some(found) if found == reason => Ok(format!("refused, {} on the wire; on record: {found}", refusal.fail_info)),
        found => Err(format!("refused for another reason: {found:?} in place of {reason}")),
    }
}

/// Act 4: renewal with a new key, vouched for by the old certificate.
pub async fn renew_all(stage: &Stage, devices: u32, bar: &ProgressBar) -> Vec<Happened> {
    each(devices, bar, "renewing", |number| async move {
        let who = device_name(number);
        let outcome = renew_one(stage, &who).await;
        verdict(who, "renewal", outcome)
    })
    .await
}

async fn renew_one(stage: &Stage, who: &str) -> Result<String, String> {
    let store = stage.device(who)?;
    let current = store.identities().map_err(|e| told(&e))?;
    let current = current.into_iter().find(|i| i.about.status == Status::Current).ok_or("it has no certificate")?;
    let options = RenewOptions { session: session(), ..RenewOptions::default() };
    match renew(&store, &current.about.id, &options, &mut |_| {}).await {
        Ok(EnrollOutcome::Issued(issued)) => {
            if issued.certificate.spki_der() == current.certificate.spki_der() {
                return Err("the new certificate has the old key".into());
            }
            Ok(format!("certificate {} with a new key", serial(&issued.certificate)))
        }
        Ok(EnrollOutcome::Refused(refusal)) => Err(format!("refused: {}", refusal.meaning())),
        Ok(EnrollOutcome::StillPending { .. }) => Err("held".into()),
        Err(error) => Err(told(&error)),
    }
}

/// Act 5: a lost device's certificate is revoked, and the published CRL says so.
pub async fn revocation(stage: &Stage) -> Happened {
    let who = device_name(1);
    let outcome = revoke(stage, &who).await;
    verdict(who, "revocation", outcome)
}

async fn revoke(stage: &Stage, who: &str) -> Result<String, String> {
    let identities = stage.device(who)?.identities().map_err(|e| told(&e))?;
    let current = identities.into_iter().find(|i| i.about.status == Status::Current).ok_or("it has no certificate")?;
    let serial = current.certificate.serial().ok_or("it has no serial number")?;
    let before = crl(stage).await?;
    if before.find(&serial).is_some() {
        return Err("the CRL listed it before".into());
    }
    let reason = "keyCompromise".parse().map_err(|e| format!("{e}"))?;
    flow::revoke::revoke(stage.server(), &serial, reason, "admin:demo").await.map_err(|e| chain(&e))?;
    let after = crl(stage).await?;
    let entry = after.find(&serial).ok_or("the CRL does not list it")?;
    if after.number <= before.number {
        return Err("the CRL number did not grow".into());
    }
    Ok(format!("{serial} is on the CRL, reason {}, {} entries", entry.revocation.reason, after.entries.len()))
}

async fn crl(stage: &Stage) -> Result<CertificateList, String> {
    let ring = stage.server().keyring.get();
    let name = "issuing".parse().map_err(|e| format!("{e}"))?;
    let authority = ring.authority(&name).map_err(|e| chain(&e))?;
    let url = format!("http://{}/crl/issuing.crl", stage.http()).parse().map_err(|e| format!("{e}"))?;
    let client = HttpClient::for_uri(&url, None).map_err(|e| told(&e))?;
    let answer = client.get("CRL", &url).await.map_err(|e| told(&e))?;
    let list = CertificateList::decode(&answer.body).map_err(|e| chain(&e))?;
    let key = authority.certificate().public_key().map_err(|e| chain(&e))?;
    list.verify_signed_by(&key).map_err(|e| chain(&e))?;
    Ok(list)
}
