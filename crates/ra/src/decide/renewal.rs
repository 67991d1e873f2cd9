//! Requests signed with a certificate of ours and without a challenge (scep.md, section 9; ndes-policy T9).

use lanyard_model::{
    certificate::CertificateRecord, enroll::EnrollRequest, id::AuthorityName, serial::SerialNumber, template::ValidityRule,
    time::Timestamp,
};
use lanyard_pki::crypto::digest::sha256;

use super::{
    compare,
    decision::{Decision, Facts, Known},
    entitled,
    entry::Case,
    issue,
};
use crate::{
    grant::Grant,
    order,
    pattern::Records,
    reason::{Reason, Refusal},
};

/// Decides by the certificate on record: its names, user and device are those of the new one.
pub(super) fn decide(
    case: &Case<'_>,
    issuer: &AuthorityName,
    serial: &SerialNumber,
    digest: &[u8; 32],
    known: &mut Known,
) -> Result<Decision, Refusal> {
    let Case { request, facts, policy, now, .. } = *case;
    let record = on_record(request, facts, (issuer, serial), digest)?;
    known.template = record.template.as_ref().map(|(name, _)| name.clone());
    known.user.clone_from(&record.user);
    known.device.clone_from(&record.device);
    let weak_accepted = policy.profiles.find(&request.profile).is_some_and(|p| p.sha1_renewals && p.legacy_algorithms);
    if !request.strong_signature && !weak_accepted {
        return Err(Refusal::plain(Reason::RenewalWeakSignature));
    }
    let Some((template_name, _)) = &record.template else {
        let detail = format!("certificate {serial} is a service certificate of the authority, which no request renews");
        return Err(Refusal::new(Reason::RenewalUnknownCertificate, detail));
    };
    if let Some(revocation) = &record.revocation {
        let detail = format!("certificate {serial} was revoked at {} ({})", revocation.at, revocation.reason);
        return Err(Refusal::new(Reason::RenewalRevoked, detail));
    }
    if record.profile.as_ref() != Some(&request.profile) {
        let through = record.profile.as_ref().map_or("no profile", |p| p.as_str());
        let detail = format!("certificate {serial} was issued through {through}, the request came to {}", request.profile);
        return Err(Refusal::new(Reason::RenewalOtherProfile, detail));
    }
    let compiled = order::usable(policy, &request.profile, template_name, request.protocol)?;
    let template = &compiled.template;
    in_window(record, &template.validity, now)?;
    let (user, device) = entitled::check(record.user.as_ref(), record.device.as_ref(), facts)?;
    order::assigned(policy, &request.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::names_still_fit(compiled, &records, &record.subject, &record.san)?;
    compare::claims(&request.content, &record.subject, &record.san, &order::usages(template))?;
    order::key_accepted(template, request.content.key.kind)?;

    let key = request.content.key.clone();
    let content = issue::content(template, record.subject.clone(), record.san.clone(), key, now);
    let grant = Grant::new(content, request.id)
        .under(template.name.clone(), template.revision, request.profile.clone())
        .meant_for(record.user.clone(), record.device.clone())
        .renewing(record);
    Ok(Decision::Grant(Box::new(grant)))
}

/// The record of the signer's certificate, if it is that very certificate and that very key.
pub(super) fn on_record<'f>(
    request: &EnrollRequest,
    facts: &'f Facts,
    (issuer, serial): (&AuthorityName, &SerialNumber),
    digest: &[u8; 32],
) -> Result<&'f CertificateRecord, Refusal> {
    let unknown = || Refusal::new(Reason::RenewalUnknownCertificate, format!("certificate {serial} is not on record"));
    let named = |record: &&CertificateRecord| record.serial == *serial && record.issuer == *issuer;
    let record = facts.signer_certificate.as_ref().filter(named).ok_or_else(unknown)?;
    let der = record.der.as_ref().ok_or_else(unknown)?;
    if sha256(der) != *digest || record.key_digest != request.signer_key_digest {
        let detail = format!("the certificate {serial} that signed is not the one on record");
        return Err(Refusal::new(Reason::RenewalCertificateMismatch, detail));
    }
    Ok(record)
}

/// Whether the present lies in the renewal window.
pub(super) fn in_window(record: &CertificateRecord, rule: &ValidityRule, now: Timestamp) -> Result<(), Refusal> {
    if now < record.not_before {
        let detail = format!("certificate {} begins at {}, which has not come yet", record.serial, record.not_before);
        return Err(Refusal::new(Reason::Clock, detail));
    }
    let until = record.not_after + rule.renewal_grace;
    if now > until {
        return Err(Refusal::new(
            Reason::RenewalExpired,
            format!("certificate {} could be renewed until {until}", record.serial),
        ));
    }
    let from = record.not_after - rule.renewal_window;
    if now < from {
        return Err(Refusal::new(Reason::RenewalTooEarly, format!("certificate {} can be renewed from {from}", record.serial)));
    }
    Ok(())
}
