//! Which identity a program shall use.

use lanyard_model::time::Timestamp;
use lanyard_pki::{certificate::Certificate, extension, oids};
use serde::{Deserialize, Serialize};

use crate::{
    error::AgentError,
    store::{DeviceStore, Identity, LocalId, Room, Status},
};

/// id-kp-clientAuth, id-kp-emailProtection (RFC 5280, section 4.2.1.12), anyExtendedKeyUsage.
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
const EMAIL_PROTECTION: &str = "1.3.6.1.5.5.7.3.4";
const ANY: &str = "2.5.29.37.0";

/// What the identity is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signing in to networks and servers.
    ClientAuth,
    /// Mail.
    Mail,
}

impl Purpose {
    fn fits(self, certificate: &Certificate) -> bool {
        let wanted = match self {
            Self::ClientAuth => CLIENT_AUTH,
            Self::Mail => EMAIL_PROTECTION,
        };
        let Ok(extensions) = certificate.extensions() else { return false };
        let Some(found) = extension::find(&extensions, oids::EXTENDED_KEY_USAGE) else { return true };
        let usages = extension::decode_extended_key_usage(&found.value).unwrap_or_default();
        usages.iter().any(|usage| [wanted, ANY].contains(&usage.0.to_string().as_str()))
    }
}

/// How an identity is selected, now and after each renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// What it must be good for.
    pub purpose: Purpose,
    /// An authority on its way to the root: the beginning of its SHA-256 fingerprint, or its common name.
    pub issuer: Option<String>,
    /// The identity itself; what renews it is used after it.
    pub id: Option<LocalId>,
}

impl Select {
    /// The one identity that fits.
    ///
    /// # Errors
    /// [`AgentError::NoIdentity`], [`AgentError::SeveralIdentities`]; those of the store.
    pub fn find(&self, store: &DeviceStore, now: Timestamp) -> Result<Identity, AgentError> {
        let all = store.identities()?;
        let between = store.certificates_in(Room::Ca)?;
        let roots = store.certificates_in(Room::Root)?;
        let mut fitting: Vec<Identity> = all
            .iter()
            .filter(|one| one.about.status == Status::Current && one.certificate.is_valid_at(now))
            .filter(|one| self.purpose.fits(&one.certificate))
            .filter(|one| self.id.as_ref().is_none_or(|id| descends(one, id, &all)))
            .filter(|one| self.issuer.as_ref().is_none_or(|issuer| comes_from(one, issuer, &between, &roots)))
            .cloned()
            .collect();
        match (fitting.pop(), fitting.is_empty()) {
            (None, _) => Err(AgentError::NoIdentity),
            (Some(one), true) => Ok(one),
            (Some(one), false) => {
                fitting.push(one);
                let ids = fitting.iter().map(|one| format!("{} ({})", one.about.id, one.about.subject)).collect();
                Err(AgentError::SeveralIdentities { ids })
            }
        }
    }
}

/// Whether an identity is this one, or renews it at however many removes.
pub(crate) fn descends(identity: &Identity, id: &LocalId, all: &[Identity]) -> bool {
    let mut one = Some(identity);
    for _ in 0..=all.len() {
        let Some(identity) = one else { return false };
        if identity.about.id == *id {
            return true;
        }
        one = identity.about.predecessor.as_ref().and_then(|before| all.iter().find(|one| one.about.id == *before));
    }
    false
}

fn comes_from(identity: &Identity, wanted: &str, between: &[Certificate], roots: &[Certificate]) -> bool {
    let known: Vec<&Certificate> = identity.chain.iter().chain(between).chain(roots).collect();
    let mut last = &identity.certificate;
    for _ in 0..=known.len() {
        let Some(issuer) = known.iter().find(|one| last.verify_issued_by(one).is_ok()) else { return false };
        if is_called(issuer, wanted) {
            return true;
        }
        if issuer.is_self_issued() {
            return false;
        }
        last = issuer;
    }
    false
}

/// Whether a certificate is meant by the beginning of its fingerprint or by its common name.
pub(super) fn is_called(certificate: &Certificate, wanted: &str) -> bool {
    let digits: String = wanted.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    let is_fingerprint = digits.len() >= 8 && digits.chars().all(|c| c.is_ascii_hexdigit());
    if is_fingerprint && lanyard_model::text::hex(&certificate.fingerprint()).starts_with(&digits) {
        return true;
    }
    common_name(certificate).is_some_and(|name| name == wanted)
}

/// The common name, if there is one.
pub(super) fn common_name(certificate: &Certificate) -> Option<String> {
    let subject = certificate.subject().ok()?.to_string();
    subject.split(',').find_map(|part| part.trim().strip_prefix("CN=")).map(str::to_owned)
}
