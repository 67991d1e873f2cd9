//! The story of a request in plain words: what was asked, what was decided, why, what to do.

use lanyard_enroll::scep::accommodation::Accommodation;
use lanyard_model::{
    request::{RequestRecord, RequestState},
    text::printable,
};
use lanyard_ra::reason::Reason;

use crate::{error::ServerError, state::Server};

/// Tells the story, a sentence or event a line.
///
/// # Errors
/// Storage errors.
pub async fn tell(server: &Server, record: &RequestRecord) -> Result<Vec<String>, ServerError> {
    let mut lines = vec![asked(record), how(record)];
    lines.extend(who(record));
    lines.push(decided(record));
    if let Some((why, remedy)) = record.reason.as_deref().and_then(explain) {
        lines.push(format!("Why: {why}"));
        lines.push(format!("What to do: {remedy}"));
    }
    for event in server.store.audit_of_request(record.id).await? {
        let mut line = format!("{} {} by {}", event.event.at, event.event.kind, event.event.actor);
        for extra in [event.event.reason, event.event.object, event.event.detail].into_iter().flatten() {
            line.push_str(": ");
            line.push_str(&printable(&extra));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn asked(record: &RequestRecord) -> String {
    let what = if record.renewal || record.renews.is_some() { "a renewal" } else { "a certificate" };
    let subject =
        record.subject.as_ref().map_or_else(|| "(a request that could not be read)".into(), |s| printable(&s.to_string()));
    let names: Vec<String> = record.san.iter().map(|s| printable(&s.to_string())).collect();
    let names = if names.is_empty() { "no further names".to_owned() } else { names.join(", ") };
    let key = record.key.as_deref().unwrap_or("unknown");
    format!("At {} a device asked for {what} for {subject} with {names}, key {key}.", record.received_at)
}

fn how(record: &RequestRecord) -> String {
    let context = &record.context;
    let part = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
    let mut parts: Vec<String> = [
        part("message type", &context.message_type),
        part("by", &context.method),
        part("from", &context.peer),
        part("with", &context.user_agent),
        part("signed with", &context.digest_algorithm),
        part("encrypted with", &context.content_encryption),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !record.transaction.is_empty() {
        parts.push(format!("transaction {}", printable(&record.transaction)));
    }
    format!("It came by {} through profile {}: {}.", record.protocol, record.profile, parts.join(", "))
}

/// Which client it was, and what was done for it.
fn who(record: &RequestRecord) -> Option<String> {
    let context = &record.context;
    let clauses: Vec<&str> = context
        .accommodations
        .iter()
        .map(|word| Accommodation::from_word(word).map_or(word.as_str(), |known| known.clause()))
        .collect();
    let client = match (&context.client, &context.recognised_by) {
        (Some(client), Some(by)) => format!("The client was recognised as {client} by {by}"),
        _ if clauses.is_empty() => return None,
        _ => "The client was not recognised".to_owned(),
    };
    Some(if clauses.is_empty() { format!("{client}.") } else { format!("{client}; for it {}.", clauses.join("; ")) })
}

fn decided(record: &RequestRecord) -> String {
    let detail = record.detail.as_deref().map_or_else(|| "no reason is recorded".into(), printable);
    let when = record.decided_at.map(|t| format!(" at {t}")).unwrap_or_default();
    match record.state {
        RequestState::Pending => format!("It is held: {detail}."),
        RequestState::Granted => format!("It was granted{when} ({detail}), but the certificate is not signed yet."),
        RequestState::Issued => {
            let serial = record.certificate.as_ref().map(|(_, s)| s.to_string()).unwrap_or_default();
            format!("It was granted{when} ({detail}): certificate {serial} was issued.")
        }
        RequestState::Denied => format!("It was refused{when}: {detail}."),
        RequestState::Expired => format!("It was held too long{when}: {detail}."),
    }
}

/// Cause and remedy of a code.
#[must_use]
pub fn explain(code: &str) -> Option<(&'static str, &'static str)> {
    if let Some(reason) = Reason::ALL.iter().find(|r| r.code() == code) {
        return Some((reason.sentence(), reason.remedy()));
    }
    Some(match code {
        "ra.approval-needed" => (
            "The template asks for a person's approval.",
            "run 'lanyard request approve ID' (as another person than the one it is for, or who made its challenge) or 'lanyard request deny ID --reason …'; the device polls and collects the outcome",
        ),
        "scep.algorithm" | "scep.legacy-algorithm" => (
            "The message uses an algorithm that the profile does not accept; the device was told badAlg.",
            "update the client, or use a profile with legacy-algorithms = true if it cannot do better (such as the profile 'legacy')",
        ),
        "scep.signature" => (
            "The signature of the message does not hold.",
            "try again; if it happens every time, something on the way alters messages, or the client is broken",
        ),
        "scep.envelope" => (
            "The message could not be decrypted, or what was in it is no sound request.",
            "the client may have encrypted to an old certificate: let it fetch GetCACert again",
        ),
        "scep.signer-key" => (
            "The message is signed by another key than the one to be certified.",
            "a first request must be signed by its own key, a renewal by the certificate that is renewed",
        ),
        "scep.message-type" => (
            "The message type is none that is served.",
            "only PKCSReq, RenewalReq and CertPoll are; GetCert and GetCRL where the profile says get-cert or get-crl",
        ),
        "scep.renewal-signer" => (
            "A RenewalReq must be signed with a certificate of this authority.",
            "enrol with a challenge instead; the old certificate may be from another authority",
        ),
        "scep.attribute" => (
            "A signed attribute is missing or malformed, or a poll belongs to no request of this key.",
            "if the device polls, its request may be older than the record or from another profile: let it enrol anew",
        ),
        "scep.key" => {
            ("The key is too small or of a kind that is not accepted.", "let the device make an RSA key of 2048 bits or more")
        }
        "scep.requester" => (
            "Only a device with a valid certificate of this authority may ask for certificates or CRLs by SCEP.",
            "let it enrol first, or fetch /ca and /crl by HTTP, which anybody may",
        ),
        "scep.no-certificate" => (
            "A certificate or CRL was asked for that is not on record.",
            "check issuer and serial number; certificates are found by 'lanyard cert list'",
        ),
        "scep.signing-time" => {
            ("The device's clock is too far from ours.", "set the device's clock, or widen signing-time-window")
        }
        "scep.structure" | "scep.too-large" => (
            "What came is not a SCEP message that can be read.",
            "check that the client speaks SCEP to this address and nothing on the way cuts messages off",
        ),
        _ => return None,
    })
}
