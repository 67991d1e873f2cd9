//! Giving an identity out again.

use lanyard_model::secret::SecretText;
use lanyard_pki::{
    certificate::Certificate,
    pem,
    pkcs12::{Entry, Protection},
};

use crate::{
    error::AgentError,
    key::KeyPlace,
    store::{DeviceStore, IdentityAbout, LocalId},
};

/// In which form.
#[derive(Debug)]
pub enum ExportForm {
    /// The certificate and its issuers, PEM; never the key.
    Certificates,
    /// Key, certificate and issuers in a PKCS#12 file under this passphrase.
    Pkcs12 {
        /// How the file is protected.
        protection: Protection,
        /// The passphrase.
        passphrase: SecretText,
    },
    /// Key and certificates, PEM, in the clear.
    Pem,
}

/// Whether the key of an identity may leave the store.
///
/// # Errors
/// [`AgentError::KeyInTpm`], [`AgentError::NotExportable`].
pub fn may_leave(about: &IdentityAbout) -> Result<(), AgentError> {
    match (about.place, about.exportable) {
        (KeyPlace::Software, true) => Ok(()),
        (KeyPlace::Software, false) => Err(AgentError::NotExportable { id: about.id.to_string() }),
        (KeyPlace::Tpm | KeyPlace::TpmPin, _) => Err(AgentError::KeyInTpm),
    }
}

/// The octets of an exported identity.
///
/// # Errors
/// [`AgentError::KeyInTpm`], [`AgentError::NotExportable`] when the key must stay; those of the store.
pub fn export(store: &DeviceStore, id: &LocalId, form: &ExportForm) -> Result<Vec<u8>, AgentError> {
    let identity = store.identity(id)?;
    if !matches!(form, ExportForm::Certificates) {
        may_leave(&identity.about)?;
    }
    let certificates = || -> String {
        let all = std::iter::once(&identity.certificate).chain(&identity.chain);
        all.map(|one| pem::encode(pem::CERTIFICATE, one.der())).collect()
    };
    match form {
        ExportForm::Certificates => Ok(certificates().into_bytes()),
        ExportForm::Pem => {
            let key = store.identity_key(id)?.to_pem()?;
            Ok([key.expose().as_bytes(), certificates().as_bytes()].concat())
        }
        ExportForm::Pkcs12 { protection, passphrase } => {
            let key = store.identity_key(id)?;
            let name = identity.about.name.as_deref().unwrap_or(&identity.about.subject);
            let entry = Entry { pkcs8: key.pkcs8()?, certificate: &identity.certificate, name };
            let others: Vec<&Certificate> = identity.chain.iter().collect();
            protection.encode(&[entry], &others, passphrase).map_err(AgentError::Own)
        }
    }
}
