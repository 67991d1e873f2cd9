//! A pkiMessage on the server's side: decoded, verified, then decrypted (the pipeline of RFC 8894, section 3.2).

use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::SecretBytes,
    serial::SerialNumber,
    time::Timestamp,
};
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        enveloped::{EnvelopedData, KeyTransport, Recipient},
        signed::{Identifier, SignedData, SignerInfo},
    },
    crypto::cipher::ContentCipher,
    csr::decode::{CertificationRequest, decode as decode_csr},
    error::PkiError,
    key::Decrypter,
    oids,
    signature::Digest,
    spki,
    tlv::{Reader, tag},
};

use super::{
    accommodation::{self, Accommodation},
    attributes::{MAX_TRANSACTION_ID, MESSAGE_TYPE, MessageType, SENDER_NONCE, TRANSACTION_ID, nonce, printable, signing_time},
    error::ScepError,
    query::MAX_MESSAGE,
};

/// Octets of a senderNonce (section 3.2.1.5); others are echoed all the same.
const NONCE_LENGTH: usize = 16;

/// What a reply needs to know of the message it answers. Read before anything is verified, so that a refusal can be addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// transactionID as sent.
    pub transaction: String,
    /// senderNonce as sent.
    pub nonce: Vec<u8>,
    /// messageType as sent, whatever it is.
    pub message_type: String,
    /// Digest of the message's signature, mirrored in the reply.
    pub digest: Digest,
}

/// A pkiMessage whose signature by its signer certificate holds. The certificate authenticates nothing yet.
#[derive(Debug, Clone)]
pub struct PkiMessage {
    /// messageType.
    pub message_type: MessageType,
    /// Addressing of the reply.
    pub reply_to: ReplyTo,
    /// Signer certificate.
    pub signer: Certificate,
    /// Key of the signer certificate.
    pub signer_key: PublicKey,
    /// signingTime, if it was sent.
    pub signing_time: Option<Timestamp>,
    envelope: Vec<u8>,
    signer_info: SignerInfo,
}

/// A message that was taken apart: where a reply would go, and whether the message holds.
#[derive(Debug)]
pub struct Received {
    /// `None` when not even a refusal can be addressed.
    pub reply_to: Option<ReplyTo>,
    /// The signer certificate, if it could be found; not authenticated.
    pub signer: Option<Certificate>,
    /// What was tolerated so far.
    pub accommodations: Vec<Accommodation>,
    /// The verified message, or why it is refused.
    pub message: Result<PkiMessage, ScepError>,
}

/// Takes a message apart and verifies its signature. `legacy` accepts SHA-1.
#[must_use]
pub fn decode(bytes: &[u8], legacy: bool) -> Received {
    let refused = |error| Received { reply_to: None, signer: None, accommodations: Vec::new(), message: Err(error) };
    if bytes.len() > MAX_MESSAGE {
        return refused(ScepError::TooLarge { limit: MAX_MESSAGE });
    }
    let signed = match SignedData::decode(bytes) {
        Ok(signed) => signed,
        Err(error) => return refused(ScepError::Structure(error)),
    };
    let Some(signer_info) = signed.signers.first() else {
        return refused(ScepError::Structure(PkiError::Malformed { what: "SignedData without a signer", at: 0 }));
    };
    let reply_to = reply_to(signer_info);
    let signer = signed.certificates.iter().find(|c| signer_info.identifier.names(c)).cloned();
    let message = match &reply_to {
        Ok(reply_to) => verify(&signed, signer_info, signer.as_ref(), reply_to, legacy),
        Err(error) => Err(error.clone()),
    };
    let mut accommodations = accommodation::of_message(&signed, signer_info, signer.as_ref());
    if reply_to.as_ref().is_ok_and(|to| to.nonce.len() != NONCE_LENGTH) {
        accommodations.push(Accommodation::NonceLength);
    }
    Received { reply_to: reply_to.ok(), signer, accommodations, message }
}

fn reply_to(signer: &SignerInfo) -> Result<ReplyTo, ScepError> {
    let missing = |name| ScepError::Attribute { name, problem: "is missing" };
    let transaction = printable(signer, TRANSACTION_ID, "transactionID")?.ok_or(missing("transactionID"))?;
    if transaction.is_empty() || transaction.len() > MAX_TRANSACTION_ID {
        return Err(ScepError::Attribute { name: "transactionID", problem: "has not 1 to 255 characters" });
    }
    let message_type = printable(signer, MESSAGE_TYPE, "messageType")?.ok_or(missing("messageType"))?;
    let nonce = nonce(signer, SENDER_NONCE, "senderNonce")?.ok_or(missing("senderNonce"))?;
    Ok(ReplyTo { transaction, nonce, message_type, digest: signer.digest })
}

fn verify(
    signed: &SignedData,
    signer_info: &SignerInfo,
    signer: Option<&Certificate>,
    reply_to: &ReplyTo,
    legacy: bool,
) -> Result<PkiMessage, ScepError> {
    // Message types are an allow-list, looked at before any other branch.
    let message_type = MessageType::from_text(&reply_to.message_type)?;
    let bad = ScepError::Signature(PkiError::BadSignature { what: "message" });
    if let Some(error) = &signer_info.unsupported {
        return Err(ScepError::Algorithm(error.clone()));
    }
    let signer = signer.ok_or(bad.clone())?;
    if signer_info.digest == Digest::Sha1 && !legacy {
        return Err(ScepError::Legacy("SHA-1"));
    }
    let signer_key = signer.public_key().map_err(key_fault)?;
    let envelope = signed.content.clone().ok_or(bad.clone())?;
    if signed.content_type != oids::DATA {
        return Err(bad);
    }
    signer_info.verify(&signer_key, oids::DATA, &envelope).map_err(ScepError::Signature)?;
    Ok(PkiMessage {
        message_type,
        reply_to: reply_to.clone(),
        signer: signer.clone(),
        signer_key,
        signing_time: signing_time(signer_info)?,
        envelope,
        signer_info: signer_info.clone(),
    })
}

fn key_fault(error: PkiError) -> ScepError {
    match &error {
        PkiError::Unsupported { value, .. } if value.starts_with("rsa:") => ScepError::Key(error),
        PkiError::Unsupported { .. } => ScepError::Algorithm(error),
        _ => ScepError::Signature(error),
    }
}

/// A registration certificate with its decryption key.
#[derive(Clone, Copy)]
pub struct RegistrationKey<'a> {
    /// The certificate that clients encrypt to.
    pub certificate: &'a Certificate,
    /// Its key.
    pub decrypter: &'a dyn Decrypter,
}

/// Whether a wrapped key has the form that the key unwraps at all: a number of its length and below its modulus, by a known transport.
fn can_be_unwrapped(key: &RegistrationKey<'_>, recipient: &Recipient) -> bool {
    let modulus = || {
        let public = key.certificate.public_key().ok()?;
        let mut fields = Reader::sequence_of(spki::subject_public_key(&public.spki).ok()?, "RSA public key").ok()?;
        Some(fields.unsigned().ok()?.to_vec())
    };
    let wrapped = &recipient.encrypted_key;
    recipient.transport.is_some() && modulus().is_some_and(|modulus| wrapped.len() == modulus.len() && *wrapped < modulus)
}

/// A recipient that unwraps to nothing of use.
fn decoy(key: &RegistrationKey<'_>) -> Recipient {
    let length = key.certificate.public_key().map_or(256, |public| match public.kind {
        KeyKind::Rsa(bits) => usize::from(bits / 8),
        _ => 256,
    });
    let encrypted_key = (0..length).map(|n| u8::from(n > 0)).collect();
    Recipient { identifier: Identifier::KeyIdentifier(Vec::new()), transport: Some(KeyTransport::Pkcs1), encrypted_key }
}

/// An envelope whose algorithms are accepted; still closed.
#[derive(Debug, Clone)]
pub struct Envelope(EnvelopedData);

/// How the request was encrypted; the reply does the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mirror {
    /// Content encryption.
    pub cipher: ContentCipher,
    /// Key transport.
    pub transport: KeyTransport,
}

impl PkiMessage {
    /// Reads the envelope and checks its algorithms, before any key is touched.
    ///
    /// # Errors
    /// [`ScepError::Algorithm`], [`ScepError::Legacy`], [`ScepError::Envelope`].
    pub fn envelope(&self, legacy: bool) -> Result<Envelope, ScepError> {
        let envelope = EnvelopedData::decode(&self.envelope).map_err(|error| match error {
            PkiError::Unsupported { what: "content encryption" | "digest", .. } => ScepError::Algorithm(error),
            other => ScepError::Envelope(other),
        })?;
        if envelope.cipher.is_legacy() && !legacy {
            return Err(ScepError::Legacy(envelope.cipher.name()));
        }
        Ok(Envelope(envelope))
    }

    /// Decrypts the envelope with the one of our keys that it names.
    ///
    /// # Errors
    /// [`ScepError::Envelope`].
    pub fn open(
        &self,
        envelope: &Envelope,
        keys: &[RegistrationKey<'_>],
        rejection_secret: &SecretBytes,
    ) -> Result<(SecretBytes, Mirror), ScepError> {
        let named = keys.iter().find_map(|key| envelope.0.recipient(key.certificate).map(|recipient| (key, recipient)));
        let opened = match named {
            Some((key, recipient)) if can_be_unwrapped(key, recipient) => {
                envelope.0.open(recipient, key.decrypter, rejection_secret).map(|plain| (plain, recipient))
            }
            _ => {
                // Anybody can see that this is for none of our keys; all the same it takes as long as if it were.
                if let Some(key) = keys.first() {
                    let _ = std::hint::black_box(envelope.0.open(&decoy(key), key.decrypter, rejection_secret));
                }
                Err(PkiError::Decrypt)
            }
        };
        let (plain, recipient) = opened.map_err(|error| {
            self.spend_a_verification();
            ScepError::Envelope(error)
        })?;
        let transport = recipient.transport.unwrap_or(KeyTransport::Pkcs1);
        Ok((plain, Mirror { cipher: envelope.0.cipher, transport }))
    }

    /// Verifies the message once more, for nothing but the time it takes: a message whose envelope holds no readable request must not be
    /// refused sooner than one whose request has a wrong signature (security.md, section 2, "SCEP decryption").
    fn spend_a_verification(&self) {
        let _ = std::hint::black_box(self.signer_info.verify(&self.signer_key, oids::DATA, &self.envelope));
    }

    /// Reads the decrypted request of a PKCSReq or RenewalReq and verifies its own signature. For a self-signed signer the keys must be
    /// the same.
    ///
    /// # Errors
    /// [`ScepError::Envelope`], [`ScepError::SignerKey`], [`ScepError::Key`].
    pub fn certification_request(
        &self,
        plain: &SecretBytes,
        signer_is_ours: bool,
        legacy: bool,
    ) -> Result<CertificationRequest, ScepError> {
        let csr = decode_csr(plain.expose(), legacy).map_err(|error| match error {
            PkiError::Unsupported { what: "public key", .. } => ScepError::Key(error),
            PkiError::BadSignature { .. } => ScepError::Envelope(error),
            other => {
                self.spend_a_verification();
                ScepError::Envelope(other)
            }
        })?;
        if !signer_is_ours && csr.content.key.spki != self.signer_key.spki {
            return Err(ScepError::SignerKey);
        }
        Ok(csr)
    }

    /// Checks the form of a decrypted CertPoll (IssuerAndSubject). Its names are not used: some clients name the registration
    /// certificate as issuer.
    ///
    /// # Errors
    /// [`ScepError::Envelope`].
    pub fn issuer_and_subject(&self, plain: &SecretBytes) -> Result<(), ScepError> {
        let read = || {
            let mut reader = Reader::sequence_of(plain.expose(), "IssuerAndSubject")?;
            reader.expect(tag::SEQUENCE)?;
            reader.expect(tag::SEQUENCE)?;
            reader.finish()
        };
        read().map_err(ScepError::Envelope)
    }

    /// Reads the decrypted question of a GetCert or GetCRL (IssuerAndSerialNumber): the issuer's name as encoded and the serial number.
    ///
    /// # Errors
    /// [`ScepError::Envelope`]; [`ScepError::NoCertificate`] for a serial number that no certificate can have.
    pub fn issuer_and_serial(&self, plain: &SecretBytes) -> Result<(Vec<u8>, SerialNumber), ScepError> {
        let read = || {
            let mut reader = Reader::sequence_of(plain.expose(), "IssuerAndSerialNumber")?;
            let issuer = reader.expect(tag::SEQUENCE)?.raw.to_vec();
            let serial = reader.expect(tag::INTEGER)?.contents.to_vec();
            reader.finish()?;
            Ok((issuer, serial))
        };
        let (issuer, serial) = read().map_err(ScepError::Envelope)?;
        let positive = serial.first().is_some_and(|first| *first < 0x80);
        let serial = SerialNumber::from_magnitude(&serial).filter(|_| positive);
        Ok((issuer, serial.ok_or(ScepError::NoCertificate)?))
    }
}

impl Envelope {
    /// Whether it is encrypted to the key of this certificate, as far as it says.
    #[must_use]
    pub fn is_for(&self, certificate: &Certificate) -> bool {
        self.0.recipient(certificate).is_some()
    }

    /// How it is encrypted to whichever of our keys it names.
    #[must_use]
    pub fn mirror(&self, keys: &[RegistrationKey<'_>]) -> Option<Mirror> {
        let recipient = keys.iter().find_map(|key| self.0.recipient(key.certificate))?;
        Some(Mirror { cipher: self.0.cipher, transport: recipient.transport? })
    }

    /// Content encryption.
    #[must_use]
    pub const fn cipher(&self) -> ContentCipher {
        self.0.cipher
    }

    /// What was tolerated, and what the reply will do alike.
    #[must_use]
    pub fn accommodations(&self, keys: &[RegistrationKey<'_>]) -> Vec<Accommodation> {
        let oaep = self.mirror(keys).is_some_and(|mirror| matches!(mirror.transport, KeyTransport::Oaep(_)));
        let noted = [
            (self.0.is_ber, Accommodation::Ber),
            (self.0.cipher.is_legacy(), Accommodation::LegacyCipher),
            (self.0.recipients.len() > 1, Accommodation::SeveralRecipients),
            (oaep, Accommodation::Oaep),
        ];
        noted.into_iter().filter(|(odd, _)| *odd).map(|(_, what)| what).collect()
    }
}
