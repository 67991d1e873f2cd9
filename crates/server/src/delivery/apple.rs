//! Configuration profiles for Apple's devices. Payload types and keys are spelled as in Apple's published schema.

use lanyard_model::{name::attribute_type, oid::Oid, san::SanKind, usage::KeyUsage};
use lanyard_pki::{
    certificate::Certificate,
    crypto::digest::{sha1, sha256},
};

use super::{
    outfit::{Account, Identity, Outfit, Wireless},
    plist::Value,
    signature::signed,
};
use crate::{error::ServerError, state::Server};

/// Media type at which devices offer to install.
pub const MEDIA_TYPE: &str = "application/x-apple-aspen-config";

/// A signed profile with these roots.
///
/// # Errors
/// Those of [`signed`].
pub fn roots(server: &Server, roots: &[&Certificate]) -> Result<Vec<u8>, ServerError> {
    let payloads = roots.iter().map(|root| certificate(server, root)).collect();
    let organization = &server.config.organization;
    let head =
        Head { seed: "roots", name: format!("Roots of {organization}"), description: "Trusts the organisation's own authority." };
    signed(server, &profile(server, &head, payloads).document())
}

/// What a profile says of itself.
pub struct Head<'a> {
    /// Tells profiles of this installation apart; one with the same seed replaces the one before.
    pub seed: &'a str,
    /// Shown.
    pub name: String,
    /// Shown.
    pub description: &'a str,
}

/// The outermost dictionary.
pub fn profile(server: &Server, head: &Head<'_>, payloads: Vec<Value>) -> Value {
    let mut entries = payload(server, head.seed, "Configuration", &head.name);
    entries.push(("PayloadDescription", Value::text(head.description)));
    entries.push(("PayloadOrganization", Value::text(&server.config.organization)));
    entries.push(("PayloadRemovalDisallowed", Value::Boolean(false)));
    entries.push(("PayloadContent", Value::Array(payloads)));
    Value::Dictionary(entries)
}

/// What every payload has.
pub fn payload(server: &Server, seed: &str, kind: &str, name: &str) -> Vec<(&'static str, Value)> {
    let id = identifier(server, seed);
    vec![
        ("PayloadType", Value::text(kind)),
        ("PayloadVersion", Value::Integer(1)),
        ("PayloadIdentifier", Value::text(format!("lanyard.{id}"))),
        ("PayloadUUID", Value::text(id)),
        ("PayloadDisplayName", Value::text(name)),
    ]
}

/// A UUID that is the same for the same thing of the same installation, so that a newer profile replaces an older one.
pub fn identifier(server: &Server, seed: &str) -> String {
    let digest = sha256(format!("lanyard-payload-v1:{}:{seed}", server.policy().instance).as_bytes());
    let digits = lanyard_model::text::hex(digest.get(..16).unwrap_or_default()).to_uppercase();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    // Version 8: made by an own rule (RFC 9562, section 5.8).
    format!("{}-{}-8{}-A{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// The seed of a certificate's payload.
pub fn seed_of(certificate: &Certificate) -> String {
    lanyard_model::text::hex(&certificate.fingerprint())
}

/// A certificate: trusted if it is self-issued, or one in between.
pub fn certificate(server: &Server, certificate: &Certificate) -> Value {
    let kind = if certificate.is_self_issued() { "com.apple.security.root" } else { "com.apple.security.pkcs1" };
    let name = certificate.subject().map(|subject| subject.to_string()).unwrap_or_default();
    let seed = seed_of(certificate);
    let mut entries = payload(server, &seed, kind, &name);
    entries.push(("PayloadCertificateFileName", Value::text(format!("{}.cer", seed.get(..8).unwrap_or_default()))));
    entries.push(("PayloadContent", Value::Data(certificate.der().to_vec())));
    Value::Dictionary(entries)
}

/// A signed profile of everything for one device.
///
/// # Errors
/// [`ServerError::Invalid`] for what these devices cannot do; those of [`signed`].
pub fn outfit(server: &Server, outfit: &Outfit) -> Result<Vec<u8>, ServerError> {
    let mut payloads: Vec<Value> = outfit.certificates.iter().map(|one| certificate(server, one)).collect();
    for identity in &outfit.identities {
        payloads.push(scep(server, outfit, identity)?);
    }
    payloads.extend(outfit.wireless.iter().map(|one| wireless(server, outfit, one)));
    payloads.extend(outfit.accounts.iter().map(|one| account(server, outfit, one)));
    let organization = &server.config.organization;
    let seed = format!("policy:{}", outfit.name);
    let head = Head { seed: &seed, name: format!("{organization}: {}", outfit.name), description: &outfit.description };
    signed(server, &profile(server, &head, payloads).document())
}

/// The seed of an identity's payload, to which networks and accounts refer.
fn seed_of_identity(outfit: &Outfit, name: &str) -> String {
    format!("scep:{}:{name}", outfit.name)
}

fn scep(server: &Server, outfit: &Outfit, identity: &Identity) -> Result<Value, ServerError> {
    if !matches!(identity.bits, 2048 | 4096) {
        let problem = format!("scep \"{}\": these devices make keys of 2048 or 4096 bits, not {}", identity.name, identity.bits);
        return Err(ServerError::Invalid(problem));
    }
    let subject = identity.subject.0.iter().map(|attribute| {
        let pair = vec![Value::text(short(attribute.oid)), Value::text(&attribute.value)];
        Value::Array(vec![Value::Array(pair)])
    });
    let usage = |bit: i64, has: bool| if has { bit } else { 0 };
    let usages = &identity.usages.key_usage;
    let encrypts = usages.contains(&KeyUsage::KeyEncipherment) || usages.contains(&KeyUsage::DataEncipherment);
    let mut content = vec![
        ("URL", Value::text(&identity.url)),
        ("Name", Value::text(&identity.name)),
        ("Subject", Value::Array(subject.collect())),
        ("Challenge", Value::text(identity.challenge.expose())),
        ("Keysize", Value::Integer(identity.bits.into())),
        ("Key Type", Value::text("RSA")),
        ("Key Usage", Value::Integer(usage(1, usages.contains(&KeyUsage::DigitalSignature)) | usage(4, encrypts))),
        ("CAFingerprint", Value::Data(sha1(identity.issuer.der()).to_vec())),
        ("Retries", Value::Integer(identity.retries.into())),
        ("RetryDelay", Value::Integer(identity.retry_delay.secs())),
        ("KeyIsExtractable", Value::Boolean(identity.exportable)),
    ];
    let names = alternative_names(identity)?;
    if !names.is_empty() {
        content.push(("SubjectAltName", Value::Dictionary(names)));
    }
    let mut entries = payload(server, &seed_of_identity(outfit, &identity.name), "com.apple.security.scep", &identity.name);
    entries.push(("PayloadContent", Value::Dictionary(content)));
    Ok(Value::Dictionary(entries))
}

fn alternative_names(identity: &Identity) -> Result<Vec<(&'static str, Value)>, ServerError> {
    let mut names: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for name in &identity.san {
        let key = match name.kind() {
            Some(SanKind::Dns) => "dNSName",
            Some(SanKind::Email) => "rfc822Name",
            Some(SanKind::Uri) => "uniformResourceIdentifier",
            Some(SanKind::Upn) => "ntPrincipalName",
            _ => return Err(ServerError::Invalid(format!("scep \"{}\": these devices cannot ask for {name}", identity.name))),
        };
        match names.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(Value::text(name.value())),
            None => names.push((key, vec![Value::text(name.value())])),
        }
    }
    // One is a string, several an array.
    let one_or_more = |mut values: Vec<Value>| match (values.pop(), values.is_empty()) {
        (Some(one), true) => one,
        (last, _) => Value::Array(values.into_iter().chain(last).collect()),
    };
    Ok(names.into_iter().map(|(key, values)| (key, one_or_more(values))).collect())
}

/// The short names that these devices know, numbers for the rest.
fn short(oid: Oid) -> String {
    let known = ["C", "L", "ST", "O", "OU", "CN"].into_iter().find(|name| attribute_type(name).is_some_and(|a| a.oid == oid));
    known.map_or_else(|| oid.to_string(), ToOwned::to_owned)
}

fn wireless(server: &Server, outfit: &Outfit, wireless: &Wireless) -> Value {
    let texts = |texts: &[String]| Value::Array(texts.iter().map(Value::text).collect());
    let anchors: Vec<String> = wireless.roots.iter().map(|root| identifier(server, &seed_of(root))).collect();
    let eap = vec![
        // EAP-TLS.
        ("AcceptEAPTypes", Value::Array(vec![Value::Integer(13)])),
        ("PayloadCertificateAnchorUUID", texts(&anchors)),
        ("TLSTrustedServerNames", texts(&wireless.server_names)),
        ("TLSMinimumVersion", Value::text("1.2")),
    ];
    let mut entries =
        payload(server, &format!("wifi:{}:{}", outfit.name, wireless.ssid), "com.apple.wifi.managed", &wireless.ssid);
    entries.push(("SSID_STR", Value::text(&wireless.ssid)));
    entries.push(("HIDDEN_NETWORK", Value::Boolean(wireless.hidden)));
    entries.push(("AutoJoin", Value::Boolean(wireless.auto_connect)));
    entries.push(("EncryptionType", Value::text(if wireless.wpa3 { "WPA3" } else { "WPA2" })));
    entries.push(("PayloadCertificateUUID", Value::text(identifier(server, &seed_of_identity(outfit, &wireless.identity)))));
    entries.push(("EAPClientConfiguration", Value::Dictionary(eap)));
    Value::Dictionary(entries)
}

fn account(server: &Server, outfit: &Outfit, account: &Account) -> Value {
    let mut entries = payload(server, &format!("mail:{}:{}", outfit.name, account.name), "com.apple.eas.account", &account.name);
    entries.push(("EmailAddress", Value::text(&account.address)));
    entries.push(("Host", Value::text(&account.host)));
    entries.push(("UserName", Value::text(&account.user)));
    entries.push(("SSL", Value::Boolean(true)));
    if let Some(name) = &account.signing {
        entries.push(("SMIMESigningEnabled", Value::Boolean(true)));
        entries.push(("SMIMESigningCertificateUUID", Value::text(identifier(server, &seed_of_identity(outfit, name)))));
    }
    Value::Dictionary(entries)
}
