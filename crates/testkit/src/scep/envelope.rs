//! The encrypted layer of a message, every part of which can be changed before it is encoded.

use lanyard_model::{oid::Oid, secret::SecretBytes};
use lanyard_pki::{
    certificate::Certificate,
    cms::{enveloped::KeyTransport, signed::Identifier},
    crypto::{
        cipher::{ContentCipher, encrypt},
        transport::wrap_key,
    },
    oids,
    signature::Digest,
    tlv::tag,
    write,
};

use super::ber::{in_chunks, indefinite};

/// An EnvelopedData before it is encoded.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// issuerAndSerialNumber of the recipient.
    pub recipient: Vec<u8>,
    /// Key encryption algorithm.
    pub transport: Vec<u8>,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// Content encryption algorithm.
    pub cipher: Oid,
    /// Initialisation vector.
    pub iv: Vec<u8>,
    /// Ciphertext.
    pub ciphertext: Vec<u8>,
    /// How many RecipientInfos, all alike.
    pub recipients: usize,
    /// RecipientInfos before these, DER.
    pub others: Vec<Vec<u8>>,
    /// Whether lengths are indefinite and the ciphertext in chunks.
    pub ber: bool,
}

impl Envelope {
    /// Encrypts to a certificate by AES-128 and PKCS#1.
    #[must_use]
    pub fn seal(plain: &[u8], recipient: &Certificate) -> Self {
        Self::seal_with(plain, recipient, ContentCipher::Aes128)
    }

    /// Encrypts to a certificate by this cipher.
    ///
    /// # Panics
    /// When the certificate has no RSA key.
    #[must_use]
    pub fn seal_with(plain: &[u8], recipient: &Certificate, cipher: ContentCipher) -> Self {
        let (key, iv, ciphertext) = encrypt(cipher, plain).unwrap();
        let mut envelope = Self {
            recipient: Identifier::encode_issuer_and_serial(recipient),
            transport: write::sequence(&[write::oid(oids::RSA_ENCRYPTION), write::null()]),
            wrapped: Vec::new(),
            cipher: cipher.oid(),
            iv,
            ciphertext,
            recipients: 1,
            others: Vec::new(),
            ber: false,
        };
        envelope.wrap(recipient, &key);
        envelope
    }

    /// Wraps another key than the one the content is encrypted with.
    ///
    /// # Panics
    /// When the certificate has no RSA key.
    pub fn wrap(&mut self, recipient: &Certificate, key: &SecretBytes) {
        self.wrapped = wrap_key(&recipient.public_key().unwrap(), KeyTransport::Pkcs1, key).unwrap();
    }

    /// Encrypts to a certificate by AES-128 and OAEP with this digest; `parameters` is the whole AlgorithmIdentifier.
    ///
    /// # Panics
    /// When the certificate has no RSA key.
    #[must_use]
    pub fn seal_oaep(plain: &[u8], recipient: &Certificate, digest: Digest, algorithm: Vec<u8>) -> Self {
        let (key, iv, ciphertext) = encrypt(ContentCipher::Aes128, plain).unwrap();
        let wrapped = wrap_key(&recipient.public_key().unwrap(), KeyTransport::Oaep(digest), &key).unwrap();
        Self { transport: algorithm, wrapped, iv, ciphertext, ..Self::seal(plain, recipient) }
    }

    /// One RecipientInfo.
    #[must_use]
    pub fn recipient_info(&self) -> Vec<u8> {
        write::sequence(&[write::integer(0), self.recipient.clone(), self.transport.clone(), write::octet_string(&self.wrapped)])
    }

    /// ContentInfo.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wrap = |tag: u8, parts: &[Vec<u8>]| if self.ber { indefinite(tag, parts) } else { write::constructed(tag, parts) };
        let ciphertext = match self.ber {
            true => in_chunks(tag::context(0), &self.ciphertext),
            false => write::element(tag::context_primitive(0), &self.ciphertext),
        };
        let content = wrap(
            tag::SEQUENCE,
            &[write::oid(oids::DATA), write::sequence(&[write::oid(self.cipher), write::octet_string(&self.iv)]), ciphertext],
        );
        let mut infos = self.others.clone();
        infos.extend(vec![self.recipient_info(); self.recipients]);
        let data = wrap(tag::SEQUENCE, &[write::integer(0), wrap(tag::SET, &infos), content]);
        wrap(tag::SEQUENCE, &[write::oid(oids::ENVELOPED_DATA), wrap(tag::context(0), &[data])])
    }
}
