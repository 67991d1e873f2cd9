//! What a device shows after it renewed its identity: that it had the old one, for the enrolment it is of.

use lanyard_mdm::{
    syncml::Item,
    wstep::{ReAssociation, verify_ent_dmid},
};
use lanyard_model::{
    fleet::Enrollment,
    time::{Span, Timestamp},
};
use lanyard_pki::certificate::Certificate;

use crate::{error::ServerError, state::Server};

/// How wrong a device's clock may be.
const CLOCK: Span = Span::from_days(1);

/// What in a device's answer contradicts its renewal, for people; nothing when it is proved, or when the device shows nothing that could be
/// judged: the renewal itself was signed with the old key already.
///
/// # Errors
/// Storage errors.
pub(super) async fn contradiction(
    server: &Server,
    enrollment: &Enrollment,
    items: &[Item],
    now: Timestamp,
) -> Result<Option<String>, ServerError> {
    let value = |name: &str| {
        let of = |item: &&Item| item.source_uri().is_some_and(|uri| uri.ends_with(name));
        items.iter().find(of).map(Item::trimmed).filter(|text| !text.is_empty())
    };
    let id = enrollment.id.to_string();
    if value("/EntDMID").is_some_and(|shown| shown != id) {
        return Ok(Some("EntDMID is that of another enrolment".to_owned()));
    }
    let Some(signed) = value("/SignedEntDMID") else { return Ok(None) };
    let Some((old, _)) = &enrollment.retired else { return Ok(None) };
    let record = server.store.load_certificate(&old.issuer, &old.serial).await?;
    let Some(der) = record.and_then(|record| record.der) else { return Ok(None) };
    match verify_ent_dmid(signed, &id, &Certificate::decode(&der)?) {
        ReAssociation::Proved => {}
        ReAssociation::Wrong => {
            return Ok(Some(format!("SignedEntDMID was not made with the key of certificate {}", old.serial)));
        }
        ReAssociation::Unreadable => {
            tracing::warn!(device = %enrollment.device, "SignedEntDMID has a form that is not known");
            return Ok(None);
        }
    }
    let at = value("/CertRenewTimeStamp").and_then(lanyard_mdm::soap::time::decode);
    if at.is_some_and(|at| at > now + CLOCK || at < enrollment.identity.not_before - CLOCK) {
        return Ok(Some("CertRenewTimeStamp is not of this renewal".to_owned()));
    }
    Ok(None)
}
