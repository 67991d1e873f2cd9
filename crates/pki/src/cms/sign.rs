//! Making SignedData (RFC 5652, section 5).

use lanyard_model::{key::KeyKind, oid::Oid};

use super::signed::Identifier;
use crate::{
    certificate::Certificate,
    crypto::digest::digest_with,
    error::PkiError,
    key::Signer,
    oids,
    signature::{Digest, SignatureAlgorithm},
    tlv::tag,
    write,
};

/// An attribute to be signed: its type and its one value, DER.
#[derive(Debug, Clone)]
pub struct SignedAttribute {
    /// Type.
    pub oid: Oid,
    /// Value, DER.
    pub value: Vec<u8>,
}

/// Signs content of type data. `content` absent leaves eContent out (the digest is then that of nothing). contentType and messageDigest are added
/// to the attributes; `certificates` are written in the order given.
///
/// # Errors
/// What the key answers.
pub fn sign(
    content: Option<&[u8]>,
    attributes: Vec<SignedAttribute>,
    digest: Digest,
    signer: &dyn Signer,
    certificate: &Certificate,
    certificates: &[&Certificate],
) -> Result<Vec<u8>, PkiError> {
    let algorithm = match signer.public_key().kind {
        KeyKind::Rsa(_) => SignatureAlgorithm::RsaPkcs1(digest),
        kind => SignatureAlgorithm::natural(kind),
    };
    let digest = algorithm.digest();
    let mut encoded: Vec<Vec<u8>> = attributes.into_iter().map(|a| attribute(a.oid, a.value)).collect();
    encoded.push(attribute(oids::CONTENT_TYPE, write::oid(oids::DATA)));
    encoded.push(attribute(oids::MESSAGE_DIGEST, write::octet_string(&digest_with(digest, content.unwrap_or_default()))));
    let signed = write::set_of(encoded);
    let signature = signer.sign(algorithm, &signed)?;
    // QUIRK(strongSwan 5.9.8): reads only plain rsaEncryption here, which CMS allows and everybody else accepts too.
    let signature_algorithm = match algorithm {
        SignatureAlgorithm::RsaPkcs1(_) | SignatureAlgorithm::RsaPss(_) => {
            write::sequence(&[write::oid(oids::RSA_ENCRYPTION), write::null()])
        }
        other => other.identifier(),
    };
    let mut implicit = signed;
    if let Some(first) = implicit.first_mut() {
        *first = tag::context(0);
    }
    let info = write::sequence(&[
        write::integer(1),
        Identifier::encode_issuer_and_serial(certificate),
        digest.identifier(),
        implicit,
        signature_algorithm,
        write::octet_string(&signature),
    ]);
    let mut encapsulated = vec![write::oid(oids::DATA)];
    if let Some(content) = content {
        encapsulated.push(write::explicit(0, &write::octet_string(content)));
    }
    let ders: Vec<&[u8]> = certificates.iter().map(|c| c.der()).collect();
    Ok(content_info(
        oids::SIGNED_DATA,
        &write::sequence(&[
            write::integer(1),
            write::constructed(tag::SET, &[digest.identifier()]),
            write::sequence(&encapsulated),
            write::constructed(tag::context(0), &ders),
            write::constructed(tag::SET, &[info]),
        ]),
    ))
}

/// A certs-only SignedData (RFC 8894, section 3.4): no content, no signers, certificates in the order given.
#[must_use]
pub fn certificates_only<T: AsRef<[u8]>>(certificates: &[T]) -> Vec<u8> {
    degenerate(write::constructed(tag::context(0), certificates))
}

/// A SignedData that carries nothing but CRLs (RFC 8894, section 3.3.2.1, for GetCRL).
#[must_use]
pub fn crls_only<T: AsRef<[u8]>>(crls: &[T]) -> Vec<u8> {
    degenerate(write::constructed(tag::context(1), crls))
}

/// A SignedData without content and signers around one of its sets (RFC 5652, section 5.2).
fn degenerate(set: Vec<u8>) -> Vec<u8> {
    content_info(
        oids::SIGNED_DATA,
        &write::sequence(&[
            write::integer(1),
            write::constructed::<Vec<u8>>(tag::SET, &[]),
            write::sequence(&[write::oid(oids::DATA)]),
            set,
            write::constructed::<Vec<u8>>(tag::SET, &[]),
        ]),
    )
}

/// ContentInfo.
pub(super) fn content_info(oid: Oid, content: &[u8]) -> Vec<u8> {
    write::sequence(&[write::oid(oid), write::explicit(0, content)])
}

fn attribute(oid: Oid, value: Vec<u8>) -> Vec<u8> {
    write::sequence(&[write::oid(oid), write::set_of(vec![value])])
}
