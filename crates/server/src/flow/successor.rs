//! Preparing the issuing CA that is to follow the one in use, so that clients can learn of it by GetNextCACert long before.
//!
//! Order of things: the setting that names it, the new CA under the same root, and last its registration certificate: other nodes read
//! everything anew when a certificate of the authority was added.

use lanyard_ca::{authority::Authority, ceremony};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::{AuthorityRecord, AuthorityRole},
    id::AuthorityName,
    name::DistinguishedName,
    serial::SerialNumber,
};
use lanyard_pki::crypto::{
    random::random,
    software::{SoftwareSigner, generate},
};
use lanyard_ra::service::ServiceRole;

use super::{crl, scep::ISSUING, service_certificate};
use crate::{
    error::ServerError,
    keyring::{Keyring, SUCCESSOR},
    state::Server,
};

/// Makes the successor of the issuing CA and announces it. Until the change-over nothing is issued from it but its own registration
/// certificate.
///
/// # Errors
/// [`ServerError::Conflict`] when there is one already; key and storage errors.
pub async fn prepare(server: &Server, by: &str) -> Result<AuthorityName, ServerError> {
    let ring = server.keyring.get();
    if let Some(successor) = ring.successor() {
        return Err(ServerError::Conflict(format!("there is a successor already: {}", successor.name())));
    }
    let current = ring.authority(&name(ISSUING)?)?;
    let root = ring.authority(&name("root")?)?;
    let number = (2..).find(|n| name(&format!("{ISSUING}-{n}")).is_ok_and(|name| ring.authority(&name).is_err())).unwrap_or(2);
    let successor = name(&format!("{ISSUING}-{number}"))?;
    let now = server.now();
    let kind = current.certificate().public_key()?.kind;
    let key = tokio::task::spawn_blocking(move || generate(kind)).await;
    let key = key.map_err(|_| ServerError::Conflict("making the key was interrupted".into()))??;
    let signer = SoftwareSigner::from_pkcs8(&key)?;
    let serial = SerialNumber::from_random(random()?);
    let certificate = ceremony::issuing(&numbered(current.certificate().subject()?, number), &signer, root, &serial, now)?;
    let url = &server.config.url;
    let (crl_url, certificate_url) = (format!("{url}/crl/{successor}.crl"), format!("{url}/ca/{successor}.cer"));
    let authority = Authority::new(successor.clone(), certificate, Box::new(signer), crl_url, certificate_url)?;
    let id = service_certificate::key_id(AuthorityRole::Issuing, &serial)?;
    let (not_before, not_after) = authority.validity();
    let record = AuthorityRecord {
        name: successor.clone(),
        role: AuthorityRole::Issuing,
        certificate: authority.certificate().der().to_vec(),
        key: id.clone(),
        not_before,
        not_after,
    };
    let audit = AuditEvent {
        object: Some(successor.to_string()),
        detail: Some(format!("follows {ISSUING}, key {}, until {not_after}", authority_key(&authority)?)),
        ..server.event(AuditKind::SuccessorPrepared, by)
    };
    let lease = server.leadership.lease();
    server.store.save_setting(SUCCESSOR, successor.to_string().into_bytes()).await?;
    server.store.save_authority(vec![server.unseal.seal(id, &key, now)?], vec![record], lease.clone(), audit).await?;
    let order = service_certificate::Order {
        authority: &authority,
        organization: &server.config.organization,
        names: Vec::new(),
        by,
        now,
        lease,
    };
    service_certificate::issue(server.store.as_ref(), &server.unseal, ServiceRole::Registration, order).await?;
    let ring = Keyring::open(server.store.as_ref(), &server.unseal, url, now).await?;
    server.keyring.replace(ring);
    crl::issue(server, &successor).await?;
    tracing::info!(authority = %successor, "the successor of the issuing CA is prepared and announced");
    Ok(successor)
}

fn authority_key(authority: &Authority) -> Result<String, ServerError> {
    Ok(authority.certificate().public_key()?.kind.to_string())
}

/// The name of the CA in use with a number behind its common name.
fn numbered(mut subject: DistinguishedName, number: u32) -> DistinguishedName {
    if let Some(common_name) = subject.0.first_mut() {
        common_name.value = format!("{} {number}", common_name.value);
    }
    subject
}

fn name(text: &str) -> Result<AuthorityName, ServerError> {
    text.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}
