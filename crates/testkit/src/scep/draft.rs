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

    /// The message.
    ///
    /// # Panics
    /// When the key cannot sign so.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        let algorithm = match self.key.public().kind {
            kind if kind.is_rsa() => SignatureAlgorithm::RsaPkcs1(self.digest),
            kind => SignatureAlgorithm::natural(kind),
        };
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
        let mut signed = write::set_of(encoded.collect());
        let signature = self.key.signer.sign(algorithm, &signed).expect("a signature");
        signed[0] = tag::context(0);
        let info = write::sequence(&[
            write::integer(1),
            Identifier::encode_issuer_and_serial(&self.certificate),
            algorithm.digest().identifier(),
            signed,
            algorithm.identifier(),
            write::octet_string(&signature),
        ]);
        let mut encapsulated = vec![write::oid(self.content_type)];
        if let Some(content) = &self.content {
            encapsulated.push(write::explicit(0, &write::octet_string(content)));
        }
        let data = write::sequence(&[
            write::integer(1),
            write::constructed(tag::SET, &self.digest_algorithms),
            write::sequence(&encapsulated),
            write::constructed(tag::context(0), &self.certificates),
            write::constructed(tag::SET, &vec![info; self.signers]),
        ]);
        write::sequence(&[write::oid(oids::SIGNED_DATA), write::explicit(0, &data)])
    }
}
