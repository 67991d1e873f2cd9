//! The typed whole, for enrolment and renewal.

use lanyard_model::{key::PublicKey, secret::SecretText};

use super::{Application, CertificateStore, Characteristic, DmClient, Document};
use crate::error::MdmError;

/// What an enrolment or a renewal delivers. That of an enrolment has an account and a DMClient; that of a renewal has neither, and of the
/// application only the PROVIDER-ID.
#[derive(Debug, Clone)]
pub struct ProvisioningDocument {
    /// `CertificateStore`.
    pub certificate_store: CertificateStore,
    /// `APPLICATION`.
    pub application: Application,
    /// `DMClient`.
    pub dm_client: Option<DmClient>,
    /// Characteristics that are not known here.
    pub others: Vec<Characteristic>,
}

impl ProvisioningDocument {
    /// The document as tree.
    #[must_use]
    pub fn to_document(&self) -> Document {
        let mut characteristics = vec![self.certificate_store.encode(), self.application.encode()];
        characteristics.extend(self.dm_client.as_ref().map(DmClient::encode));
        characteristics.extend(self.others.iter().cloned());
        Document { characteristics }
    }

    /// Writes it, with an XML declaration.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode(&self) -> Result<SecretText, MdmError> {
        self.to_document().encode()
    }

    /// Reads it: certificates under their own thumbprints, one certificate of the client with its container, and the same provider
    /// everywhere.
    ///
    /// # Errors
    /// [`MdmError::Provisioning`], and those of the XML.
    pub fn decode(octets: &[u8]) -> Result<Self, MdmError> {
        let document = Document::decode(octets)?;
        let mut store = None;
        let mut application = None;
        let mut dm_client = None;
        let mut others = Vec::new();
        for one in document.characteristics {
            let place = match &*one.kind {
                "CertificateStore" => &mut store,
                "APPLICATION" => &mut application,
                "DMClient" => &mut dm_client,
                _ => {
                    others.push(one);
                    continue;
                }
            };
            if place.replace(one).is_some() {
                return Err(MdmError::Provisioning("a characteristic is repeated"));
            }
        }
        let store = store.ok_or(MdmError::Provisioning("it has no CertificateStore"))?;
        let application = application.ok_or(MdmError::Provisioning("it has no APPLICATION"))?;
        let document = Self {
            certificate_store: CertificateStore::decode(&store)?,
            application: Application::decode(&application)?,
            dm_client: dm_client.as_ref().map(DmClient::decode).transpose()?,
            others,
        };
        let provider = document.dm_client.as_ref().map(|client| client.provider_id.as_str());
        if provider.is_some_and(|provider| provider != document.application.provider_id) {
            return Err(MdmError::Provisioning("APPLICATION and DMClient name different providers"));
        }
        Ok(document)
    }

    /// Whether the certificate of the client is for this key. A device asks before it installs anything.
    ///
    /// # Errors
    /// [`MdmError::Provisioning`].
    pub fn check_key(&self, key: &PublicKey) -> Result<(), MdmError> {
        if self.certificate_store.client.certificate.spki_der() == key.spki.as_slice() {
            Ok(())
        } else {
            Err(MdmError::Provisioning("the certificate is for another key than the one that was made"))
        }
    }
}
