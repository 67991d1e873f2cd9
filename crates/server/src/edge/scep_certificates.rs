//! The answers to GetCACert and GetNextCACert, in the shape that profile and client want.

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use lanyard_enroll::scep::{
    accommodation::Accommodation,
    reply::{NEXT_CA_CERTIFICATE, Replier, ca_certificates, next_ca_certificates},
};
use lanyard_model::{
    id::AuthorityName,
    profile::{CaCertificates, Profile},
};

use super::scep_evidence::HttpEvidence;
use crate::{
    error::{ServerError, chain},
    keyring::{Keyring, Registration},
    state::Server,
};

/// The answer to GetCACert.
///
/// # Errors
/// [`ServerError::NotFound`] without a registration certificate.
pub fn current(server: &Server, profile: &Profile, evidence: &HttpEvidence) -> Result<Response, ServerError> {
    let ring = server.keyring.get();
    let recognised = evidence.recognise();
    let shape = profile.offered_to(recognised.map(|r| r.client));
    let (media_type, body) = ca_certificates(&offered(&ring, ring.issuing(), profile, shape)?);
    let different = match shape {
        CaCertificates::Chain => None,
        CaCertificates::Rsa => Some(Accommodation::RsaCertificatesOnly),
        CaCertificates::Registration => Some(Accommodation::RegistrationCertificateOnly),
    };
    tracing::info!(
        profile = %profile.name,
        client = recognised.map(|r| r.client.as_str()),
        recognised_by = recognised.map(|r| r.by),
        accommodations = different.map(Accommodation::as_str),
        media_type,
        "SCEP certificates sent"
    );
    Ok(([(CONTENT_TYPE, media_type)], body).into_response())
}

/// The answer to GetNextCACert, when a successor is prepared.
///
/// # Errors
/// [`ServerError::NotFound`] without a registration certificate; key errors.
pub fn next(server: &Server, profile: &Profile) -> Result<Option<Response>, ServerError> {
    let ring = server.keyring.get();
    let Some(successor) = ring.announced_successor() else { return Ok(None) };
    let now = registration(&ring, ring.issuing())?;
    let certificates = offered(&ring, successor.name(), profile, profile.offered_to(None))?;
    let by = Replier { certificate: &now.certificate, signer: now.signer.as_ref() };
    let body = next_ca_certificates(&certificates, by).map_err(|e| ServerError::Conflict(chain(&e)))?;
    Ok(Some(([(CONTENT_TYPE, NEXT_CA_CERTIFICATE)], body).into_response()))
}

fn registration<'a>(ring: &'a Keyring, authority: &AuthorityName) -> Result<&'a Registration, ServerError> {
    let registration = ring.registrations(authority).first();
    registration
        .map(AsRef::as_ref)
        .ok_or_else(|| ServerError::NotFound { what: "registration certificate of", name: authority.to_string() })
}

/// Registration certificate, issuing CA, further issuers, root last.
fn offered<'a>(
    ring: &'a Keyring,
    authority: &AuthorityName,
    profile: &Profile,
    shape: CaCertificates,
) -> Result<Vec<&'a [u8]>, ServerError> {
    let mut certificates = vec![registration(ring, authority)?.certificate.der()];
    let above = ring.chain(authority).into_iter().filter(|c| profile.include_root || !c.is_self_issued());
    match shape {
        CaCertificates::Registration => {}
        CaCertificates::Chain => certificates.extend(above.map(|c| c.der())),
        // QUIRK(scepclient 2.1.0): encrypts to every certificate offered, and crashes on one whose key is not RSA.
        CaCertificates::Rsa => {
            certificates.extend(above.filter(|c| c.public_key().is_ok_and(|key| key.kind.is_rsa())).map(|c| c.der()));
        }
    }
    Ok(certificates)
}
