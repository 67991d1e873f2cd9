//! The XML signature of an enrolment that is authenticated by a certificate (MS-MDE2, section 3.5; W3C xmldsig-core).
//!
//! Only what such a client sends is understood: parts of the same message named by `u:Id`, exclusive canonicalisation, RSA. A part counts
//! only where this program looks for it too (the header's children, those of the security header, the body), so that a signed part
//! cannot be moved aside and another put in its place.

use lanyard_model::secret::{SecretBytes, SecretText};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{
        digest::{constant_time_eq, digest_with},
        verify::verify as verify_octets,
    },
    error::PkiError,
    key::Signer,
    signature::{Digest, SignatureAlgorithm},
};

use super::{
    BinarySecurityToken, Credential, Request, RequestHeader, ValueType, base64,
    c14n::canonicalize,
    namespace::{EXCLUSIVE_C14N, REQUEST_PREFIXES, SECURITY, SIGNATURE, SOAP, UTILITY},
};
use crate::{
    error::MdmError,
    xml::{Element, Limits, Node, read, write},
};

const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const TOKEN_ID: &str = "uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-1";
const TIMESTAMP_ID: &str = "_0";
const BODY_ID: &str = "_1";
/// Most parts that one signature covers.
const MAX_REFERENCES: usize = 8;

/// A signature that holds. The certificate is whatever the message brought: whether it may enrol is for others to find out.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The certificate whose key signed.
    pub certificate: Certificate,
    /// Whether the body is covered. If it is not, only TLS protects the request.
    pub covers_body: bool,
}

/// Verifies the signature of a request with the certificate it brings. The time stamp must be among what is signed; whether it is recent
/// is for the caller, see [`super::Lifetime`]. `allow_sha1` accepts SHA-1, which a sample of the documentation declares.
///
/// # Errors
/// [`MdmError::Signature`], [`MdmError::Security`], and those of the structure.
pub fn verify(request: &Request, allow_sha1: bool) -> Result<Signed, MdmError> {
    let wrong = MdmError::Signature;
    let envelope = request.envelope();
    let header = envelope.require(SOAP, "Header")?;
    let security = header.require(SECURITY, "Security")?;
    let signature = security.require(SIGNATURE, "Signature")?;
    let Credential::Certificate(der) = request.header.security.credential()? else {
        return Err(wrong("there is no certificate beside it"));
    };
    let certificate = Certificate::decode(der.expose()).map_err(|_| wrong("its certificate cannot be read"))?;

    let key_info = signature.require(SIGNATURE, "KeyInfo")?.require(SECURITY, "SecurityTokenReference")?;
    let named = key_info.require(SECURITY, "Reference")?.attribute("", "URI").and_then(|uri| uri.strip_prefix('#'));
    let token_id = request.header.security.token.as_ref().and_then(|token| token.id.as_deref());
    if named.is_none() || named != token_id {
        return Err(wrong("it names another certificate than the one beside it"));
    }

    let info = signature.require(SIGNATURE, "SignedInfo")?;
    check_canonicalization(info.require(SIGNATURE, "CanonicalizationMethod")?)?;
    let algorithm = match info.require(SIGNATURE, "SignatureMethod")?.attribute("", "Algorithm") {
        Some(RSA_SHA256) => SignatureAlgorithm::RsaPkcs1(Digest::Sha256),
        Some(RSA_SHA1) if allow_sha1 => SignatureAlgorithm::RsaPkcs1(Digest::Sha1),
        _ => return Err(wrong("its algorithm is not accepted")),
    };
    let value = base64::decode(signature.require_text(SIGNATURE, "SignatureValue")?);
    let value = value.ok_or_else(|| wrong("it is no base64"))?;
    let key = certificate.public_key().map_err(|_| wrong("the key of its certificate cannot be used"))?;
    verify_octets(&key, algorithm, canonicalize(info).as_bytes(), &value, "message")
        .map_err(|_| wrong("it was not made by the key of its certificate"))?;

    let body = envelope.require(SOAP, "Body")?;
    let parts: Vec<&Element> = header.children().chain(security.children()).chain(std::iter::once(body)).collect();
    let mut covers_timestamp = false;
    let mut covers_body = false;
    for (count, reference) in info.all(SIGNATURE, "Reference").enumerate() {
        if count >= MAX_REFERENCES {
            return Err(wrong("it covers too many parts"));
        }
        let part = referenced(reference, &parts)?;
        check_digest(reference, part, allow_sha1)?;
        covers_timestamp |= part.is(UTILITY, "Timestamp");
        covers_body |= std::ptr::eq(part, body);
    }
    if covers_timestamp { Ok(Signed { certificate, covers_body }) } else { Err(wrong("it does not cover the time stamp")) }
}

fn check_canonicalization(method: &Element) -> Result<(), MdmError> {
    let is_exclusive = method.attribute("", "Algorithm") == Some(EXCLUSIVE_C14N);
    // With a list of prefixes the result would be another one.
    let has_list = method.children().any(|child| child.attribute("", "PrefixList").is_some_and(|list| !list.trim().is_empty()));
    if is_exclusive && !has_list { Ok(()) } else { Err(MdmError::Signature("its canonicalisation is not accepted")) }
}

/// The one part that a reference names.
fn referenced<'a>(reference: &Element, parts: &[&'a Element]) -> Result<&'a Element, MdmError> {
    let id = reference.attribute("", "URI").and_then(|uri| uri.strip_prefix('#')).filter(|id| !id.is_empty());
    let id = id.ok_or(MdmError::Signature("it covers something outside the message"))?;
    let mut found = parts.iter().filter(|part| part.attribute(UTILITY, "Id") == Some(id));
    match (found.next(), found.next()) {
        (Some(part), None) => Ok(part),
        _ => Err(MdmError::Signature("it covers a part that is not there, or there twice")),
    }
}

fn check_digest(reference: &Element, part: &Element, allow_sha1: bool) -> Result<(), MdmError> {
    let mut transforms = reference.require(SIGNATURE, "Transforms")?.children();
    match (transforms.next(), transforms.next()) {
        (Some(transform), None) if transform.is(SIGNATURE, "Transform") => check_canonicalization(transform)?,
        _ => return Err(MdmError::Signature("it has other transforms than canonicalisation")),
    }
    let digest = match reference.require(SIGNATURE, "DigestMethod")?.attribute("", "Algorithm") {
        Some(SHA256) => Digest::Sha256,
        Some(SHA1) if allow_sha1 => Digest::Sha1,
        _ => return Err(MdmError::Signature("a digest is not accepted")),
    };
    let value = base64::decode(reference.require_text(SIGNATURE, "DigestValue")?).unwrap_or_default();
    if constant_time_eq(&value, &digest_with(digest, canonicalize(part).as_bytes())) {
        Ok(())
    } else {
        Err(MdmError::Signature("a part was changed"))
    }
}

/// A request signed with the key of a certificate, RSA with SHA-256, over time stamp and body. The header must have a time stamp; its
/// token becomes the certificate.
///
/// # Errors
/// [`MdmError::Own`] when the key is none of RSA or cannot sign, [`MdmError::Security`] without a time stamp, [`MdmError::Unwritable`].
pub fn sign(header: &RequestHeader, body: Element, key: &dyn Signer, certificate: &Certificate) -> Result<SecretText, MdmError> {
    if header.security.timestamp.is_none() {
        return Err(MdmError::Security("there is no time stamp to sign"));
    }
    let mut header = header.clone();
    header.security.username = None;
    header.security.token = Some(BinarySecurityToken {
        id: Some(TOKEN_ID.to_owned()),
        value_type: ValueType::DeviceEnrollmentUserToken,
        octets: SecretBytes::new(certificate.der().to_vec()),
    });
    let mut envelope = header.envelope(body)?;
    let body = child_mut(&mut envelope, SOAP, "Body")?;
    *body = body.clone().with_attribute(UTILITY, "Id", BODY_ID);

    let written = as_written(&envelope)?;
    let timestamp = written.require(SOAP, "Header")?.require(SECURITY, "Security")?.require(UTILITY, "Timestamp")?;
    let info = Element::new(SIGNATURE, "SignedInfo")
        .child(algorithm("CanonicalizationMethod", EXCLUSIVE_C14N))
        .child(algorithm("SignatureMethod", RSA_SHA256))
        .child(reference(TIMESTAMP_ID, timestamp))
        .child(reference(BODY_ID, written.require(SOAP, "Body")?));
    security_mut(&mut envelope)?.push(Element::new(SIGNATURE, "Signature").child(info));

    let written = as_written(&envelope)?;
    let signature = written.require(SOAP, "Header")?.require(SECURITY, "Security")?.require(SIGNATURE, "Signature")?;
    let octets = canonicalize(signature.require(SIGNATURE, "SignedInfo")?);
    let value = key.sign(SignatureAlgorithm::RsaPkcs1(Digest::Sha256), octets.as_bytes()).map_err(MdmError::Own)?;
    let token = Element::new(SECURITY, "Reference")
        .with("URI", format!("#{TOKEN_ID}"))
        .with("ValueType", ValueType::DeviceEnrollmentUserToken.uri());
    let key_info = Element::new(SIGNATURE, "KeyInfo").child(Element::new(SECURITY, "SecurityTokenReference").child(token));
    let security = security_mut(&mut envelope)?;
    let signature = child_mut(security, SIGNATURE, "Signature")?;
    *signature = signature.clone().leaf("SignatureValue", base64::encode(value)).child(key_info);
    Ok(SecretText::new(write(&envelope, &prefixes(), false)?))
}

/// Those of every request, and that of signatures.
fn prefixes() -> Vec<(&'static str, &'static str)> {
    REQUEST_PREFIXES.iter().copied().chain([("ds", SIGNATURE)]).collect()
}

/// The tree with the prefixes that it is written with, which are part of what is signed.
fn as_written(envelope: &Element) -> Result<Element, MdmError> {
    read(write(envelope, &prefixes(), false)?.as_bytes(), &Limits::SOAP)
}

fn security_mut(envelope: &mut Element) -> Result<&mut Element, MdmError> {
    child_mut(child_mut(envelope, SOAP, "Header")?, SECURITY, "Security")
}

fn child_mut<'a>(parent: &'a mut Element, namespace: &str, local: &str) -> Result<&'a mut Element, MdmError> {
    let child = parent.nodes.iter_mut().find_map(|node| match node {
        Node::Element(child) if child.is(namespace, local) => Some(child),
        _ => None,
    });
    child.ok_or(MdmError::Own(PkiError::Malformed { what: "request", at: 0 }))
}

fn algorithm(name: &'static str, algorithm: &str) -> Element {
    Element::new(SIGNATURE, name).with("Algorithm", algorithm)
}

fn reference(id: &str, part: &Element) -> Element {
    let digest = digest_with(Digest::Sha256, canonicalize(part).as_bytes());
    Element::new(SIGNATURE, "Reference")
        .with("URI", format!("#{id}"))
        .child(Element::new(SIGNATURE, "Transforms").child(algorithm("Transform", EXCLUSIVE_C14N)))
        .child(algorithm("DigestMethod", SHA256))
        .leaf("DigestValue", base64::encode(digest))
}
