//! The authorities and service keys in memory, opened once at the start and replaced as a whole when one is renewed.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use lanyard_ca::{authority::Authority, error::CaError, keys::unseal::UnsealKey};
use lanyard_model::{
    authority::{AuthorityRecord, AuthorityRole},
    id::{AuthorityName, KeyId},
    secret::SecretBytes,
    time::Timestamp,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::software::{SoftwareDecrypter, SoftwareSigner},
    key::{Decrypter, Signer},
};
use lanyard_store::ports::Store;

use crate::error::ServerError;

/// Setting that names the issuing CA that is to follow the one in use.
pub const SUCCESSOR: &str = "successor";
/// Setting that names the issuing CA in use, once one has followed the first.
pub const IN_USE: &str = "issuing";
/// The first issuing CA; in templates, whichever is in use.
pub const ISSUING: &str = "issuing";

/// A registration certificate with its keys: signs replies, decrypts requests.
pub struct Registration {
    /// Certificate.
    pub certificate: Certificate,
    /// Signing half.
    pub signer: Box<dyn Signer>,
    /// Decrypting half.
    pub decrypter: Box<dyn Decrypter>,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// A server certificate with its key (PKCS#8) for rustls.
pub struct TlsIdentity {
    /// Certificate.
    pub certificate: Certificate,
    /// Private key, PKCS#8.
    pub key: SecretBytes,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// Everything opened.
pub struct Keyring {
    authorities: HashMap<AuthorityName, Arc<Authority>>,
    registrations: HashMap<AuthorityName, Vec<Arc<Registration>>>,
    tls: Vec<Arc<TlsIdentity>>,
    roots: Vec<Certificate>,
    issuing: AuthorityName,
    successor: Option<AuthorityName>,
    /// The newest record it was opened from.
    newest: Option<KeyId>,
}

impl Keyring {
    /// Whether what it was opened from is still what is stored.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn is_current(&self, store: &dyn Store) -> Result<bool, ServerError> {
        let stored = store.list_authorities().await?;
        let same_records = self.newest.as_ref() == stored.first().map(|record| &record.key);
        Ok(same_records && self.issuing == in_use(store).await?)
    }

    /// Opens every key that is still of use at `now`.
    ///
    /// # Errors
    /// [`CaError::WrongUnsealKey`], [`CaError::Authority`], storage errors.
    pub async fn open(store: &dyn Store, unseal: &UnsealKey, url: &str, now: Timestamp) -> Result<Self, ServerError> {
        let successor = authority_setting(store, SUCCESSOR).await?;
        let issuing = in_use(store).await?;
        let stored = store.list_authorities().await?;
        let newest = stored.first().map(|record| record.key.clone());
        let (authorities, registrations) = (HashMap::new(), HashMap::new());
        let mut ring = Self { authorities, registrations, tls: Vec::new(), roots: Vec::new(), issuing, successor, newest };
        // Newest first: the first of a name wins where only one is used.
        for record in stored {
            ring.add(store, unseal, url, record, now).await?;
        }
        if ring.authorities.is_empty() {
            return Err(ServerError::Invalid("the data directory has no authority; was `lanyard init` interrupted?".into()));
        }
        Ok(ring)
    }

    async fn add(
        &mut self,
        store: &dyn Store,
        unseal: &UnsealKey,
        url: &str,
        record: AuthorityRecord,
        now: Timestamp,
    ) -> Result<(), ServerError> {
        let fault = |source| CaError::Authority { what: "certificate or key", source };
        let certificate = Certificate::decode(&record.certificate).map_err(fault)?;
        let service = matches!(record.role, AuthorityRole::Registration | AuthorityRole::Tls);
        if service && record.not_after < now {
            return Ok(());
        }
        let sealed = store.load_key(&record.key).await?;
        let sealed = sealed.ok_or_else(|| ServerError::NotFound { what: "sealed key", name: record.key.to_string() })?;
        let key = unseal.open(&sealed)?;
        let (not_before, not_after) = (record.not_before, record.not_after);
        match record.role {
            AuthorityRole::Root | AuthorityRole::Issuing => {
                if record.role == AuthorityRole::Root {
                    self.roots.push(certificate.clone());
                }
                let signer = Box::new(SoftwareSigner::from_pkcs8(&key).map_err(fault)?);
                let (crl_url, certificate_url) =
                    (format!("{url}/crl/{}.crl", record.name), format!("{url}/ca/{}.cer", record.name));
                let authority = Authority::new(record.name.clone(), certificate, signer, crl_url, certificate_url)?;
                self.authorities.entry(record.name).or_insert_with(|| Arc::new(authority));
            }
            AuthorityRole::Registration => {
                let signer = Box::new(SoftwareSigner::from_pkcs8(&key).map_err(fault)?);
                let decrypter = Box::new(SoftwareDecrypter::from_pkcs8(&key).map_err(fault)?);
                let registration = Registration { certificate, signer, decrypter, not_before, not_after };
                self.registrations.entry(record.name).or_default().push(Arc::new(registration));
            }
            AuthorityRole::Tls => self.tls.push(Arc::new(TlsIdentity { certificate, key, not_before, not_after })),
        }
        Ok(())
    }

    /// An authority by name.
    ///
    /// # Errors
    /// [`ServerError::NotFound`].
    pub fn authority(&self, name: &AuthorityName) -> Result<&Arc<Authority>, ServerError> {
        self.authorities.get(name).ok_or_else(|| ServerError::NotFound { what: "authority", name: name.to_string() })
    }

    /// Every authority.
    pub fn authorities(&self) -> impl Iterator<Item = &Arc<Authority>> {
        self.authorities.values()
    }

    /// The authorities whose CRLs count: those that have not ended at `now`, and the one in use even if it has.
    pub fn signing_crls(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Authority>> {
        self.authorities.values().filter(move |a| a.validity().1 >= now || *a.name() == self.issuing)
    }

    /// Registration certificates of an authority, newest first: the first is offered and signs, all decrypt.
    #[must_use]
    pub fn registrations(&self, name: &AuthorityName) -> &[Arc<Registration>] {
        self.registrations.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The issuing CA in use.
    #[must_use]
    pub const fn issuing(&self) -> &AuthorityName {
        &self.issuing
    }

    /// The issuing CA that is to follow the one in use, once it is prepared.
    #[must_use]
    pub fn successor(&self) -> Option<&Arc<Authority>> {
        self.authorities.get(self.successor.as_ref().filter(|name| **name != self.issuing)?)
    }

    /// Every registration certificate that has not ended, with its authority: those of the CA in use first, then those of the CAs before
    /// it and after it, to which devices may still, or already, encrypt.
    #[must_use]
    pub fn recipients(&self) -> Vec<(&AuthorityName, &Registration)> {
        let mut all: Vec<(&AuthorityName, &Registration)> = self
            .registrations
            .iter()
            .flat_map(|(name, several)| several.iter().map(move |registration| (name, registration.as_ref())))
            .collect();
        // A stable order: the first is the one that stands in for none.
        all.sort_by_key(|(name, registration)| (**name != self.issuing, *name, std::cmp::Reverse(registration.not_before)));
        all
    }

    /// The same once there is a registration certificate of it, so that clients can be told of it.
    #[must_use]
    pub fn announced_successor(&self) -> Option<&Arc<Authority>> {
        self.successor().filter(|authority| !self.registrations(authority.name()).is_empty())
    }

    /// The newest server certificate.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<TlsIdentity>> {
        self.tls.first()
    }

    /// Root certificates.
    #[must_use]
    pub fn roots(&self) -> &[Certificate] {
        &self.roots
    }

    /// The authority that issued a certificate, by name and signature.
    #[must_use]
    pub fn issuer_of(&self, certificate: &Certificate) -> Option<&Arc<Authority>> {
        let mut named = self.authorities.values().filter(|a| a.certificate().subject_der() == certificate.issuer_der());
        named.find(|a| certificate.verify_issued_by(a.certificate()).is_ok())
    }

    /// Certificates from an authority's own up to its root.
    #[must_use]
    pub fn chain(&self, name: &AuthorityName) -> Vec<&Certificate> {
        let mut chain: Vec<&Certificate> = Vec::new();
        let mut next = self.authorities.get(name).map(|a| a.certificate());
        while let Some(certificate) = next {
            chain.push(certificate);
            if certificate.is_self_issued() || chain.len() > 4 {
                break;
            }
            next = self.authorities.values().map(|a| a.certificate()).find(|c| c.subject_der() == certificate.issuer_der());
        }
        chain
    }
}

async fn authority_setting(store: &dyn Store, setting: &str) -> Result<Option<AuthorityName>, ServerError> {
    Ok(store.load_setting(setting).await?.and_then(|name| String::from_utf8(name).ok()?.parse().ok()))
}

async fn in_use(store: &dyn Store) -> Result<AuthorityName, ServerError> {
    match authority_setting(store, IN_USE).await? {
        Some(name) => Ok(name),
        None => first(),
    }
}

/// Name of the first issuing CA.
///
/// # Errors
/// Never in practice: it fits the alphabet.
pub fn first() -> Result<AuthorityName, ServerError> {
    ISSUING.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}

/// The keyring in use; replaced as a whole.
pub struct CurrentKeyring(RwLock<Arc<Keyring>>);

impl CurrentKeyring {
    /// Begins with this one.
    #[must_use]
    pub fn new(ring: Keyring) -> Self {
        Self(RwLock::new(Arc::new(ring)))
    }

    /// The one in use now.
    #[must_use]
    pub fn get(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn replace(&self, ring: Keyring) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(ring);
    }
}
