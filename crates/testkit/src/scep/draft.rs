//! The signed layer of a message, every part of which can be changed before it is signed.

use lanyard_model::oid::Oid;
use lanyard_pki::{
    certificate::Certificate,
    cms::signed::Identifier,
    crypto::digest::digest_with,
    key::Signer,
    oids,
    signature::{Digest, SignatureAlgorithm},
    tlv::tag,
    write,
};

use super::ber::{in_chunks, indefinite};
use crate::keys::Key;

/// A signed attribute with as many values as wanted, each DER.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Type.
    pub oid: Oid,
    /// Values.
    pub values: Vec<Vec<u8>>,
}

/// A SignedData before it is signed.
#[derive(Clone)]
pub struct Draft {
    /// eContent.
    pub content: Option<Vec<u8>>,
    /// eContentType.
    pub content_type: Oid,
    /// Signed attributes; contentType and messageDigest are added unless they are here.
    pub attributes: Vec<Attribute>,
    /// Digest of the signature.
    pub digest: Digest,
    /// Named as signer.
    pub certificate: Certificate,
    /// Sent along.
    pub certificates: Vec<Vec<u8>>,
    /// Signs.
    pub key: &'static Key,
    /// How many SignerInfos.
    pub signers: usize,
    /// What stands in digestAlgorithms.
    pub digest_algorithms: Vec<Vec<u8>>,
    /// Whether lengths are indefinite and strings in chunks wherever the signature allows it.
    pub ber: bool,
}

/// What a signature is made over and how it is named.
pub struct Unsigned {
    /// The signed attributes as the SET OF that the signature covers.
    pub attributes: Vec<u8>,
    /// digestAlgorithm, DER.
    pub digest: Vec<u8>,
    /// signatureAlgorithm, DER.
    pub algorithm: Vec<u8>,
}

impl Draft {
    /// Puts these values in place of whatever the attribute had.
    pub fn set(&mut self, oid: Oid, values: Vec<Vec<u8>>) {
        self.remove(oid);
        self.attributes.push(Attribute { oid, values });
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, oid: Oid) {
        self.attributes.retain(|a| a.oid != oid);
    }

    fn natural(&self) -> SignatureAlgorithm {
        match self.key.public().kind {
            kind if kind.is_rsa() => SignatureAlgorithm::RsaPkcs1(self.digest),
            kind => SignatureAlgorithm::natural(kind),
        }
    }

    /// What is to be signed.
    #[must_use]
    pub fn unsigned(&self) -> Unsigned {
        let algorithm = self.natural();
        let mut attributes = self.attributes.clone();
        let mut add = |oid, value: Vec<u8>| {
            if !attributes.iter().any(|a| a.oid == oid) {
                attributes.push(Attribute { oid, values: vec![value] });
            }
        };
        add(oids::CONTENT_TYPE, write::oid(self.content_type));
        let digest = digest_with(algorithm.digest(), self.content.as_deref().unwrap_or_default());
        add(oids::MESSAGE_DIGEST, write::octet_string(&digest));
        let encoded =
            attributes.into_iter().map(|a| write::sequence(&[write::oid(a.oid), write::constructed(tag::SET, &a.values)]));
        Unsigned {
            attributes: write::set_of(encoded.collect()),
            digest: algorithm.digest().identifier(),
            algorithm: algorithm.identifier(),
        }
    }

    /// The message.
    ///
    /// # Panics
    /// When the key cannot sign so.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        let unsigned = self.unsigned();
        let signature = self.key.signer.sign(self.natural(), &unsigned.attributes).expect("a signature");
        self.with_signature(unsigned, &signature)
    }

    /// The message with a signature that was made elsewhere.
    #[must_use]
    pub fn with_signature(&self, unsigned: Unsigned, signature: &[u8]) -> Vec<u8> {
        let mut implicit = unsigned.attributes;
        implicit[0] = tag::context(0);
        let info = write::sequence(&[
            write::integer(1),
            Identifier::encode_issuer_and_serial(&self.certificate),
            unsigned.digest,
            implicit,
            unsigned.algorithm,
            write::octet_string(signature),
        ]);
        let wrap = |tag: u8, parts: &[Vec<u8>]| if self.ber { indefinite(tag, parts) } else { write::constructed(tag, parts) };
        let mut encapsulated = vec![write::oid(self.content_type)];
        if let Some(content) = &self.content {
            let octets = if self.ber { in_chunks(0x24, content) } else { write::octet_string(content) };
            encapsulated.push(wrap(tag::context(0), &[octets]));
        }
        let data = wrap(
            tag::SEQUENCE,
            &[
                write::integer(1),
                write::constructed(tag::SET, &self.digest_algorithms),
                wrap(tag::SEQUENCE, &encapsulated),
                wrap(tag::context(0), &self.certificates),
                wrap(tag::SET, &vec![info; self.signers]),
            ],
        );
        wrap(tag::SEQUENCE, &[write::oid(oids::SIGNED_DATA), wrap(tag::context(0), &[data])])
    }
}
