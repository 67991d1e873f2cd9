//! What is in a file, before anything of it is installed.

use std::sync::Arc;

use lanyard_model::{key::PublicKey, secret::SecretText, time::Timestamp};
use lanyard_pki::{
    bundle::{self, Format, Opened},
    certificate::{Certificate, pkix::build_chain},
};

use crate::{
    error::AgentError,
    key::DeviceKey,
    store::{DeviceStore, LocalId, Room},
};

/// Whether a certificate leads to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// To one that this device trusts.
    Trusted,
    /// To one that comes along and is not trusted yet.
    RootComesAlong,
    /// It is a root itself: nobody vouches for it but whoever gave it.
    IsRoot,
    /// No issuer that would vouch for it is known here.
    Incomplete,
    /// It is not valid at the moment.
    NotValidNow,
}

impl Chain {
    /// In plain words.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::Trusted => "verifies, up to a root that this device trusts",
            Self::RootComesAlong => "verifies, but only up to a root in the same file, which this device does not trust yet",
            Self::IsRoot => "is a root: nobody vouches for it but whoever gave it to you; compare its fingerprint",
            Self::Incomplete => "does not verify: its issuer is not known to this device",
            Self::NotValidNow => "does not verify: it is not valid at this moment",
        }
    }
}

/// A key with its certificate.
#[derive(Debug)]
pub struct PlannedIdentity {
    /// The key.
    pub key: Arc<DeviceKey>,
    /// Its certificate.
    pub certificate: Certificate,
    /// Issuers, nearest first, as far as they verify.
    pub issuers: Vec<Certificate>,
    /// What the file calls it.
    pub name: Option<String>,
    /// Whether it leads to a root.
    pub chain: Chain,
    /// The identity in the store with the same certificate.
    pub known: Option<LocalId>,
}

/// A certificate without its key.
#[derive(Debug)]
pub struct PlannedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// Where it belongs.
    pub room: Room,
    /// Whether it leads to a root.
    pub chain: Chain,
    /// Whether it is there already.
    pub known: bool,
}

/// What is in a file, and where it would go.
#[derive(Debug)]
pub struct Review {
    /// Kind of file.
    pub format: Format,
    /// Keys with their certificates.
    pub identities: Vec<PlannedIdentity>,
    /// Other certificates.
    pub certificates: Vec<PlannedCertificate>,
    /// Keys whose certificate is not there: they are not installed.
    pub lonely_keys: usize,
}

impl Review {
    /// Looks into a file; `Ok(None)` when it is locked and the passphrase does not open it.
    ///
    /// # Errors
    /// [`AgentError::File`] when it cannot be read; those of the store.
    pub fn of(
        octets: &[u8],
        passphrase: Option<&SecretText>,
        store: &DeviceStore,
        now: Timestamp,
    ) -> Result<Option<Self>, AgentError> {
        let found = match bundle::open(octets, passphrase).map_err(AgentError::File)? {
            Opened::Locked(_) => return Ok(None),
            Opened::Bundle(found) => found,
        };
        let (roots, intermediates) = store.trusted()?;
        let around = Around { roots, intermediates, file: &found.certificates, now };
        let stored = store.identities()?;
        let mut review = Self { format: found.format, identities: Vec::new(), certificates: Vec::new(), lonely_keys: 0 };
        let mut taken: Vec<[u8; 32]> = Vec::new();
        for private in found.keys {
            let key = DeviceKey::from_pkcs8(private.pkcs8)?;
            let own = |one: &&Certificate| belongs(one, key.public_key());
            let Some(certificate) = found.certificates.iter().find(own) else {
                review.lonely_keys += 1;
                continue;
            };
            taken.push(certificate.fingerprint());
            let same = |one: &&crate::store::Identity| one.certificate.der() == certificate.der();
            let (chain, issuers) = around.judge(certificate);
            review.identities.push(PlannedIdentity {
                key,
                certificate: certificate.clone(),
                issuers,
                name: private.name,
                chain,
                known: stored.iter().find(same).map(|one| one.about.id.clone()),
            });
        }
        for certificate in found.certificates.iter().filter(|one| !taken.contains(&one.fingerprint())) {
            let room = Room::of(certificate);
            let known = store.certificate_file(room, certificate).exists();
            let chain = around.judge(certificate).0;
            review.certificates.push(PlannedCertificate { certificate: certificate.clone(), room, chain, known });
        }
        Ok(Some(review))
    }

    /// Roots that are not trusted yet.
    pub fn new_roots(&self) -> impl Iterator<Item = &PlannedCertificate> {
        self.certificates.iter().filter(|one| one.room == Room::Root && !one.known)
    }
}

fn belongs(certificate: &Certificate, key: &PublicKey) -> bool {
    certificate.public_key().is_ok_and(|public| public.digest == key.digest)
}

/// What may vouch for a certificate.
struct Around<'a> {
    roots: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    file: &'a [Certificate],
    now: Timestamp,
}

impl Around<'_> {
    /// Whether a certificate leads to a root, and its issuers as far as they verify.
    fn judge(&self, certificate: &Certificate) -> (Chain, Vec<Certificate>) {
        if !certificate.is_valid_at(self.now) {
            return (Chain::NotValidNow, Vec::new());
        }
        let is_root = Room::of(certificate) == Room::Root;
        let between: Vec<Certificate> = self.intermediates.iter().chain(self.file).cloned().collect();
        let issuers = |chain: Vec<&Certificate>| chain.into_iter().skip(1).cloned().collect::<Vec<_>>();
        if let Ok(chain) = build_chain(certificate, &between, &self.roots, self.now) {
            return (Chain::Trusted, issuers(chain));
        }
        if is_root {
            // One that did not sign itself says something wrong about itself.
            let own = certificate.verify_issued_by(certificate).is_ok();
            return (if own { Chain::IsRoot } else { Chain::Incomplete }, Vec::new());
        }
        let along: Vec<Certificate> = self.file.iter().filter(|one| Room::of(one) == Room::Root).cloned().collect();
        match build_chain(certificate, &between, &along, self.now) {
            Ok(chain) => (Chain::RootComesAlong, issuers(chain)),
            Err(_) => (Chain::Incomplete, Vec::new()),
        }
    }
}
