//! Making the authorities themselves: a self-signed root and an issuing CA under it.

use lanyard_model::{
    name::DistinguishedName,
    serial::SerialNumber,
    time::{Span, Timestamp},
    usage::{KeyUsage, KeyUsages},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    extension::{
        Extension, encode_authority_key_identifier, encode_basic_constraints, encode_ca_issuers, encode_crl_distribution_points,
        encode_key_usage,
    },
    key::Signer,
    name, oids,
    signature::SignatureAlgorithm,
    spki, write,
};

use crate::{authority::Authority, error::CaError};

/// Life of a root.
pub const ROOT_LIFETIME: Span = Span::from_days(20 * 365);
/// Life of an issuing CA.
pub const ISSUING_LIFETIME: Span = Span::from_days(10 * 365);
/// How far notBefore lies before the present: further than that of what is issued on the first day, whose lives are then not cut.
const BACKDATE: Span = Span::from_secs(25 * 3600);

fn crypto(source: lanyard_pki::error::PkiError) -> CaError {
    CaError::Crypto { action: "make an authority", source }
}

/// Makes a self-signed root certificate.
///
/// # Errors
/// [`CaError::Crypto`].
pub fn root(
    subject: &DistinguishedName,
    key: &dyn Signer,
    serial: &SerialNumber,
    now: Timestamp,
) -> Result<Certificate, CaError> {
    let subject = name::encode(subject);
    let usages = [KeyUsage::KeyCertSign, KeyUsage::CrlSign].into();
    let mut extensions = vec![Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(Some(None)))];
    extensions.extend(usage_and_key_identifier(&usages, key)?);
    certificate(&subject, &subject, key, key, serial, &extensions, validity(now, ROOT_LIFETIME, None))
}

/// Makes the certificate of an issuing CA that may not have CAs below it.
///
/// # Errors
/// [`CaError::Crypto`].
pub fn issuing(
    subject: &DistinguishedName,
    key: &dyn Signer,
    parent: &Authority,
    serial: &SerialNumber,
    now: Timestamp,
) -> Result<Certificate, CaError> {
    // digitalSignature because RFC 8894, section 2.1.2, wants it on CA certificates that SCEP clients see.
    let usages = [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign].into();
    let mut extensions = vec![
        Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(Some(Some(0)))),
        Extension::plain(oids::AUTHORITY_KEY_IDENTIFIER, encode_authority_key_identifier(parent.key_identifier())),
    ];
    extensions.extend(usage_and_key_identifier(&usages, key)?);
    extensions.push(Extension::plain(oids::CRL_DISTRIBUTION_POINTS, encode_crl_distribution_points(parent.crl_url())));
    extensions.push(Extension::plain(oids::AUTHORITY_INFO_ACCESS, encode_ca_issuers(parent.certificate_url())));
    let validity = validity(now, ISSUING_LIFETIME, Some(parent));
    certificate(&name::encode(subject), parent.certificate().subject_der(), key, parent.signer(), serial, &extensions, validity)
}

fn usage_and_key_identifier(usages: &KeyUsages, key: &dyn Signer) -> Result<[Extension; 2], CaError> {
    let identifier = spki::key_identifier(&key.public_key().spki).map_err(crypto)?;
    Ok([
        Extension::critical(oids::KEY_USAGE, encode_key_usage(usages)),
        Extension::plain(oids::SUBJECT_KEY_IDENTIFIER, write::octet_string(&identifier)),
    ])
}

fn validity(now: Timestamp, lifetime: Span, parent: Option<&Authority>) -> (Timestamp, Timestamp) {
    let first = now.truncated() - BACKDATE;
    let last = first + lifetime - Span::from_secs(1);
    match parent.map(Authority::validity) {
        None => (first, last),
        Some((parent_first, parent_last)) => (first.max(parent_first), last.min(parent_last)),
    }
}

fn certificate(
    subject: &[u8],
    issuer: &[u8],
    key: &dyn Signer,
    signer: &dyn Signer,
    serial: &SerialNumber,
    extensions: &[Extension],
    (not_before, not_after): (Timestamp, Timestamp),
) -> Result<Certificate, CaError> {
    let algorithm = SignatureAlgorithm::natural(signer.public_key().kind);
    let spki = &key.public_key().spki;
    let tbs = TbsCertificate { serial, algorithm, issuer, not_before, not_after, subject, spki, extensions }.encode();
    let signature = signer.sign(algorithm, &tbs).map_err(crypto)?;
    Certificate::decode(&assemble(&tbs, algorithm, &signature)).map_err(crypto)
}
