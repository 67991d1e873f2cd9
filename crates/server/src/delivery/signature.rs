//! Signing what is given out, so that a device sees who made it.

use lanyard_pki::{certificate::Certificate, cms::sign::sign, signature::Digest};

use crate::{error::ServerError, state::Server};

/// SignedData of a content, by the registration key: its certificate may sign anything, and devices can verify it up to the root, which is
/// left out because nobody trusts one for being sent along.
///
/// # Errors
/// [`ServerError::NotFound`] when there is no registration certificate; [`ServerError::Pki`].
pub fn signed(server: &Server, content: &[u8]) -> Result<Vec<u8>, ServerError> {
    let ring = server.keyring.get();
    let name = ring.issuing();
    let registration = ring.registrations(name).first();
    let registration =
        registration.ok_or_else(|| ServerError::NotFound { what: "registration certificate", name: name.to_string() })?;
    let mut certificates: Vec<&Certificate> = vec![&registration.certificate];
    certificates.extend(ring.chain(name).into_iter().filter(|certificate| !certificate.is_self_issued()));
    Ok(sign(Some(content), Vec::new(), Digest::Sha256, registration.signer.as_ref(), &registration.certificate, &certificates)?)
}
