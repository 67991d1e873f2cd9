//! Trying rules before they are in force: stored requests are decided again under changed templates and profiles, and nothing is done.
//!
//! Each request is judged twice, by the rules in force and by the changed ones, with the facts of today and the time at which it came. Only
//! what differs is told: a device that was blocked since would be refused either way, and says nothing about the change.

use lanyard_enroll::scep::{accommodation::Accommodation, error::ScepError};
use lanyard_model::{
    challenge::ChallengeId,
    enroll::{EnrollRequest, Protocol, RequestSigner, RequestedContent},
    key::PublicKey,
    request::{RequestRecord, RequestState},
    template::Approval,
    text::unhex,
    time::Timestamp,
};
use lanyard_pki::{crypto::digest::sha256, signature::Digest};
use lanyard_ra::{
    decide::{Approved, Decision, Facts, decide},
    policy::Policy,
    reason::Reason,
};
use lanyard_store::ports::RequestFilter;

use super::enroll::with_subjects;
use crate::{error::ServerError, state::Server};

/// Most requests that one replay looks at.
pub const MOST: usize = 100_000;
const PAGE: u32 = 500;

/// What a replay found.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests that were judged.
    pub examined: usize,
    /// Requests that could not be: refused ones, an administrator's, and those from before the facts were kept.
    pub skipped: usize,
    /// Requests that neither the rules in force nor the changed ones would grant today.
    pub refused_either_way: usize,
    /// Whether there were more than [`MOST`].
    pub truncated: bool,
    /// Requests that the changed rules would refuse, and why.
    pub refused: Vec<(RequestRecord, Refused)>,
    /// Requests that the changed rules would hold for a person.
    pub held: Vec<RequestRecord>,
}

/// Why a request would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Stable code.
    pub code: String,
    /// In one sentence.
    pub detail: String,
}

enum Verdict {
    Granted,
    Held,
    Refused(Refused),
}

/// Decides the stored requests since `since` again.
///
/// # Errors
/// Storage errors.
pub async fn replay(server: &Server, since: Timestamp, changed: &Policy) -> Result<Report, ServerError> {
    let mut report = Report::default();
    let in_force = server.policy();
    let mut filter = RequestFilter { limit: PAGE, ..RequestFilter::default() };
    loop {
        let page = server.store.list_requests(filter.clone()).await?;
        let Some(last) = page.last().map(|record| record.id) else { return Ok(report) };
        for record in page {
            if record.received_at < since {
                return Ok(report);
            }
            if report.examined + report.skipped >= MOST {
                report.truncated = true;
                return Ok(report);
            }
            one(server, &in_force, changed, record, &mut report).await?;
        }
        filter.before = Some(last);
    }
}

async fn one(
    server: &Server,
    in_force: &Policy,
    changed: &Policy,
    record: RequestRecord,
    report: &mut Report,
) -> Result<(), ServerError> {
    let Some((request, facts)) = restore(server, &record).await? else {
        report.skipped += 1;
        return Ok(());
    };
    report.examined += 1;
    let judge = |policy: &Policy| judge(server, policy, &record, &request, &facts);
    match (judge(in_force), judge(changed)) {
        (Verdict::Refused(_), Verdict::Refused(_)) => report.refused_either_way += 1,
        (_, Verdict::Refused(refused)) => report.refused.push((record, refused)),
        (Verdict::Granted, Verdict::Held) => report.held.push(record),
        _ => {}
    }
    Ok(())
}

/// A request as it was when it came, with the record of today; `None` when it was not granted or cannot be restored.
async fn restore(server: &Server, record: &RequestRecord) -> Result<Option<(EnrollRequest, Facts)>, ServerError> {
    let granted = matches!(record.state, RequestState::Pending | RequestState::Granted | RequestState::Issued);
    let Some(mut request) = request_of(record).filter(|_| granted) else { return Ok(None) };
    let mut facts = Facts::default();
    if let Some(renewed) = &record.renews {
        let found = server.store.find_certificates(renewed).await?;
        let Some(mut predecessor) = found.into_iter().next() else { return Ok(None) };
        let Some(digest) = predecessor.der.as_deref().map(sha256) else { return Ok(None) };
        // It may have been revoked or renewed since.
        predecessor.revocation = predecessor.revocation.filter(|revocation| revocation.at <= record.received_at);
        predecessor.successor = None;
        request.signer = RequestSigner::Ours { issuer: predecessor.issuer.clone(), serial: predecessor.serial.clone(), digest };
        facts.signer_certificate = Some(predecessor);
    } else {
        let id = record.challenge.as_deref().and_then(unhex).and_then(|octets| octets.try_into().ok()).map(ChallengeId);
        let Some(id) = id else { return Ok(None) };
        let Some(challenge) = server.store.load_challenge(id).await? else { return Ok(None) };
        let Some(used) = &challenge.used else { return Ok(None) };
        request.content.csr_digest = used.csr_digest;
        facts.challenge = Some(challenge);
        // The text of the challenge is not stored: its record, which this request spent, stands for it.
        let by = record.decided_by.clone().unwrap_or_else(|| "the replay".into());
        facts.approval = Some(Approved { by, others: vec!["the replay's second person".into()] });
    }
    let facts = with_subjects(server, &record.profile, facts).await?;
    Ok(Some((request, facts)))
}

fn request_of(record: &RequestRecord) -> Option<EnrollRequest> {
    if record.protocol != Protocol::Scep {
        return None;
    }
    let asked = record.context.asked.clone()?;
    let content = RequestedContent {
        csr: Vec::new(),
        csr_digest: [0; 32],
        subject: record.subject.clone()?,
        san: record.san.clone(),
        key_usage: asked.key_usage,
        extended_key_usage: asked.extended_key_usage,
        wants_ca: asked.wants_ca,
        other_extensions: asked.other_extensions,
        // No rule looks at the key itself.
        key: PublicKey { spki: Vec::new(), kind: record.key.as_deref()?.parse().ok()?, digest: record.key_digest? },
    };
    Some(EnrollRequest {
        id: record.id,
        protocol: record.protocol,
        profile: record.profile.clone(),
        transaction: record.transaction.clone(),
        message_digest: record.message_digest,
        renewal: record.renewal,
        strong_signature: record.context.digest_algorithm.as_deref() != Some(Digest::Sha1.name()),
        content,
        challenge: None,
        signer: RequestSigner::SelfSigned,
        signer_key_digest: record.signer_key_digest?,
        received_at: record.received_at,
    })
}

fn judge(server: &Server, policy: &Policy, record: &RequestRecord, request: &EnrollRequest, facts: &Facts) -> Verdict {
    let refused = |code: &str, detail: String| Verdict::Refused(Refused { code: code.to_owned(), detail });
    let Some(profile) = policy.profiles.find(&record.profile) else {
        return refused(Reason::ProfileUnknown.code(), Reason::ProfileUnknown.sentence().to_owned());
    };
    let noted = |what: Accommodation| record.context.accommodations.iter().any(|word| word == what.as_str());
    let legacy = [(Accommodation::LegacyDigest, "SHA-1"), (Accommodation::LegacyCipher, "DES or 3DES")];
    if let Some((_, what)) = legacy.into_iter().find(|(what, _)| noted(*what) && !profile.legacy_algorithms) {
        let error = ScepError::Legacy(what);
        return refused(error.code(), error.to_string());
    }
    if let (Some(window), Some(signed)) = (profile.signing_time_window, record.context.signed_at) {
        let (late, early) = (record.received_at.since(signed), signed.since(record.received_at));
        if late > window || early > window {
            let error = ScepError::SigningTime;
            return refused(error.code(), format!("{error}: signed at {signed}, received at {}", record.received_at));
        }
    }
    match decide(request, facts, policy, &server.challenge_keys, record.received_at) {
        Decision::Grant(grant) => {
            let template = grant.template().and_then(|(name, _)| policy.templates.find(name));
            let by_person = template.is_some_and(|template| template.approval != Approval::Automatic);
            let was_held = record.decided_by.is_some() || record.state == RequestState::Pending;
            if by_person && !was_held && record.renews.is_none() { Verdict::Held } else { Verdict::Granted }
        }
        Decision::Pending(_) => Verdict::Held,
        Decision::Repeat(_) => Verdict::Granted,
        Decision::Denied(denied) => refused(denied.reason.code(), denied.detail),
    }
}
