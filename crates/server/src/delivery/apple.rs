//! Configuration profiles for Apple's devices. Payload types and keys are spelled as in Apple's published schema.

use lanyard_pki::{certificate::Certificate, crypto::digest::sha256};

use super::{plist::Value, signature::signed};
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
