//! Revocation lists of authorities that are not Lanyard's.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use lanyard_model::{serial::SerialNumber, time::Timestamp};
use lanyard_pki::{certificate::Certificate, crl::CertificateList};

use crate::{config::read, error::GatewayError};

/// What the lists say.
#[derive(Debug, Default)]
pub struct Crls {
    by_issuer: HashMap<Vec<u8>, Listed>,
}

#[derive(Debug)]
struct Listed {
    serials: HashSet<SerialNumber>,
    next_update: Option<Timestamp>,
}

/// What is known of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A fresh list of its issuer does not name it.
    NotListed,
    /// It is revoked; that stays so when the list is old.
    Revoked,
    /// The list of its issuer is older than it may be.
    Stale,
    /// There is no list of its issuer.
    Unknown,
}

impl Crls {
    /// Reads lists and verifies each with the authority that it names.
    ///
    /// # Errors
    /// [`GatewayError::File`].
    pub fn read(folder: &Path, files: &[String], authorities: &[Certificate]) -> Result<Self, GatewayError> {
        let mut by_issuer = HashMap::new();
        for name in files {
            let path = read::path(folder, name);
            let octets = read::bytes(&path)?;
            let fault = |problem: String| GatewayError::File { path: path.display().to_string(), problem };
            let der = match std::str::from_utf8(&octets) {
                Ok(text) if text.contains("-----BEGIN") => {
                    lanyard_pki::pem::decode("X509 CRL", text).map_err(|e| fault(e.to_string()))?
                }
                _ => octets,
            };
            let list = CertificateList::decode(&der).map_err(|e| fault(e.to_string()))?;
            let mut keys = authorities.iter().filter(|a| a.subject_der() == list.issuer).filter_map(|a| a.public_key().ok());
            if !keys.any(|key| list.verify_signed_by(&key).is_ok()) {
                return Err(fault("none of the authorities has signed it".into()));
            }
            let serials = list.entries.iter().map(|e| e.serial.clone()).collect();
            by_issuer.insert(list.issuer, Listed { serials, next_update: list.next_update });
        }
        Ok(Self { by_issuer })
    }

    /// What they say of a certificate.
    #[must_use]
    pub fn status(&self, issuer: &[u8], serial: Option<&SerialNumber>, now: Timestamp) -> Status {
        let Some(listed) = self.by_issuer.get(issuer) else { return Status::Unknown };
        match serial {
            Some(serial) if listed.serials.contains(serial) => Status::Revoked,
            None => Status::Revoked,
            Some(_) if listed.next_update.is_none_or(|until| until < now) => Status::Stale,
            Some(_) => Status::NotListed,
        }
    }
}
