//! The issuing CA that is to follow the one in use: prepared, so that clients can learn of it by GetNextCACert long before, and put in its
//! place (RFC 8894, section 4.7).
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
    time::Span,
};
use lanyard_pki::crypto::{
    random::random,
    software::{SoftwareSigner, generate},
};
use lanyard_ra::service::ServiceRole;

use super::{crl, service_certificate};
use crate::{
    error::ServerError,
    keyring::{IN_USE, ISSUING, Keyring, SUCCESSOR, first},
    state::Server,
};

/// How much longer a successor must last for the change-over to come by itself.
const DAY: Span = Span::from_days(1);

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
    let current = ring.authority(ring.issuing())?;
    let root = ring.authority(&name("root")?)?;
    let number = (2..).find(|n| name(&format!("{ISSUING}-{n}")).is_ok_and(|name| ring.authority(&name).is_err())).unwrap_or(2);
    let successor = name(&format!("{ISSUING}-{number}"))?;
    let now = server.now();
    let kind = current.certificate().public_key()?.kind;
    let key = tokio::task::spawn_blocking(move || generate(kind)).await;
    let key = key.map_err(|_| ServerError::Conflict("making the key was interrupted".into()))??;
    let signer = SoftwareSigner::from_pkcs8(&key)?;
    let serial = SerialNumber::from_random(random()?);
    let certificate =
        ceremony::issuing(&numbered(ring.authority(&first()?)?.certificate().subject()?, number), &signer, root, &serial, now)?;
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
        detail: Some(format!("follows {}, key {}, until {not_after}", ring.issuing(), authority_key(&authority)?)),
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
    server.replace_keyring(ring);
    crl::issue(server, &successor).await?;
    tracing::info!(authority = %successor, "the successor of the issuing CA is prepared and announced");
    Ok(successor)
}

/// Puts the announced successor in the place of the issuing CA in use. The one before goes on signing CRLs, its certificates can be renewed,
/// and messages to its registration certificate are answered until that one ends. Other nodes follow within a few seconds.
///
/// # Errors
/// [`ServerError::Conflict`] when no successor is announced; storage and key errors.
pub async fn take_over(server: &Server, by: &str) -> Result<AuthorityName, ServerError> {
    let ring = server.keyring.get();
    let none = || ServerError::Conflict("no successor is announced; 'lanyard ca successor' makes one".into());
    let successor = ring.announced_successor().ok_or_else(none)?;
    let (before, name) = (ring.issuing(), successor.name());
    let now = server.now();
    let (first, last) = successor.validity();
    if !(first..=last).contains(&now) {
        return Err(ServerError::Conflict(format!("{name} is valid from {first} to {last}, not now")));
    }
    let audit = AuditEvent {
        object: Some(name.to_string()),
        detail: Some(format!("in the place of {before}")),
        ..server.event(AuditKind::SuccessorTookOver, by)
    };
    server.store.change_setting(IN_USE, name.to_string().into_bytes(), server.leadership.lease(), audit).await?;
    server.replace_keyring(Keyring::open(server.store.as_ref(), &server.unseal, &server.config.url, now).await?);
    tracing::info!(issuing = %name, %before, "the successor issues from now on");
    Ok(name.clone())
}

/// Changes over once certificates of the CA in use would be cut short by its end, if a successor is announced.
///
/// # Errors
/// Those of [`take_over`].
pub async fn take_over_if_due(server: &Server) -> Result<(), ServerError> {
    let ring = server.keyring.get();
    let Some(successor) = ring.announced_successor() else { return Ok(()) };
    let (_, last) = ring.authority(ring.issuing())?.validity();
    let policy = server.policy();
    let longest = policy.templates.iter().filter(|t| t.issuing_ca == *ring.issuing()).map(|t| t.validity.lifetime).max();
    let lasts_longer = successor.validity().1 >= last + DAY;
    if lasts_longer && longest.is_some_and(|lifetime| server.now() + lifetime > last) {
        take_over(server, "job:successor").await?;
    }
    Ok(())
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
