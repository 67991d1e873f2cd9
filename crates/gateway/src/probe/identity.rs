//! The certificate to show, from a file: PKCS#12, PEM, or a certificate and its key apart.

use lanyard_model::secret::SecretText;
use lanyard_pki::{
    bundle::{Bundle, Opened, open},
    crypto::software::SoftwareSigner,
    error::PkiError,
    key::Signer,
};

use super::plan::ClientCertificate;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is encrypted, and the passphrase, if there was one, does not open it.
    #[error("it is encrypted, and needs its passphrase")]
    Locked,
    /// There is a certificate, but no key of it.
    #[error("it holds no private key: a certificate alone cannot be shown; name the file of its key with --key")]
    NoKey,
    /// There are keys, but no certificate of them.
    #[error("it holds no certificate of its key")]
    NoCertificate,
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] PkiError),
}

/// Reads a certificate with its key; of several, the first that belong together. The others become its chain.
///
/// # Errors
/// [`IdentityError`].
pub fn read(file: &[u8], key: Option<&[u8]>, passphrase: Option<&SecretText>) -> Result<ClientCertificate, IdentityError> {
    let mut bundle = opened(file, passphrase)?;
    if let Some(key) = key {
        bundle.keys = opened(key, passphrase)?.keys;
    }
    if bundle.keys.is_empty() {
        return Err(IdentityError::NoKey);
    }
    for key in &bundle.keys {
        let public = SoftwareSigner::from_pkcs8(&key.pkcs8)?.public_key().digest;
        let own = bundle.certificates.iter().find(|one| one.public_key().is_ok_and(|found| found.digest == public));
        let Some(own) = own else { continue };
        let others = bundle.certificates.iter().filter(|one| one.der() != own.der() && one.is_ca() && !one.is_self_issued());
        let chain = std::iter::once(own).chain(others).map(|one| one.der().to_vec()).collect();
        return Ok(ClientCertificate { chain, key: key.pkcs8.clone() });
    }
    Err(IdentityError::NoCertificate)
}

fn opened(octets: &[u8], passphrase: Option<&SecretText>) -> Result<Bundle, IdentityError> {
    match open(octets, passphrase)? {
        Opened::Bundle(bundle) => Ok(bundle),
        Opened::Locked(_) => Err(IdentityError::Locked),
    }
}
