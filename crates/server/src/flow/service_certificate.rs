//! The authority's own service certificates: registration and TLS. They go through the same gate as every other certificate.

use lanyard_ca::{authority::Authority, keys::unseal::UnsealKey, prepare::prepare};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::{AuthorityRecord, AuthorityRole, SealedKey},
    id::{KeyId, RequestId},
    key::KeyKind,
    lease::LeaseRecord,
    san::SubjectAltName,
    serial::SerialNumber,
    time::Timestamp,
};
use lanyard_pki::{
    crypto::{random::random, software},
    key::Signer,
};
use lanyard_ra::service::{self, ServiceRole};
use lanyard_store::ports::{Begun, Durability, Intent, Opening, Signed, Store};

use crate::error::ServerError;

/// What a new service certificate is made of.
pub struct Order<'a> {
    /// Issuing authority.
    pub authority: &'a Authority,
    /// Organisation's name.
    pub organization: &'a str,
    /// Names of the server; unused for a registration certificate.
    pub names: Vec<SubjectAltName>,
    /// Who asked: `init`, `job:service-certificates`.
    pub by: &'a str,
    /// The present.
    pub now: Timestamp,
    /// The lease that the order rests on, where other nodes may be there.
    pub lease: Option<LeaseRecord>,
}

/// Makes key and certificate of a service and stores both.
///
/// # Errors
/// Policy, key and storage errors.
pub async fn issue(store: &dyn Store, unseal: &UnsealKey, role: ServiceRole, order: Order<'_>) -> Result<(), ServerError> {
    let (authority_role, kind) = match role {
        ServiceRole::Registration => (AuthorityRole::Registration, KeyKind::Rsa(2048)),
        ServiceRole::TlsServer => (AuthorityRole::Tls, KeyKind::EcP256),
    };
    let pkcs8 = tokio::task::spawn_blocking(move || software::generate(kind)).await;
    let pkcs8 = pkcs8.map_err(|_| ServerError::Conflict("making a key was interrupted".into()))??;
    let public = software::SoftwareSigner::from_pkcs8(&pkcs8)?.public_key().clone();
    let Order { authority, organization, names, by, now, lease } = order;
    let request = RequestId::generate(now);
    let grant = service::grant(role, authority.name().clone(), organization, public, names, request, now)?;
    let prepared = prepare(authority, &grant, SerialNumber::from_random(random()?), now)?;
    let serial = prepared.serial().clone();
    let record = prepared.intent(now);
    let (not_before, not_after) = (record.not_before, record.not_after);
    let event = |kind| AuditEvent {
        at: now,
        kind,
        actor: by.to_owned(),
        request: Some(request),
        reason: None,
        object: Some(serial.to_string()),
        detail: Some(format!("{authority_role} certificate of {}, until {not_after}", authority.name())),
    };
    let intent = Intent {
        certificate: record,
        request: None,
        challenge: None,
        renews: None,
        opening: Opening::New,
        audit: event(AuditKind::RequestGranted),
        now,
        durability: Durability::BeforeSigning,
    };
    match store.begin_issuance(intent).await? {
        Begun::Done => {}
        other => return Err(ServerError::Conflict(format!("a service certificate could not be begun: {other:?}"))),
    }
    let der = prepared.lint(authority)?.sign(authority)?;
    let signed = Signed {
        issuer: authority.name().clone(),
        serial: serial.clone(),
        der: der.clone(),
        request: None,
        supersedes: None,
        withdrawn: None,
        notices: Vec::new(),
        audit: vec![event(AuditKind::CertificateIssued)],
    };
    store.finish_issuance(signed).await?;
    let key = key_id(authority_role, &serial)?;
    let sealed: SealedKey = unseal.seal(key.clone(), &pkcs8, now)?;
    let certificate =
        AuthorityRecord { name: authority.name().clone(), role: authority_role, certificate: der, key, not_before, not_after };
    store.save_authority(vec![sealed], vec![certificate], lease, event(AuditKind::ServiceCertificateRenewed)).await?;
    Ok(())
}

/// Names a key by its role and a number that does not recur.
///
/// # Errors
/// Never in practice: both parts fit the alphabet.
pub fn key_id(role: AuthorityRole, serial: &SerialNumber) -> Result<KeyId, ServerError> {
    format!("{role}-{serial}").parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}

/// Whether a service certificate should be renewed: two thirds of its life are over.
#[must_use]
pub fn is_due(not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> bool {
    let third = (not_after.secs() - not_before.secs()) / 3;
    now.secs() >= not_after.secs() - third
}

/// Names for a service certificate from the configured texts; a registration certificate has none.
///
/// # Errors
/// [`ServerError::Invalid`] naming the text.
pub fn names(role: ServiceRole, texts: &[String]) -> Result<Vec<SubjectAltName>, ServerError> {
    match role {
        ServiceRole::Registration => Ok(Vec::new()),
        ServiceRole::TlsServer => {
            texts.iter().map(|text| text.parse().map_err(|e| ServerError::Invalid(format!("tls-names: {e}")))).collect()
        }
    }
}
