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
    tlv::tag,
    write,
};

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

    /// ContentInfo.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let info = write::sequence(&[
            write::integer(0),
            self.recipient.clone(),
            self.transport.clone(),
            write::octet_string(&self.wrapped),
        ]);
        let content = write::sequence(&[
            write::oid(oids::DATA),
            write::sequence(&[write::oid(self.cipher), write::octet_string(&self.iv)]),
            write::element(tag::context_primitive(0), &self.ciphertext),
        ]);
        let infos = write::constructed(tag::SET, &vec![info; self.recipients]);
        let data = write::sequence(&[write::integer(0), infos, content]);
        write::sequence(&[write::oid(oids::ENVELOPED_DATA), write::explicit(0, &data)])
    }
}
