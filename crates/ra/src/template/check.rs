//! The rules a template must keep, whoever wrote it.

use lanyard_model::{
    enroll::Protocol,
    key::KeyKind,
    template::{Archival, Template},
    time::Span,
    usage::{ExtendedKeyUsage, KeyUsage},
};

/// A rule that a file does not keep.
pub struct Fault {
    pub key: &'static str,
    pub problem: String,
    pub fix: &'static str,
}

fn fault<T>(key: &'static str, problem: impl Into<String>, fix: &'static str) -> Result<T, Fault> {
    Err(Fault { key, problem: problem.into(), fix })
}

/// Format, name, revision, protocols.
pub fn identity(file: &str, template: &Template) -> Result<(), Fault> {
    if template.format != 1 {
        return fault("format", format!("{} is not a known format", template.format), "write format = 1");
    }
    if file != format!("{}.toml", template.name) {
        return fault("name", format!("'{}' is not the name of the file", template.name), "name the file <name>.toml");
    }
    if template.revision == 0 {
        return fault("revision", "it is 0", "begin with revision = 1 and raise it with every change");
    }
    if template.protocols.is_empty() {
        return fault("protocols", "nothing may use the template", "list at least one protocol, such as [\"scep\", \"api\"]");
    }
    Ok(())
}

/// Usages: something, nothing of an authority, nothing that makes a certificate into something else (ndes-policy T14).
pub fn usages(template: &Template) -> Result<(), Fault> {
    let usage = &template.usage;
    if usage.key_usage.is_empty() {
        return fault("usage.key-usage", "it is empty", "list at least one usage, such as [\"digitalSignature\"]");
    }
    for forbidden in [KeyUsage::KeyCertSign, KeyUsage::CrlSign] {
        if usage.key_usage.contains(&forbidden) {
            return fault("usage.key-usage", "keyCertSign and cRLSign belong to authorities alone", "remove them");
        }
    }
    let only = [KeyUsage::EncipherOnly, KeyUsage::DecipherOnly];
    if only.iter().any(|u| usage.key_usage.contains(u)) && !usage.key_usage.contains(&KeyUsage::KeyAgreement) {
        return fault("usage.key-usage", "encipherOnly and decipherOnly mean nothing without keyAgreement", "remove them");
    }
    if let Some(refused) = usage.extended_key_usage.iter().find(|e| !e.allowed_in_template()) {
        return fault(
            "usage.extended-key-usage",
            format!("{refused} would turn the certificate into something else than a device's or person's"),
            "remove it",
        );
    }
    Ok(())
}

/// Keys: some, RSA of at least 2048 bits, and able to do what the usages say (RFC 8017; RFC 5480, section 3; RFC 8410, section 5).
pub fn keys(template: &Template) -> Result<(), Fault> {
    let accepted = &template.keys.accepted;
    if accepted.is_empty() {
        return fault("keys.accepted", "it is empty", "list at least one kind of key, such as [\"rsa:2048\", \"ec:p256\"]");
    }
    if accepted.iter().any(|kind| matches!(kind, KeyKind::Rsa(bits) if *bits < 2048)) {
        return fault("keys.accepted", "RSA keys below 2048 bits are not safe", "write rsa:2048 or more");
    }
    let usage = &template.usage.key_usage;
    let encipherment = [KeyUsage::KeyEncipherment, KeyUsage::DataEncipherment].iter().any(|u| usage.contains(u));
    if encipherment && !accepted.iter().all(|kind| kind.is_rsa()) {
        return fault(
            "keys.accepted",
            "the template has keyEncipherment or dataEncipherment, which only RSA keys can do",
            "accept RSA keys only, or make a second template without these usages for the other keys",
        );
    }
    let curve = |kind: &KeyKind| kind.same_family(KeyKind::EcP256);
    if usage.contains(&KeyUsage::KeyAgreement) && !accepted.iter().all(curve) {
        return fault(
            "keys.accepted",
            "the template has keyAgreement, which only EC keys can do",
            "accept ec:p256, ec:p384 or ec:p521 only, or make a second template without keyAgreement for the other keys",
        );
    }
    Ok(())
}

/// Times.
pub fn validity(template: &Template) -> Result<(), Fault> {
    let validity = &template.validity;
    let before = validity.backdate.secs().saturating_add(validity.spread.secs());
    if validity.lifetime.secs() <= before.saturating_add(3600) {
        return fault(
            "validity.lifetime",
            format!("{} leaves less than an hour after the backdating of {}", validity.lifetime, Span::from_secs(before)),
            "make it longer than backdate and spread together by more than 1h",
        );
    }
    if validity.spread > Span::from_days(1) {
        return fault("validity.spread", format!("{} is longer than a day", validity.spread), "make it at most 1d");
    }
    if validity.renewal_window > validity.lifetime {
        return fault(
            "validity.renewal-window",
            format!("{} is longer than the lifetime of {}", validity.renewal_window, validity.lifetime),
            "make it at most the lifetime; a third of it is usual",
        );
    }
    if validity.lifetime > Span::from_days(36_525) {
        return fault("validity.lifetime", "it is longer than a hundred years", "shorten it");
    }
    Ok(())
}

/// Archived keys are for reading old mail and nothing else (revocation.md, section 3.3).
pub fn archival(template: &Template) -> Result<(), Fault> {
    if template.archival == Archival::Never {
        return Ok(());
    }
    if template.protocols.iter().any(|p| *p != Protocol::Pfx) {
        return fault(
            "protocols",
            "archival = \"required\" means that the server makes the key; with the other protocols the device makes it",
            "write protocols = [\"pfx\"]",
        );
    }
    let email = "emailProtection".parse::<ExtendedKeyUsage>().ok();
    let usage = &template.usage;
    if usage.extended_key_usage.len() != 1 || usage.extended_key_usage.first().copied() != email {
        return fault(
            "usage.extended-key-usage",
            "a key that is archived may serve encrypted mail only",
            "write extended-key-usage = [\"emailProtection\"]",
        );
    }
    if !usage.key_usage.iter().all(|u| matches!(u, KeyUsage::KeyEncipherment | KeyUsage::KeyAgreement)) {
        return fault(
            "usage.key-usage",
            "a key that is archived may not sign: others than its owner can get at it",
            "write key-usage = [\"keyEncipherment\"], or [\"keyAgreement\"] for EC keys",
        );
    }
    Ok(())
}
