//! Sealing what is kept of a device: it may hold secrets, such as a challenge that was just sent.

use lanyard_model::{id::EnrollmentId, secret::SecretBytes};
use lanyard_pki::crypto::{digest::hmac_sha256, sealing};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::ServerError;

/// The key of one enrolment's records. Each has its own: records are sealed anew with every message, and no key may seal so many.
pub struct RecordKey(SecretBytes);

impl RecordKey {
    /// Derived from the fleet's secret.
    #[must_use]
    pub fn of(fleet_secret: &SecretBytes, enrollment: EnrollmentId) -> Self {
        let label = format!("lanyard-device-record-v1:{enrollment}");
        Self(SecretBytes::new(hmac_sha256(fleet_secret.expose(), &[label.as_bytes()]).to_vec()))
    }

    /// Seals a value under a name; it opens under the same name only.
    ///
    /// # Errors
    /// [`ServerError::Pki`], [`ServerError::Conflict`] when it has no JSON form.
    pub fn seal<T: Serialize>(&self, name: &str, value: &T) -> Result<Vec<u8>, ServerError> {
        let json = serde_json::to_vec(value).map_err(|e| ServerError::Conflict(format!("{name} cannot be written: {e}")))?;
        Ok(sealing::seal(&self.0, name.as_bytes(), &SecretBytes::new(json))?)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`ServerError::Pki`], [`ServerError::Conflict`] when it is not what it should be.
    pub fn open<T: DeserializeOwned>(&self, name: &str, sealed: &[u8]) -> Result<T, ServerError> {
        let json = sealing::open(&self.0, name.as_bytes(), sealed)?;
        serde_json::from_slice(json.expose()).map_err(|e| ServerError::Conflict(format!("{name} cannot be read: {e}")))
    }
}
