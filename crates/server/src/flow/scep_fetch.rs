//! GetCert and GetCRL (RFC 8894, sections 4.5 and 4.6), for devices that cannot fetch by HTTP.
//!
//! A profile has to allow them, and only the holder of a valid certificate of ours is answered. Nothing is changed by them.

use lanyard_ca::authority::Authority;
use lanyard_enroll::scep::{
    attributes::MessageType,
    error::ScepError,
    reply::{CertRep, encode},
    request::{Mirror, PkiMessage},
};
use lanyard_model::{enroll::RequestSigner, secret::SecretBytes, serial::SerialNumber};
use lanyard_pki::{certificate::Certificate, crypto::digest::sha256};

use super::scep::Session;
use crate::error::{ServerError, chain};

/// Answers an opened GetCert or GetCRL with a CertRep, or says why it is refused.
///
/// # Errors
/// Our own failures only.
pub(super) async fn fetch(
    session: &Session<'_>,
    message: &PkiMessage,
    plain: &SecretBytes,
    mirror: Mirror,
) -> Result<Result<Vec<u8>, ScepError>, ServerError> {
    if !may_ask(session, &message.signer).await? {
        return Ok(Err(ScepError::Requester));
    }
    let (issuer, serial) = match message.issuer_and_serial(plain) {
        Ok(named) => named,
        Err(error) => return Ok(Err(error)),
    };
    let Some(authority) = session.ring.authorities().find(|a| a.certificate().subject_der() == issuer) else {
        return Ok(Err(ScepError::NoCertificate));
    };
    let found = match message.message_type {
        MessageType::GetCrl => session.server.store.load_crl(authority.name()).await?.map(|crl| crl.der),
        _ => certificate(session, authority, &serial).await?,
    };
    let Some(der) = found else { return Ok(Err(ScepError::NoCertificate)) };
    let (recipient, recipient_key) = (&message.signer, &message.signer_key);
    let certificates = [der.as_slice()];
    let reply = match message.message_type {
        MessageType::GetCrl => CertRep::Crl { crl: &der, recipient, recipient_key, mirror },
        _ => CertRep::Success { certificates: &certificates, recipient, recipient_key, mirror },
    };
    let reply = encode(reply, &message.reply_to, session.replier()?).map_err(|e| ServerError::Conflict(chain(&e)))?;
    tracing::info!(message_type = %message.message_type, issuer = %authority.name(), %serial, "fetched by SCEP");
    Ok(Ok(reply))
}

/// Whether the signer's certificate is one of ours, the very one on record, valid now and not revoked.
async fn may_ask(session: &Session<'_>, signer: &Certificate) -> Result<bool, ServerError> {
    let RequestSigner::Ours { issuer, serial, .. } = session.classify(signer) else { return Ok(false) };
    let Some(record) = session.server.store.load_certificate(&issuer, &serial).await? else { return Ok(false) };
    let same = record.der.is_some_and(|der| sha256(&der) == signer.fingerprint());
    Ok(same && record.revocation.is_none() && signer.is_valid_at(session.server.now()))
}

/// A certificate of an authority: one of the CAs below it, or one on record.
async fn certificate(
    session: &Session<'_>,
    authority: &Authority,
    serial: &SerialNumber,
) -> Result<Option<Vec<u8>>, ServerError> {
    let named = |c: &Certificate| c.issuer_der() == authority.certificate().subject_der() && c.serial().as_ref() == Some(serial);
    if let Some(ca) = session.ring.authorities().map(|a| a.certificate()).find(|c| named(c)) {
        return Ok(Some(ca.der().to_vec()));
    }
    let record = session.server.store.load_certificate(authority.name(), serial).await?;
    Ok(record.and_then(|record| record.der))
}
