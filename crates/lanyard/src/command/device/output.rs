//! What `lanyard device …` prints: tables and sentences for people, JSON for programs. Errors and progress go to stderr.

mod review;

use std::io::{self, Write};

use lanyard_agent::{
    error::AgentError,
    model::{name::DistinguishedName, text::printable, time::Timestamp},
    pki::{certificate::Certificate, error::PkiError},
    scep::{
        EnrollOutcome,
        options::fingerprint_text,
        outcome::{Issued, Refusal},
    },
    store::{DeviceStore, Identity, LocalId, PendingAbout},
};
pub(super) use review::{hex, installed, review, review_json, trusted};
use serde_json::{Value, json};

use super::protection::word;

/// A line on stderr.
pub(super) fn note(text: &str) {
    // A closed stderr is nobody's loss.
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

pub(super) fn line(text: &str) {
    // A reader that left, such as `head`, is no error.
    let _ = writeln!(io::stdout(), "{text}");
}

pub(super) fn print_json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Cause and remedy.
pub(super) fn error(error: &AgentError, as_json: bool) {
    note(&format!("error: {error} [{}]", error.code()));
    note(&format!("fix: {}", error.fix()));
    if as_json {
        print_json(&json!({ "outcome": "error", "code": error.code(), "message": error.to_string(), "fix": error.fix() }));
    }
}

/// How an enrolment, renewal or resumption ended.
pub(super) fn outcome(store: &DeviceStore, outcome: &EnrollOutcome, as_json: bool) {
    match outcome {
        EnrollOutcome::Issued(issued) => print_issued(store, issued, as_json),
        EnrollOutcome::Refused(refusal) => print_refusal(refusal, as_json),
        EnrollOutcome::StillPending { transaction, id, request_id } => {
            let name = request_id.as_ref().map_or_else(|| format!("transaction {transaction}"), |r| format!("request {r}"));
            note(&format!("the server still holds {name} for a decision"));
            note(&match request_id {
                Some(request) => {
                    format!(
                        "fix: ask the administrator to run 'lanyard request approve {request}', then run 'lanyard device resume {id}'"
                    )
                }
                None => format!("fix: ask the administrator to approve it, then run 'lanyard device resume {id}'"),
            });
            if as_json {
                print_json(&json!({ "outcome": "pending", "id": id, "transaction": transaction, "request_id": request_id }));
            }
        }
    }
}

fn print_issued(store: &DeviceStore, issued: &Issued, as_json: bool) {
    if !issued.differences.is_empty() {
        note(&format!("note: the certificate came {}", issued.differences.join(", ")));
    }
    if as_json {
        let mut value = certificate_json(&issued.certificate);
        add(&mut value, "outcome", json!("issued"));
        add(&mut value, "id", json!(issued.id));
        add(&mut value, "transaction", json!(issued.transaction));
        add(&mut value, "request_id", json!(issued.request_id));
        add(&mut value, "differences", json!(issued.differences));
        add(&mut value, "files", files_json(store, &issued.id));
        return print_json(&value);
    }
    let facts = Facts::of(&issued.certificate);
    line(&format!("obtained {}", issued.id));
    rows(&[
        ("subject", facts.subject),
        ("names", facts.san.join(", ")),
        ("serial", facts.serial),
        ("valid until", facts.not_after),
        ("files", store.identity_folder(&issued.id).display().to_string()),
    ]);
}

fn print_refusal(refusal: &Refusal, as_json: bool) {
    let extra = [&refusal.text, &refusal.hresult].into_iter().flatten().cloned().collect::<Vec<_>>().join("; ");
    let extra = if extra.is_empty() { extra } else { format!(" ({extra})") };
    let number = refusal.fail_info.as_str();
    note(&format!(
        "error: the server refused the request: {}; failInfo {number} {}{extra}",
        refusal.meaning(),
        refusal.fail_info
    ));
    if let Some(id) = &refusal.request_id {
        note(&format!("request: {id}"));
    }
    note(&format!("fix: {}", refusal.fix()));
    if as_json {
        print_json(&json!({
            "outcome": "refused",
            "fail_info": refusal.fail_info.to_string(),
            "fail_info_number": number,
            "meaning": refusal.meaning(),
            "text": refusal.text,
            "hresult": refusal.hresult,
            "transaction": refusal.transaction,
            "request_id": refusal.request_id,
            "fix": refusal.fix(),
        }));
    }
}

/// What was removed.
pub(super) fn removed(id: &str, as_json: bool) {
    if as_json { print_json(&json!({ "removed": id })) } else { line(&format!("removed {id}")) }
}

/// Identities and requests under way.
pub(super) fn list(identities: &[Identity], pendings: &[PendingAbout], as_json: bool) {
    if as_json {
        let identities: Vec<Value> = identities.iter().map(summary_json).collect();
        let pendings: Vec<Value> = pendings.iter().map(pending_json).collect();
        return print_json(&json!({ "identities": identities, "pending": pendings }));
    }
    if identities.is_empty() && pendings.is_empty() {
        return note("the device store is empty; 'lanyard device enroll --help' tells how to obtain a certificate");
    }
    let mut table = vec![["ID", "STATUS", "KEY", "SUBJECT", "SERIAL", "VALID UNTIL", "PROFILE"].map(str::to_owned)];
    for identity in identities {
        let facts = Facts::of(&identity.certificate);
        let about = &identity.about;
        let profile = printable(&about.profile);
        let key = word(about.place, about.exportable).to_owned();
        table.push([about.id.to_string(), about.status.to_string(), key, facts.subject, facts.serial, facts.not_after, profile]);
    }
    for pending in pendings {
        let (subject, profile) = (printable(&pending.subject.to_string()), printable(pending.profile()));
        let key = word(pending.place, pending.exportable).to_owned();
        table.push([pending.id.to_string(), pending.state.to_string(), key, subject, "-".into(), "-".into(), profile]);
    }
    print_table(&table);
}

/// One identity.
pub(super) fn identity(store: &DeviceStore, identity: &Identity, as_json: bool) {
    let about = &identity.about;
    if as_json {
        let mut value = summary_json(identity);
        let chain: Vec<Value> = identity.chain.iter().map(certificate_json).collect();
        add(&mut value, "chain", json!(chain));
        add(&mut value, "files", files_json(store, &about.id));
        return print_json(&value);
    }
    let facts = Facts::of(&identity.certificate);
    let chain: Vec<String> = identity.chain.iter().map(|c| Facts::of(c).subject).collect();
    let predecessor = about.predecessor.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    rows(&[
        ("id", about.id.to_string()),
        ("status", about.status.to_string()),
        ("subject", facts.subject),
        ("names", facts.san.join(", ")),
        ("issuer", facts.issuer),
        ("serial", facts.serial),
        ("valid from", facts.not_before),
        ("valid until", facts.not_after),
        ("SHA-256", facts.fingerprint),
        ("key", about.key.to_string()),
        ("protection", word(about.place, about.exportable).to_owned()),
        ("chain", chain.join(" < ")),
        ("from", printable(&about.url)),
        ("obtained", about.obtained_at.to_string()),
        ("transaction", about.transaction.clone()),
        ("request", about.request_id.clone().unwrap_or_else(|| "-".into())),
        ("renews", predecessor),
        ("owner", about.owner.to_string()),
        ("name", about.name.as_deref().map(printable).unwrap_or_default()),
        ("exportable", if about.exportable { "yes" } else { "no" }.to_owned()),
        ("files", store.identity_folder(&about.id).display().to_string()),
    ]);
}

/// One request under way.
pub(super) fn pending(store: &DeviceStore, pending: &PendingAbout, as_json: bool) {
    if as_json {
        return print_json(&pending_json(pending));
    }
    let san: Vec<String> = pending.san.iter().map(|name| printable(&name.to_string())).collect();
    rows(&[
        ("id", pending.id.to_string()),
        ("status", pending.state.to_string()),
        ("subject", printable(&pending.subject.to_string())),
        ("names", san.join(", ")),
        ("key", pending.key.to_string()),
        ("protection", word(pending.place, pending.exportable).to_owned()),
        ("to", printable(&pending.url)),
        ("begun", pending.begun_at.to_string()),
        ("transaction", pending.transaction.clone()),
        ("request", pending.request_id.clone().unwrap_or_else(|| "-".into())),
        ("files", store.pending_folder(&pending.id).display().to_string()),
    ]);
}

/// What a certificate says, safe to print.
struct Facts {
    subject: String,
    issuer: String,
    san: Vec<String>,
    serial: String,
    not_before: String,
    not_after: String,
    fingerprint: String,
}

impl Facts {
    fn of(certificate: &Certificate) -> Self {
        let name = |name: Result<DistinguishedName, PkiError>| {
            name.map_or_else(|_| "(unreadable)".to_owned(), |name| printable(&name.to_string()))
        };
        let validity = certificate.validity().ok();
        let time = |at: Option<Timestamp>| at.map_or_else(|| "(unreadable)".to_owned(), |at| at.to_string());
        let san = certificate.subject_alt_names().unwrap_or_default();
        Self {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            san: san.iter().map(|name| printable(&name.to_string())).collect(),
            serial: certificate.serial().map_or_else(|| "(unreadable)".to_owned(), |serial| serial.to_string()),
            not_before: time(validity.map(|v| v.0)),
            not_after: time(validity.map(|v| v.1)),
            fingerprint: fingerprint_text(&certificate.fingerprint()),
        }
    }
}

fn certificate_json(certificate: &Certificate) -> Value {
    let facts = Facts::of(certificate);
    json!({
        "subject": facts.subject,
        "san": facts.san,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "not_before": facts.not_before,
        "not_after": facts.not_after,
        "fingerprint": facts.fingerprint,
    })
}

fn summary_json(identity: &Identity) -> Value {
    let about = &identity.about;
    let mut value = certificate_json(&identity.certificate);
    add(&mut value, "id", json!(about.id));
    add(&mut value, "status", json!(about.status));
    add(&mut value, "key", json!(about.key));
    add(&mut value, "url", json!(about.url));
    add(&mut value, "profile", json!(about.profile));
    add(&mut value, "ca_fingerprint", json!(about.ca_fingerprint));
    add(&mut value, "transaction", json!(about.transaction));
    add(&mut value, "request_id", json!(about.request_id));
    add(&mut value, "obtained_at", json!(about.obtained_at.to_string()));
    add(&mut value, "predecessor", json!(about.predecessor));
    add(&mut value, "exportable", json!(about.exportable));
    add(&mut value, "protection", json!(word(about.place, about.exportable)));
    add(&mut value, "owner", json!(about.owner));
    add(&mut value, "name", json!(about.name));
    value
}

fn pending_json(pending: &PendingAbout) -> Value {
    json!({
        "id": pending.id,
        "status": pending.state,
        "subject": pending.subject.to_string(),
        "san": pending.san,
        "key": pending.key,
        "url": pending.url,
        "ca_fingerprint": pending.ca_fingerprint,
        "transaction": pending.transaction,
        "request_id": pending.request_id,
        "begun_at": pending.begun_at.to_string(),
        "predecessor": pending.predecessor,
        "protection": word(pending.place, pending.exportable),
    })
}

fn files_json(store: &DeviceStore, id: &LocalId) -> Value {
    let folder = store.identity_folder(id);
    let in_tpm = folder.join("key.tpm");
    let key = if in_tpm.exists() { in_tpm } else { folder.join("key.pem") };
    json!({
        "folder": folder,
        "key": key,
        "certificate": folder.join("certificate.pem"),
        "chain": folder.join("chain.pem"),
    })
}

pub(super) fn add(value: &mut Value, key: &str, member: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), member);
    }
}

pub(super) fn rows(rows: &[(&str, String)]) {
    for (name, value) in rows {
        line(&format!("{name:<12} {}", if value.is_empty() { "-" } else { value }));
    }
}

pub(super) fn print_table<const N: usize>(table: &[[String; N]]) {
    let mut widths = [0; N];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in table {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end());
    }
}
