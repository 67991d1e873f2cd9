//! What the flows are told.

use std::{sync::Arc, time::Duration};

use lanyard_model::{
    key::KeyKind,
    name::DistinguishedName,
    san::SubjectAltName,
    secret::{SecretBytes, SecretText},
    template::KeyProtection,
    time::Timestamp,
    usage::{ExtendedKeyUsages, KeyUsages},
};

use crate::{error::AgentError, store::Owner, tpm::PinSource};

/// Tells the time. An argument, so that tests and simulations have their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How to talk to a server, the same for enrolment, renewal and resumption.
#[derive(Clone)]
pub struct SessionOptions {
    /// Roots for TLS, PEM; `None` takes those the identity or request was begun with, or else those of the operating system.
    pub tls_roots: Option<Vec<u8>>,
    /// How often a held request is asked for.
    pub retry_count: u32,
    /// How long to wait before asking.
    pub retry_period: Duration,
    /// How long to wait before a message is sent again whose answer was lost; doubled each time.
    pub resend_delay: Duration,
    /// Limit of time of one exchange.
    pub timeout: Duration,
    /// Accept a certificate that lacks names that were asked for.
    pub accept_other_names: bool,
    /// Whom to ask for the PIN of a key in the TPM; `None` when nobody can be asked.
    pub pin: Option<PinSource>,
    /// The time.
    pub clock: Clock,
}

impl SessionOptions {
    /// The same, with these roots for TLS when none are given.
    #[must_use]
    pub(crate) fn or_roots(&self, tls_roots: Option<&Vec<u8>>) -> Self {
        Self { tls_roots: self.tls_roots.as_ref().or(tls_roots).cloned(), ..self.clone() }
    }
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            tls_roots: None,
            retry_count: 10,
            retry_period: Duration::from_secs(60),
            resend_delay: Duration::from_secs(1),
            timeout: crate::http::TIMEOUT,
            accept_other_names: false,
            pin: None,
            clock: Arc::new(system_time),
        }
    }
}

/// What to ask for, and whom.
#[derive(Clone)]
pub struct EnrollOptions {
    /// SCEP URL, such as `http://ca.example.org/scep/devices`.
    pub url: String,
    /// SHA-256 of the CA certificate that is believed.
    pub ca_fingerprint: [u8; 32],
    /// The challenge; `None` when the server asks for none.
    pub challenge: Option<SecretText>,
    /// Subject.
    pub subject: DistinguishedName,
    /// Subject alternative names.
    pub san: Vec<SubjectAltName>,
    /// keyUsage to ask for; empty leaves it to the server.
    pub key_usage: KeyUsages,
    /// extKeyUsage to ask for; empty leaves it to the server.
    pub extended_key_usage: ExtendedKeyUsages,
    /// Kind of the key to make.
    pub key_kind: KeyKind,
    /// How the key is to be protected.
    pub protection: KeyProtection,
    /// A key made before (PKCS#8, DER); `None` makes one.
    pub key: Option<SecretBytes>,
    /// Whose the identity becomes.
    pub owner: Owner,
    /// What it is to be called, beside its subject.
    pub name: Option<String>,
    /// How to talk.
    pub session: SessionOptions,
}

impl EnrollOptions {
    /// Options with an RSA key of 2048 bits made on the device in software, and defaults for the rest.
    #[must_use]
    pub fn new(url: &str, ca_fingerprint: [u8; 32], subject: DistinguishedName) -> Self {
        Self {
            url: url.to_owned(),
            ca_fingerprint,
            challenge: None,
            subject,
            san: Vec::new(),
            key_usage: KeyUsages::new(),
            extended_key_usage: ExtendedKeyUsages::new(),
            key_kind: KeyKind::Rsa(2048),
            protection: KeyProtection::Software,
            key: None,
            owner: Owner::default(),
            name: None,
            session: SessionOptions::default(),
        }
    }
}

/// Reads a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons.
///
/// # Errors
/// [`AgentError::Fingerprint`].
pub fn fingerprint(text: &str) -> Result<[u8; 32], AgentError> {
    let refuse = || AgentError::Fingerprint(lanyard_model::text::printable(&text.chars().take(200).collect::<String>()));
    let octets = lanyard_model::text::unhex(text.trim()).ok_or_else(refuse)?;
    octets.try_into().map_err(|_| refuse())
}

/// Upper-case hexadecimal with colons, as certificates are compared by people.
#[must_use]
pub fn fingerprint_text(octets: &[u8]) -> String {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02X}")).collect();
    pairs.join(":")
}

pub(crate) fn system_time() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_with_and_without_colons() {
        let octets: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 7).unwrap());
        let colons = fingerprint_text(&octets);
        assert_eq!(fingerprint(&colons).unwrap(), octets);
        assert_eq!(fingerprint(&colons.replace(':', "").to_lowercase()).unwrap(), octets);
        for bad in ["", "00", &colons[3..], &format!("{colons}:00"), &colons.replace('0', "g")] {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
    }
}
