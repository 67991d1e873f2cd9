//! A device: a key, a signer certificate, and what is asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use lanyard_enroll::scep::{
    attributes::{MESSAGE_TYPE, SENDER_NONCE, TRANSACTION_ID},
    client::message::self_signed,
};
use lanyard_model::{secret::SecretText, text::hex, time::Timestamp};
use lanyard_pki::{
    certificate::Certificate,
    crypto::random::random,
    csr::encode::{CertificationRequestInfo, encode},
    name, oids,
    signature::Digest,
    write,
};
use lanyard_server::api::types::Challenge;

use super::{
    draft::{Attribute, Draft},
    endpoint::Endpoint,
    envelope::Envelope,
};
use crate::keys::Key;

/// A device in one transaction.
#[derive(Clone)]
pub struct Device {
    /// The key to be certified.
    pub key: &'static Key,
    /// What the CSR asks for.
    pub info: CertificationRequestInfo,
    /// Signer certificate.
    pub signer: Certificate,
    /// Its key.
    pub signer_key: &'static Key,
    /// transactionID.
    pub transaction: String,
    /// messageType.
    pub message_type: String,
    /// senderNonce.
    pub nonce: Vec<u8>,
}

fn now() -> Timestamp {
    Timestamp::from_secs(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap())
}

/// Random octets in hexadecimal.
#[must_use]
pub fn random_text() -> String {
    hex(&random::<12>().unwrap())
}

impl Device {
    /// A device that enrols for the first time, with a transaction of its own.
    ///
    /// # Panics
    /// When the subject is no name.
    #[must_use]
    pub fn new(key: &'static Key, subject: &str) -> Self {
        let subject = name::parse(subject).unwrap();
        let signer = self_signed(&name::encode(&subject), &key.signer, now()).unwrap();
        Self {
            key,
            info: CertificationRequestInfo { subject, ..CertificationRequestInfo::default() },
            signer,
            signer_key: key,
            transaction: random_text(),
            message_type: "19".into(),
            nonce: random::<16>().unwrap().to_vec(),
        }
    }

    /// A device that asks for exactly what a challenge permits.
    ///
    /// # Panics
    /// When the challenge's names cannot be read.
    #[must_use]
    pub fn with_challenge(key: &'static Key, challenge: &Challenge) -> Self {
        let mut device = Self::new(key, &challenge.subject);
        device.info.san = challenge.san.iter().map(|t| t.parse().unwrap()).collect();
        device.challenge(&challenge.challenge)
    }

    /// The same with this text as challengePassword.
    #[must_use]
    pub fn challenge(mut self, text: &str) -> Self {
        self.info.challenge = Some(SecretText::new(text.to_owned()));
        self
    }

    /// A renewal of a certificate that this device's key holds, with a new key.
    ///
    /// # Panics
    /// When the certificate's names cannot be read.
    #[must_use]
    pub fn renewal(&self, certificate: &Certificate, new_key: &'static Key) -> Self {
        let info = CertificationRequestInfo {
            subject: certificate.subject().unwrap(),
            san: certificate.subject_alt_names().unwrap(),
            ..CertificationRequestInfo::default()
        };
        Self {
            key: new_key,
            info,
            signer: certificate.clone(),
            signer_key: self.key,
            transaction: random_text(),
            message_type: "17".into(),
            nonce: random::<16>().unwrap().to_vec(),
        }
    }

    /// The CSR.
    ///
    /// # Panics
    /// When the key cannot sign.
    #[must_use]
    pub fn csr(&self) -> Vec<u8> {
        encode(&self.info, &self.key.signer).unwrap()
    }

    /// The message around this content, not signed yet.
    #[must_use]
    pub fn draft_of(&self, content: Option<Vec<u8>>) -> Draft {
        let one = |oid, value| Attribute { oid, values: vec![value] };
        Draft {
            content,
            content_type: oids::DATA,
            attributes: vec![
                one(TRANSACTION_ID, write::printable_string(&self.transaction)),
                one(MESSAGE_TYPE, write::printable_string(&self.message_type)),
                one(SENDER_NONCE, write::octet_string(&self.nonce)),
            ],
            digest: Digest::Sha256,
            certificate: self.signer.clone(),
            certificates: vec![self.signer.der().to_vec()],
            key: self.signer_key,
            signers: 1,
            digest_algorithms: vec![Digest::Sha256.identifier()],
            ber: false,
        }
    }

    /// The request, not signed yet.
    #[must_use]
    pub fn draft(&self, endpoint: &Endpoint) -> Draft {
        self.draft_of(Some(Envelope::seal(&self.csr(), &endpoint.ra).encode()))
    }

    /// The request.
    #[must_use]
    pub fn message(&self, endpoint: &Endpoint) -> Vec<u8> {
        self.draft(endpoint).sign()
    }

    /// A question for the outcome of the request, with a nonce of its own.
    #[must_use]
    pub fn poll(&self, endpoint: &Endpoint) -> Vec<u8> {
        let issuer_and_subject = write::sequence(&[endpoint.issuing().subject_der(), &name::encode(&self.info.subject)]);
        let asking = Self { message_type: "20".into(), ..self.clone() };
        asking.draft_of(Some(Envelope::seal(&issuer_and_subject, &endpoint.ra).encode())).sign()
    }
}
