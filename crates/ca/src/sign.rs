//! Signing linted bytes.

use lanyard_pki::certificate::encode::assemble;

use crate::{authority::Authority, error::CaError, lint::Linted};

impl Linted {
    /// Signs exactly the linted bytes and returns the certificate, DER.
    ///
    /// # Errors
    /// [`CaError::Crypto`] when the key fails.
    pub fn sign(self, authority: &Authority) -> Result<Vec<u8>, CaError> {
        let signature = authority
            .signer()
            .sign(self.0.algorithm, &self.0.tbs)
            .map_err(|source| CaError::Crypto { action: "sign a certificate", source })?;
        Ok(assemble(&self.0.tbs, self.0.algorithm, &signature))
    }
}
