//! EnvelopedData with RSA key transport (RFC 5652, section 6).

use lanyard_model::{key::PublicKey, secret::SecretBytes};

use super::{sign::content_info, signed::Identifier};
use crate::{
    ber,
    certificate::Certificate,
    crypto::{
        cipher::{self, ContentCipher},
        digest::hmac_sha256,
        transport::wrap_key,
    },
    error::PkiError,
    key::Decrypter,
    oids,
    signature::Digest,
    tlv::{Reader, tag},
    write,
};

const WHAT: &str = "EnvelopedData";
/// Most recipients that are read.
pub const MAX_RECIPIENTS: usize = 4;

/// How the content-encryption key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTransport {
    /// RSAES-PKCS1-v1_5.
    Pkcs1,
    /// RSAES-OAEP with this digest, also in MGF1, and an empty label.
    Oaep(Digest),
}

/// One recipient.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Names its certificate.
    pub identifier: Identifier,
    /// How the key is wrapped; `None` when the algorithm is not known.
    pub transport: Option<KeyTransport>,
    /// The wrapped key.
    pub encrypted_key: Vec<u8>,
}

/// An EnvelopedData, decoded; nothing is decrypted yet.
#[derive(Debug, Clone)]
pub struct EnvelopedData {
    /// Recipients in the order received.
    pub recipients: Vec<Recipient>,
    /// Content encryption.
    pub cipher: ContentCipher,
    /// Whether it came in an encoding that is not DER.
    pub is_ber: bool,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl EnvelopedData {
    /// Reads a ContentInfo with EnvelopedData from BER or DER.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Limit`], [`PkiError::Unsupported`] (the content encryption).
    pub fn decode(bytes: &[u8]) -> Result<Self, PkiError> {
        let der = ber::normalise(bytes)?;
        let mut fields = super::signed::content_info(&der, oids::ENVELOPED_DATA, WHAT)?;
        fields.small()?;
        fields.optional(tag::context(0))?;
        let mut infos = fields.expect(tag::SET)?.reader(WHAT);
        let mut recipients = Vec::new();
        let mut count = 0;
        while !infos.is_empty() {
            count += 1;
            if count > MAX_RECIPIENTS {
                return Err(PkiError::Limit { what: "number of recipients", limit: MAX_RECIPIENTS });
            }
            let info = infos.any()?;
            // Only KeyTransRecipientInfo is a plain SEQUENCE; key agreement and passwords are not for us.
            if info.tag == tag::SEQUENCE {
                recipients.push(recipient(info.reader(WHAT))?);
            }
        }
        let mut content = fields.sequence()?;
        if content.oid()? != oids::DATA {
            return Err(PkiError::Malformed { what: "EnvelopedData content type", at: 0 });
        }
        let mut algorithm = content.sequence()?;
        let cipher = ContentCipher::from_oid(algorithm.oid()?)?;
        let iv = algorithm.expect(tag::OCTET_STRING)?.contents.to_vec();
        algorithm.finish()?;
        let encrypted = content.any()?;
        content.finish()?;
        // Chunks under a context tag stay as they are when the rest is normalised.
        let is_ber = der != bytes || encrypted.tag == 0xa0;
        let ciphertext = match encrypted.tag {
            0x80 => ber::join_chunks(true, encrypted.contents, WHAT)?,
            0xa0 => ber::join_chunks(false, encrypted.contents, WHAT)?,
            _ => return Err(PkiError::Malformed { what: WHAT, at: encrypted.at }),
        };
        if iv.len() != cipher.iv_length() {
            return Err(PkiError::Malformed { what: "initialisation vector", at: 0 });
        }
        Ok(Self { recipients, cipher, is_ber, iv, ciphertext })
    }

    /// The recipient entry that names this certificate.
    #[must_use]
    pub fn recipient(&self, certificate: &Certificate) -> Option<&Recipient> {
        self.recipients.iter().find(|r| r.identifier.names(certificate))
    }

    /// Decrypts with the key of one recipient. When unwrapping fails or yields a key of the wrong length, decryption goes on with a key
    /// derived from `rejection_secret` and the ciphertext and fails later in the same way (RFC 3218, implicit rejection).
    ///
    /// # Errors
    /// [`PkiError::Decrypt`], always the same.
    pub fn open(
        &self,
        recipient: &Recipient,
        key: &dyn Decrypter,
        rejection_secret: &SecretBytes,
    ) -> Result<SecretBytes, PkiError> {
        let substitute = hmac_sha256(rejection_secret.expose(), &[&recipient.encrypted_key, &self.ciphertext]);
        let length = self.cipher.key_length();
        let transport = recipient.transport.ok_or(PkiError::Decrypt)?;
        let content_key = match key.unwrap_key(transport, &recipient.encrypted_key) {
            Ok(unwrapped) if unwrapped.expose().len() == length => unwrapped,
            _ => SecretBytes::new(substitute.into_iter().take(length).collect()),
        };
        cipher::decrypt(self.cipher, &content_key, &self.iv, &self.ciphertext)
    }
}

fn recipient(mut reader: Reader<'_>) -> Result<Recipient, PkiError> {
    reader.small()?;
    let identifier = Identifier::read(&mut reader)?;
    let mut algorithm = reader.sequence()?;
    let transport = match algorithm.oid()? {
        oids::RSA_ENCRYPTION => Some(KeyTransport::Pkcs1),
        oids::RSAES_OAEP => oaep(&mut algorithm)?.map(KeyTransport::Oaep),
        _ => None,
    };
    let encrypted_key = reader.expect(tag::OCTET_STRING)?.contents.to_vec();
    reader.finish()?;
    Ok(Recipient { identifier, transport, encrypted_key })
}

/// Reads RSAES-OAEP-params (RFC 8017, appendix A.2.1); `None` for combinations that are not known.
fn oaep(algorithm: &mut Reader<'_>) -> Result<Option<Digest>, PkiError> {
    const PARAMS: &str = "RSAES-OAEP-params";
    if algorithm.is_empty() {
        return Ok(Some(Digest::Sha1));
    }
    let mut params = algorithm.sequence()?;
    let hash = match params.optional(tag::context(0))? {
        Some(element) => Digest::from_oid(element.reader(PARAMS).sequence()?.oid()?)?,
        None => Digest::Sha1,
    };
    let mgf = match params.optional(tag::context(1))? {
        Some(element) => {
            let mut mgf = element.reader(PARAMS).sequence()?;
            mgf.oid()?;
            Digest::from_oid(mgf.sequence()?.oid()?)?
        }
        None => Digest::Sha1,
    };
    Ok((hash == mgf).then_some(hash))
}

/// Encrypts content of type data to one recipient.
///
/// # Errors
/// [`PkiError::Key`] when the recipient's key is not RSA.
pub fn seal(
    plain: &[u8],
    recipient: &Certificate,
    recipient_key: &PublicKey,
    cipher: ContentCipher,
    transport: KeyTransport,
) -> Result<Vec<u8>, PkiError> {
    let (key, iv, ciphertext) = cipher::encrypt(cipher, plain)?;
    let wrapped = wrap_key(recipient_key, transport, &key)?;
    let transport = match transport {
        KeyTransport::Pkcs1 => write::sequence(&[write::oid(oids::RSA_ENCRYPTION), write::null()]),
        KeyTransport::Oaep(digest) => {
            let hash = write::sequence(&[write::oid(digest.oid()), write::null()]);
            let mgf = write::sequence(&[write::oid(oids::MGF1), hash.clone()]);
            write::sequence(&[
                write::oid(oids::RSAES_OAEP),
                write::sequence(&[write::explicit(0, &hash), write::explicit(1, &mgf)]),
            ])
        }
    };
    let info = write::sequence(&[
        write::integer(0),
        Identifier::encode_issuer_and_serial(recipient),
        transport,
        write::octet_string(&wrapped),
    ]);
    let content = write::sequence(&[
        write::oid(oids::DATA),
        write::sequence(&[write::oid(cipher.oid()), write::octet_string(&iv)]),
        write::element(tag::context_primitive(0), &ciphertext),
    ]);
    Ok(content_info(oids::ENVELOPED_DATA, &write::sequence(&[write::integer(0), write::constructed(tag::SET, &[info]), content])))
}
