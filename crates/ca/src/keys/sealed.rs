//! Sealing private keys and secrets: AES-256-GCM under the unseal key, bound to the key's id.

use lanyard_model::{authority::SealedKey, id::KeyId, secret::SecretBytes, time::Timestamp};
use lanyard_pki::crypto::sealing;

use super::unseal::UnsealKey;
use crate::error::CaError;

fn context(id: &KeyId) -> Vec<u8> {
    format!("lanyard-sealed-key-v1:{id}").into_bytes()
}

impl UnsealKey {
    /// Seals a private key (PKCS#8) or another secret under its id.
    ///
    /// # Errors
    /// [`CaError::Crypto`].
    pub fn seal(&self, id: KeyId, secret: &SecretBytes, now: Timestamp) -> Result<SealedKey, CaError> {
        let sealed =
            sealing::seal(&self.0, &context(&id), secret).map_err(|source| CaError::Crypto { action: "seal a key", source })?;
        Ok(SealedKey { id, sealed, created_at: now })
    }

    /// Opens a sealed key. One stored under another id does not open.
    ///
    /// # Errors
    /// [`CaError::WrongUnsealKey`].
    pub fn open(&self, key: &SealedKey) -> Result<SecretBytes, CaError> {
        sealing::open(&self.0, &context(&key.id), &key.sealed).map_err(|_| CaError::WrongUnsealKey)
    }
}

#[cfg(test)]
mod tests {
    use lanyard_model::secret::SecretText;

    use super::*;
    use crate::keys::unseal::Derivation;

    fn id(text: &str) -> KeyId {
        text.parse().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_only_under_its_own_id_and_key() {
        let key = UnsealKey::from_file(&UnsealKey::generate_file().unwrap()).unwrap();
        let other = UnsealKey::from_file(&UnsealKey::generate_file().unwrap()).unwrap();
        let mut sealed = key.seal(id("root"), &SecretBytes::new(vec![1, 2, 3]), Timestamp(0)).unwrap();
        assert_eq!(key.open(&sealed).unwrap().expose(), [1, 2, 3]);
        assert!(matches!(other.open(&sealed), Err(CaError::WrongUnsealKey)));
        sealed.id = id("issuing");
        assert!(matches!(key.open(&sealed), Err(CaError::WrongUnsealKey)));
    }

    #[test]
    fn a_passphrase_gives_the_same_key_again() {
        let derivation = Derivation::generate().unwrap();
        let again = Derivation::from_text(&derivation.to_text()).unwrap();
        let passphrase = SecretText::new("correct horse".into());
        let key = UnsealKey::from_passphrase(&passphrase, &derivation).unwrap();
        let sealed = key.seal(id("root"), &SecretBytes::new(vec![7]), Timestamp(0)).unwrap();
        assert!(UnsealKey::from_passphrase(&passphrase, &again).unwrap().open(&sealed).is_ok());
        let wrong = SecretText::new("Correct horse".into());
        assert!(UnsealKey::from_passphrase(&wrong, &again).unwrap().open(&sealed).is_err());
    }
}
