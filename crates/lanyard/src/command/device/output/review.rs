//! What is in a file, and what became of it.

use lanyard_agent::{
    install::{Chain, Installed, PlannedCertificate, PlannedIdentity, Review},
    model::{text::printable, usage::KeyUsage},
    pki::{certificate::Certificate, extension, oids},
    store::{DeviceStore, Room},
};
use serde_json::{Value, json};

use super::{Facts, add, certificate_json, files_json, line, note, print_json, print_table, rows};

/// Lower-case hexadecimal.
pub(in super::super) fn hex(octets: &[u8]) -> String {
    lanyard_agent::model::text::hex(octets)
}

/// What a certificate may be used for, in plain words.
fn purposes(certificate: &Certificate) -> String {
    let extensions = certificate.extensions().unwrap_or_default();
    let value = |oid| extension::find(&extensions, oid).map(|one| one.value.clone());
    let extended = value(oids::EXTENDED_KEY_USAGE).and_then(|value| extension::decode_extended_key_usage(&value).ok());
    if certificate.is_ca() {
        let limited = extended.map(|usages| format!(", for {}", join(usages.iter().map(|one| meaning(&one.0.to_string())))));
        return format!("an authority: vouches for certificates of others{}", limited.unwrap_or_default());
    }
    let usages = value(oids::KEY_USAGE).and_then(|value| extension::decode_key_usage(&value).ok());
    let words = usages.map(|usages| join(usages.iter().map(|one: &KeyUsage| format!("{one:?}"))));
    match (extended, words) {
        (Some(extended), _) => join(extended.iter().map(|one| meaning(&one.0.to_string()))),
        (None, Some(words)) => format!("any purpose ({words})"),
        (None, None) => "any purpose".to_owned(),
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Purposes that people meet (RFC 5280, section 4.2.1.12, and Microsoft's); others by their number.
fn meaning(oid: &str) -> String {
    let known = match oid {
        "1.3.6.1.5.5.7.3.1" => "servers on the network",
        "1.3.6.1.5.5.7.3.2" => "signing in to networks and servers",
        "1.3.6.1.5.5.7.3.3" => "signing programs",
        "1.3.6.1.5.5.7.3.4" => "mail",
        "1.3.6.1.5.5.7.3.8" => "time stamps",
        "1.3.6.1.5.5.7.3.9" => "OCSP answers",
        "1.3.6.1.4.1.311.20.2.2" => "smart card logon",
        "1.3.6.1.5.5.7.3.17" => "IPsec",
        "2.5.29.37.0" => "any purpose",
        other => return other.to_owned(),
    };
    known.to_owned()
}

/// Where it would go and what that means.
fn place(planned: &PlannedCertificate) -> &'static str {
    match planned.room {
        Room::Root => "trusted roots: this device would believe everything that it vouches for",
        Room::Ca => "intermediate authorities: completes chains, is not trusted by itself",
        Room::People => "trusted people: to encrypt to, and to recognise",
    }
}

fn certificate_rows(certificate: &Certificate, chain: &Chain) {
    let facts = Facts::of(certificate);
    rows(&[
        ("for", facts.subject),
        ("names", facts.san.join(", ")),
        ("issued by", facts.issuer),
        ("purpose", purposes(certificate)),
        ("valid", format!("{} to {}", facts.not_before, facts.not_after)),
        ("SHA-256", facts.fingerprint),
        ("chain", chain.sentence().to_owned()),
    ]);
}

/// For people, before they are asked.
pub(in super::super) fn review(review: &Review) {
    for PlannedIdentity { certificate, chain, name, known, key, .. } in &review.identities {
        let name = name.as_deref().map(|name| format!(" \"{}\"", printable(name))).unwrap_or_default();
        line(&format!("Identity{name}: a certificate with its private key ({})", key.public_key().kind));
        certificate_rows(certificate, chain);
        if let Some(known) = known {
            line(&format!("{:<12} in the store already, as {known}", "note"));
        }
        line("");
    }
    for planned in &review.certificates {
        line("Certificate without a key");
        certificate_rows(&planned.certificate, &planned.chain);
        rows(&[("goes to", place(planned).to_owned())]);
        if planned.known {
            line(&format!("{:<12} there already", "note"));
        }
        line("");
    }
    if review.lonely_keys > 0 {
        note(&format!("note: {} private keys in the file have no certificate there; they are not installed", review.lonely_keys));
    }
}

fn chain_word(chain: &Chain) -> &'static str {
    match chain {
        Chain::Trusted => "trusted",
        Chain::RootComesAlong => "root-comes-along",
        Chain::IsRoot => "is-root",
        Chain::Incomplete => "incomplete",
        Chain::NotValidNow => "not-valid-now",
    }
}

/// For programs.
pub(in super::super) fn review_json(review: &Review) -> Value {
    let described = |certificate: &Certificate, chain: &Chain| {
        let mut value = certificate_json(certificate);
        add(&mut value, "purpose", json!(purposes(certificate)));
        add(&mut value, "chain", json!(chain_word(chain)));
        value
    };
    let identities: Vec<Value> = review
        .identities
        .iter()
        .map(|one| {
            let mut value = described(&one.certificate, &one.chain);
            add(&mut value, "name", json!(one.name));
            add(&mut value, "key", json!(one.key.public_key().kind));
            add(&mut value, "known", json!(one.known));
            value
        })
        .collect();
    let certificates: Vec<Value> = review
        .certificates
        .iter()
        .map(|one| {
            let mut value = described(&one.certificate, &one.chain);
            add(&mut value, "room", json!(one.room));
            add(&mut value, "known", json!(one.known));
            value
        })
        .collect();
    json!({
        "format": review.format.to_string(),
        "identities": identities,
        "certificates": certificates,
        "keys_without_certificate": review.lonely_keys,
    })
}

/// What was put into the store.
pub(in super::super) fn installed(store: &DeviceStore, review: &Review, installed: &Installed, as_json: bool) {
    if as_json {
        let identities: Vec<Value> =
            installed.identities.iter().map(|id| json!({ "id": id, "files": files_json(store, id) })).collect();
        let certificates: Vec<Value> = installed.certificates.iter().map(|(room, one)| {
            json!({ "room": room, "fingerprint": hex(&one.fingerprint()), "file": store.certificate_file(*room, one) })
        }).collect();
        return print_json(&json!({
            "outcome": "installed",
            "review": review_json(review),
            "identities": identities,
            "certificates": certificates,
            "roots_not_trusted": installed.refused_roots,
        }));
    }
    for id in &installed.identities {
        line(&format!("installed {id}  {}", store.identity_folder(id).display()));
    }
    for (room, one) in &installed.certificates {
        line(&format!("installed {}  as {room}", Facts::of(one).subject));
    }
    if installed.identities.is_empty() && installed.certificates.is_empty() {
        line("nothing new was installed");
    }
    if installed.refused_roots > 0 {
        note(&format!("note: {} roots were not made trusted; --trust-roots agrees to them", installed.refused_roots));
    }
}

/// Certificates without a key.
pub(in super::super) fn trusted(found: &[(Room, Certificate)], as_json: bool) {
    if as_json {
        let all: Vec<Value> = found
            .iter()
            .map(|(room, one)| {
                let mut value = certificate_json(one);
                add(&mut value, "room", json!(room));
                value
            })
            .collect();
        return print_json(&json!({ "certificates": all }));
    }
    if found.is_empty() {
        return note("no certificate is trusted or kept without a key");
    }
    let mut table = vec![["PLACE", "SUBJECT", "VALID UNTIL", "SHA-256"].map(str::to_owned)];
    for (room, one) in found {
        let facts = Facts::of(one);
        table.push([room.to_string(), facts.subject, facts.not_after, facts.fingerprint]);
    }
    print_table(&table);
}
