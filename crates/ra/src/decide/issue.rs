//! What is common to all ways to a grant.

use lanyard_model::{
    certificate::CertificateContent,
    challenge::Binding,
    enroll::EnrollRequest,
    key::PublicKey,
    name::DistinguishedName,
    san::SubjectAltName,
    template::Template,
    time::{Span, Timestamp},
};

use crate::{
    grant::Grant,
    order,
    pattern::Records,
    reason::{Reason, Refusal},
    template::Compiled,
};

/// Content of a certificate under a template: notAfter − notBefore + 1 s is the lifetime (security.md, "Time").
pub(super) fn content(
    template: &Template,
    subject: DistinguishedName,
    san: Vec<SubjectAltName>,
    key: PublicKey,
    now: Timestamp,
) -> CertificateContent {
    let not_before = now.truncated() - template.validity.backdate - template.validity.spread.share(&key.digest);
    CertificateContent {
        issuer: template.issuing_ca.clone(),
        subject,
        san,
        usages: order::usages(template),
        key,
        not_before,
        not_after: not_before + template.validity.lifetime - Span::from_secs(1),
    }
}

/// A grant for what a binding permits.
pub(super) fn from_binding(template: &Template, binding: Binding, request: &EnrollRequest, now: Timestamp) -> Grant {
    let content = content(template, binding.subject, binding.san, request.content.key.clone(), now);
    Grant::new(content, request.id)
        .under(binding.template, template.revision, binding.profile)
        .meant_for(binding.user, binding.device)
}

/// Checks that names permitted earlier still fit the template and the user and device records as they are now. Tells a changed
/// record from a changed template, since the remedies differ.
pub(super) fn names_still_fit(
    compiled: &Compiled,
    records: &Records<'_>,
    subject: &DistinguishedName,
    san: &[SubjectAltName],
) -> Result<(), Refusal> {
    let Err(refusal) = order::names_fit(compiled, records, subject, san) else { return Ok(()) };
    let rules_alone = Records { organization: records.organization, user: None, device: None };
    let reason = match order::names_fit(compiled, &rules_alone, subject, san) {
        Ok(()) => Reason::RecordChanged,
        Err(_) => Reason::TemplateChanged,
    };
    Err(Refusal::new(reason, refusal.detail))
}

/// Checks that a binding made earlier is still within the template (ndes-policy, section 4, "mandatory re-check").
pub(super) fn binding_still_fits(compiled: &Compiled, records: &Records<'_>, binding: &Binding) -> Result<(), Refusal> {
    names_still_fit(compiled, records, &binding.subject, &binding.san)?;
    let template = &compiled.template;
    let changed = |what: &str| {
        let detail = format!(
            "template {} is at revision {}, the challenge was made under {}: {what}",
            template.name, template.revision, binding.template_revision
        );
        Refusal::new(Reason::TemplateChanged, detail)
    };
    if binding.usages != order::usages(template) {
        return Err(changed("the usages are others"));
    }
    order::key_accepted(template, binding.key).map_err(|refusal| changed(&refusal.detail))
}
