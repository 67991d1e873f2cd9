//! One SCEP transaction without HTTP: its messages, and what its answers must be.

use std::sync::Arc;

use lanyard_enroll::scep::{
    attributes::MessageType,
    client::{
        answer::{self, Answer, Expected},
        message::{self, Identity, Outgoing, self_signed, transaction_id},
        trust::CaCertificates,
    },
};
use lanyard_model::{name::DistinguishedName, time::Timestamp};
use lanyard_pki::{certificate::Certificate, name};

use crate::{error::AgentError, key::DeviceKey};

/// A transaction: one key that is to be certified, one signer of all its messages (RFC 8894, section 2.2).
#[derive(Debug, Clone)]
pub struct Transaction {
    /// transactionID.
    pub id: String,
    /// messageType of the request.
    pub message_type: MessageType,
    /// Subject asked for, DER.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo that is to be certified.
    pub spki: Vec<u8>,
    /// Certificate that signs the messages; answers are encrypted to it.
    pub signer_certificate: Certificate,
    /// Its key.
    pub signer_key: Arc<DeviceKey>,
}

impl Transaction {
    /// A first enrolment: messages are signed by the new key with a self-signed certificate of the subject asked for.
    ///
    /// # Errors
    /// [`AgentError::Own`]; for a key in the TPM, what the TPM says.
    pub fn first(key: &Arc<DeviceKey>, subject: &DistinguishedName, now: Timestamp) -> Result<Self, AgentError> {
        let subject = name::encode(subject);
        let certificate = self_signed(&subject, key.signer(), now).map_err(|error| key.cause(error))?;
        Ok(Self::signed_by(key, subject, MessageType::PkcsReq, certificate, Arc::clone(key)))
    }

    /// A renewal: messages are signed by the old key with the old certificate. `renewal_offered` tells whether the server knows
    /// RenewalReq (17); otherwise it is a PKCSReq (19).
    #[must_use]
    pub fn renewal(
        key: &DeviceKey,
        subject: &DistinguishedName,
        old: (Certificate, Arc<DeviceKey>),
        renewal_offered: bool,
    ) -> Self {
        let message_type = if renewal_offered { MessageType::RenewalReq } else { MessageType::PkcsReq };
        Self::signed_by(key, name::encode(subject), message_type, old.0, old.1)
    }

    /// Any combination of key, type and signer.
    #[must_use]
    pub fn signed_by(
        key: &DeviceKey,
        subject: Vec<u8>,
        message_type: MessageType,
        signer_certificate: Certificate,
        signer_key: Arc<DeviceKey>,
    ) -> Self {
        Self {
            id: transaction_id(key.signer()),
            message_type,
            subject,
            spki: key.public_key().spki.clone(),
            signer_certificate,
            signer_key,
        }
    }

    /// The request around a CSR.
    ///
    /// # Errors
    /// [`AgentError::Own`]; for a key in the TPM, what the TPM says.
    pub fn request(&self, csr: &[u8], ca: &CaCertificates) -> Result<Outgoing, AgentError> {
        message::request(self.message_type, csr, &self.id, &self.identity(), ca).map_err(|error| self.signer_key.cause(error))
    }

    /// A CertPoll, with a nonce of its own.
    ///
    /// # Errors
    /// [`AgentError::Own`]; for a key in the TPM, what the TPM says.
    pub fn poll(&self, ca: &CaCertificates) -> Result<Outgoing, AgentError> {
        message::poll(&self.subject, &self.id, &self.identity(), ca).map_err(|error| self.signer_key.cause(error))
    }

    /// Verifies and opens the answer to a message of this transaction.
    ///
    /// # Errors
    /// [`AgentError::Answer`]; for a key in the TPM, what the TPM says.
    pub fn decode(&self, reply: &[u8], sent: &Outgoing, ca: &CaCertificates, now: Timestamp) -> Result<Answer, AgentError> {
        let expected =
            Expected { sent, recipient: &self.signer_certificate, decrypter: self.signer_key.decrypter()?, spki: &self.spki };
        answer::decode(reply, &expected, ca, now).map_err(|error| self.signer_key.cause(error))
    }

    fn identity(&self) -> Identity<'_> {
        Identity { certificate: &self.signer_certificate, signer: self.signer_key.signer() }
    }
}
