//! Whose a policy is: a signature by the registration certificate of an authority that leads to a root which this device trusts, or which a
//! person named by its fingerprint.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_enroll::scep::client::trust::may_register;
use lanyard_model::{time::Timestamp, usage::KeyUsage};
use lanyard_pki::{
    certificate::{Certificate, pkix::build_chain},
    cms::signed::SignedData,
    crypto::digest::constant_time_eq,
    extension, oids,
    signature::Digest,
};
use serde::Deserialize;

use super::document::Document;
use crate::{
    error::AgentError,
    store::{DeviceStore, Room},
};

/// A policy whose signature was verified.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What it says.
    pub document: Document,
    /// Who signed it.
    pub signer: Certificate,
    /// The root that this leads to.
    pub root: Certificate,
}

/// The one thing that is read before the signature is verified: certificates among which one with a known fingerprint may be.
#[derive(Deserialize)]
struct Offered {
    #[serde(default)]
    roots: Vec<String>,
}

/// Verifies a policy and reads it. With `pinned`, the root with this SHA-256 that the file brings counts as trusted, and no other.
///
/// # Errors
/// [`AgentError::Policy`] when it is no signed policy, was altered, is signed by somebody who may not, leads to no trusted root, has expired, or
/// says what is not known here.
pub fn open(octets: &[u8], store: &DeviceStore, pinned: Option<&[u8; 32]>, now: Timestamp) -> Result<Signed, AgentError> {
    let refuse = |why: &str| AgentError::Policy(why.to_owned());
    let signed = SignedData::decode(octets).map_err(|error| AgentError::Policy(format!("it is no signed file ({error})")))?;
    let (Some(content), [by]) = (&signed.content, signed.signers.as_slice()) else {
        return Err(refuse("it is a signature without a content, or without a signer"));
    };
    let signer = signed.certificates.iter().find(|one| by.identifier.names(one));
    let signer = signer.ok_or_else(|| refuse("the certificate of its signer is missing"))?;
    if by.digest == Digest::Sha1 || signed.content_type != oids::DATA {
        return Err(refuse("it is signed in a way that is not accepted"));
    }
    let key = signer.public_key().map_err(|error| AgentError::Policy(format!("its signer's key cannot be used ({error})")))?;
    by.verify(&key, oids::DATA, content)
        .map_err(|_| refuse("its signature does not verify: it was altered, or damaged on the way"))?;
    if signer.is_ca() || !may_register(signer) || !may_sign(signer) {
        return Err(refuse("it is signed by a certificate that is not a registration authority's, such as a device's"));
    }
    let anchors = match pinned {
        None => store.certificates_in(Room::Root)?,
        Some(pinned) => pinned_root(content, store, pinned)?,
    };
    let chain = build_chain(signer, &signed.certificates, &anchors, now).map_err(|_| {
        if signer.is_valid_at(now) {
            refuse("whoever signed it is not known: no root that this device trusts vouches for them")
        } else {
            refuse("the certificate of its signer is not valid at this moment")
        }
    })?;
    let root = chain.last().copied().unwrap_or(signer).clone();
    let document = Document::decode(content)?;
    if let Some(until) = document.good_until.filter(|until| now >= *until) {
        return Err(AgentError::Policy(format!("it expired on {until}, with the permissions in it")));
    }
    Ok(Signed { document, signer: signer.clone(), root })
}

/// The root that a person named, from the store or from the file itself.
fn pinned_root(content: &[u8], store: &DeviceStore, pinned: &[u8; 32]) -> Result<Vec<Certificate>, AgentError> {
    let offered: Offered = serde_json::from_slice(content).unwrap_or(Offered { roots: Vec::new() });
    let decode = |text: String| Certificate::decode(&STANDARD.decode(text).ok()?).ok();
    let mut found = store.certificates_in(Room::Root)?;
    found.extend(offered.roots.into_iter().filter_map(decode));
    found.retain(|one| one.is_ca() && constant_time_eq(&one.fingerprint(), pinned));
    found.truncate(1);
    if found.is_empty() {
        return Err(AgentError::Policy("no root with that fingerprint is in it or in the store".to_owned()));
    }
    Ok(found)
}

fn may_sign(certificate: &Certificate) -> bool {
    let extensions = certificate.extensions().unwrap_or_default();
    let usages = extension::find(&extensions, oids::KEY_USAGE).and_then(|one| extension::decode_key_usage(&one.value).ok());
    usages.is_some_and(|usages| usages.contains(&KeyUsage::DigitalSignature))
}
