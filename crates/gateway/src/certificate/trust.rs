//! Whose certificates are believed, and how one is judged.

use std::{path::Path, sync::Arc, time::Duration};

use lanyard_model::{oid::Oid, time::Timestamp, usage::ExtendedKeyUsage};
use lanyard_pki::{certificate::Certificate, extension, name, oids};
use rustls::{
    CertificateError, DistinguishedName, Error, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{
    crl::{Crls, Status},
    facts::Facts,
    verdict::{Presented, Verified},
};
use crate::{
    config::{file, read},
    decide::denial::{Denial, Reason},
    error::GatewayError,
};

/// One `[[trust]]`, with its files read.
#[derive(Debug)]
pub struct Trust {
    /// Name.
    pub name: String,
    /// How revocation is found out.
    pub revocation: file::Revocation,
    /// Whether names in the certificates count.
    pub vouches_for_names: bool,
    authorities: Vec<Certificate>,
    verifier: Arc<dyn ClientCertVerifier>,
    issuers: Vec<Vec<u8>>,
    purposes: Vec<ExtendedKeyUsage>,
    crls: Crls,
    hints: bool,
}

impl Trust {
    /// Reads its files.
    ///
    /// # Errors
    /// [`GatewayError::File`], [`GatewayError::Config`].
    pub fn open(settings: &file::Trust, folder: &Path) -> Result<Self, GatewayError> {
        let authorities = read::certificates(&read::path(folder, &settings.ca_file))?;
        let fault = |problem: String| GatewayError::Config(format!("trust {}: {problem}", settings.name));
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            if !authority.is_ca() {
                return Err(fault(format!("{} holds a certificate that is not of an authority", settings.ca_file)));
            }
            roots.add(CertificateDer::from(authority.der().to_vec())).map_err(|e| fault(e.to_string()))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = verifier.map_err(|e| fault(e.to_string()))?;
        let issuers = settings.issuers.iter().map(|text| name::parse(text).map(|name| name::encode(&name)));
        let purposes = settings.purposes.iter().map(|text| text.parse::<Oid>().map(ExtendedKeyUsage));
        Ok(Self {
            name: settings.name.clone(),
            revocation: settings.revocation,
            vouches_for_names: settings.vouches_for_names,
            verifier,
            issuers: issuers.collect::<Result<_, _>>().map_err(|e| fault(e.to_string()))?,
            purposes: purposes.collect::<Result<_, _>>().map_err(|e| fault(e.to_string()))?,
            crls: Crls::read(folder, &settings.crl_files, &authorities)?,
            authorities,
            hints: settings.hints,
        })
    }

    /// Names that are sent to clients to choose a certificate by.
    pub fn hints(&self) -> impl Iterator<Item = DistinguishedName> {
        let hinted = self.authorities.iter().filter(|_| self.hints);
        hinted.filter_map(|a| {
            // rustls wants the contents of the outer SEQUENCE and adds its head again.
            lanyard_pki::tlv::Reader::new(a.subject_der(), "name").any().ok().map(|e| DistinguishedName::in_sequence(e.contents))
        })
    }

    /// Judges a chain: signatures, validity, purpose, issuer. Revocation is for [`Self::revocation_of`], which every request asks again.
    ///
    /// # Errors
    /// The denial that answers whoever shows it.
    pub fn verify(&self, presented: &Presented, now: Timestamp) -> Result<Verified, Denial> {
        let untrusted = |why: &str| Denial::because(Reason::CertificateUntrusted, why);
        let (leaf, intermediates) = presented.chain.split_first().ok_or_else(|| Denial::of(Reason::CertificateRequired))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.secs()).unwrap_or_default()));
        self.verifier.verify_client_cert(leaf, intermediates, time).map_err(|e| denial(&e))?;
        let certificate = Certificate::decode(leaf).map_err(|e| untrusted(&e.to_string()))?;
        certificate.public_key().map_err(|e| untrusted(&format!("its key is too weak or unknown: {e}")))?;
        if !self.issuers.is_empty() && !self.issuers.iter().any(|issuer| issuer == certificate.issuer_der()) {
            return Err(untrusted("its issuer is not among those allowed"));
        }
        let extensions = certificate.extensions().map_err(|e| untrusted(&e.to_string()))?;
        // Stricter than webpki, which takes a certificate without purposes for one of all purposes.
        let purposes = extension::find(&extensions, oids::EXTENDED_KEY_USAGE)
            .map(|found| extension::decode_extended_key_usage(&found.value))
            .transpose()
            .map_err(|e| untrusted(&e.to_string()))?
            .unwrap_or_default();
        if !purposes.contains(&lanyard_model::usage::CLIENT_AUTH) {
            return Err(untrusted("clientAuth is not among its purposes"));
        }
        if let Some(missing) = self.purposes.iter().find(|wanted| !purposes.contains(wanted)) {
            return Err(untrusted(&format!("it lacks the purpose {}", missing.0)));
        }
        let (not_before, not_after) = certificate.validity().map_err(|e| untrusted(&e.to_string()))?;
        let facts = Facts::of(&certificate).map_err(|e| untrusted(&e.to_string()))?;
        Ok(Verified {
            fingerprint: presented.fingerprint,
            trust: self.name.clone(),
            vouches_for_names: self.vouches_for_names,
            not_before,
            not_after,
            facts,
            certificate,
        })
    }

    /// Whether a certificate is revoked by the lists.
    ///
    /// # Errors
    /// The denial that answers whoever shows it.
    pub fn revocation_of(&self, verified: &Verified, now: Timestamp) -> Result<(), Denial> {
        let issuer = verified.certificate.issuer_der();
        match self.crls.status(issuer, verified.facts.serial.as_ref(), now) {
            Status::NotListed => Ok(()),
            Status::Revoked => Err(Denial::of(Reason::CertificateRevoked)),
            Status::Stale => Err(Denial::because(Reason::RevocationUnknown, "the revocation list of its issuer is out of date")),
            Status::Unknown if self.revocation == file::Revocation::Crl => {
                Err(Denial::because(Reason::RevocationUnknown, "there is no revocation list of its issuer"))
            }
            Status::Unknown => Ok(()),
        }
    }
}

fn denial(error: &Error) -> Denial {
    let Error::InvalidCertificate(error) = error else {
        return Denial::because(Reason::CertificateUntrusted, &error.to_string());
    };
    let reason = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Reason::CertificateNotYetValid,
        CertificateError::Revoked => Reason::CertificateRevoked,
        _ => Reason::CertificateUntrusted,
    };
    Denial::because(reason, &error.to_string())
}
