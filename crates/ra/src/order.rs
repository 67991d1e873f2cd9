//! Orders: what an administrator permits, turned into a binding under the rules of template and profile.

use lanyard_model::{
    challenge::Binding,
    directory::{Device, User},
    enroll::Protocol,
    id::{GroupName, ProfileName, TemplateName},
    key::KeyKind,
    name::DistinguishedName,
    san::SubjectAltName,
    template::{Archival, Template, Usages},
    time::Span,
};

use crate::{
    names::{SanFault, check_san, expand_san},
    pattern::Records,
    policy::Policy,
    profile,
    reason::{Reason, Refusal},
    template::Compiled,
};

/// What an administrator orders: a challenge, or a certificate for a CSR in hand.
#[derive(Debug, Clone)]
pub struct ChallengeOrder {
    /// Template.
    pub template: TemplateName,
    /// Profile; its URL is where the challenge will be good.
    pub profile: ProfileName,
    /// Subject; `None` fills in the template's pattern from the records.
    pub subject: Option<DistinguishedName>,
    /// Complete set of subject alternative names; `None` fills in the template's rules from the records, `Some` of an empty list
    /// means none.
    pub san: Option<Vec<SubjectAltName>>,
    /// Exact kind and size of the key; `None` is the first the template accepts.
    pub key: Option<KeyKind>,
    /// Life of the challenge; `None` is the profile's.
    pub ttl: Option<Span>,
    /// User the certificate is for.
    pub user: Option<User>,
    /// Device the certificate is for.
    pub device: Option<Device>,
    /// The profile's groups in which user or device are.
    pub groups: Vec<GroupName>,
    /// Who orders, as a person: `user:jo`, or a login that is nobody else's.
    pub ordered_by: Option<String>,
}

impl ChallengeOrder {
    /// An order of what the records say under this template, at this profile.
    #[must_use]
    pub const fn of_records(template: TemplateName, profile: ProfileName) -> Self {
        Self {
            template,
            profile,
            subject: None,
            san: None,
            key: None,
            ttl: None,
            user: None,
            device: None,
            groups: Vec::new(),
            ordered_by: None,
        }
    }
}

/// What an order allows, field by field, with everything checked that can be checked before the request comes.
pub(crate) fn bind(order: &ChallengeOrder, policy: &Policy, protocol: Protocol) -> Result<Binding, Refusal> {
    let compiled = usable(policy, &order.profile, &order.template, protocol)?;
    if let Some(user) = order.user.as_ref().filter(|u| u.disabled) {
        return Err(Refusal::new(Reason::UserDisabled, format!("the user {} is disabled", user.name)));
    }
    if let Some(device) = order.device.as_ref().filter(|d| d.blocked) {
        return Err(Refusal::new(Reason::DeviceBlocked, format!("the device {} is blocked", device.id)));
    }
    assigned(policy, &order.profile, &order.groups)?;
    let records = Records { organization: &policy.organization, user: order.user.as_ref(), device: order.device.as_ref() };
    let subject = match &order.subject {
        Some(subject) => subject.clone(),
        None => compiled.subject.expand(&records).map_err(|variable| {
            let detail = format!("no subject was given and no record tells {variable}, which template {} needs", order.template);
            Refusal::new(Reason::SubjectMissing, detail)
        })?,
    };
    let san = match &order.san {
        Some(san) => san.clone(),
        None => expand_san(&compiled.san, &records).map_err(|fault| match fault {
            SanFault::Missing(detail) => Refusal::new(Reason::SanMissing, detail),
            SanFault::Unfit(detail) => Refusal::new(Reason::SanMismatch, detail),
        })?,
    };
    names_fit(compiled, &records, &subject, &san)?;
    let template = &compiled.template;
    let key = order.key.or_else(|| template.keys.accepted.first().copied());
    let key = key.ok_or_else(|| Refusal::plain(Reason::KeyTypeMismatch))?;
    key_accepted(template, key)?;
    Ok(Binding {
        instance: policy.instance.clone(),
        profile: order.profile.clone(),
        template: template.name.clone(),
        template_revision: template.revision,
        subject,
        san,
        usages: usages(template),
        key,
        user: order.user.as_ref().map(|u| u.name.clone()),
        device: order.device.as_ref().map(|d| d.id.clone()),
        minted_by: order.ordered_by.clone(),
    })
}

/// Whether the profile is assigned to one of these groups, which those concerned are in. A profile without groups is for everybody.
pub(crate) fn assigned(policy: &Policy, profile: &ProfileName, groups: &[GroupName]) -> Result<(), Refusal> {
    let Some(rules) = policy.profiles.find(profile) else {
        return Err(Refusal::new(Reason::ProfileUnknown, format!("there is no profile {profile}")));
    };
    if rules.groups.is_empty() || rules.groups.iter().any(|group| groups.contains(group)) {
        return Ok(());
    }
    let names: Vec<&str> = rules.groups.iter().map(GroupName::as_str).collect();
    Err(Refusal::new(Reason::NotAssigned, format!("profile {profile} is for {}", names.join(", "))))
}

/// The template, if it may be used at this profile by this protocol.
pub(crate) fn usable<'p>(
    policy: &'p Policy,
    profile: &ProfileName,
    template: &TemplateName,
    protocol: Protocol,
) -> Result<&'p Compiled, Refusal> {
    let Some(rules) = policy.profiles.find(profile) else {
        return Err(Refusal::new(Reason::ProfileUnknown, format!("there is no profile {profile}")));
    };
    let Some(compiled) = policy.templates.compiled(template) else {
        return Err(Refusal::new(Reason::TemplateUnknown, format!("there is no template {template}")));
    };
    if !profile::allows(rules, template) {
        let detail = format!("profile {profile} does not allow template {template}");
        return Err(Refusal::new(Reason::TemplateNotInProfile, detail));
    }
    if !compiled.template.protocols.contains(&protocol) {
        let archived = compiled.template.archival == Archival::Required;
        let detail = match archived {
            true => format!(
                "template {template} may not be used by {protocol}: its keys are made and archived by the server, so order a PFX file with \
                'lanyard cert issue --pfx', or at the portal"
            ),
            false => format!("template {template} may not be used by {protocol}"),
        };
        return Err(Refusal::new(Reason::ProtocolNotAllowed, detail));
    }
    Ok(compiled)
}

/// Whether names are well-formed and fit the template.
pub(crate) fn names_fit(
    compiled: &Compiled,
    records: &Records<'_>,
    subject: &DistinguishedName,
    san: &[SubjectAltName],
) -> Result<(), Refusal> {
    if subject.is_empty() && san.is_empty() {
        return Err(Refusal::new(Reason::SubjectMissing, "there is neither a subject nor an alternative name"));
    }
    lanyard_pki::name::check(subject).map_err(|error| Refusal::new(Reason::SubjectMismatch, error.to_string()))?;
    let reason = if subject.is_empty() { Reason::SubjectMissing } else { Reason::SubjectMismatch };
    compiled.subject.check(records, subject).map_err(|detail| Refusal::new(reason, detail))?;
    check_san(&compiled.san, records, san).map_err(|detail| Refusal::new(Reason::SanMismatch, detail))
}

/// Whether the template accepts a key of this kind and size.
pub(crate) fn key_accepted(template: &Template, key: KeyKind) -> Result<(), Refusal> {
    let accepted = &template.keys.accepted;
    if accepted.iter().any(|least| key.satisfies(*least)) {
        return Ok(());
    }
    let reason = match accepted.iter().any(|other| other.same_family(key)) {
        true => Reason::KeyLengthMismatch,
        false => Reason::KeyTypeMismatch,
    };
    let words: Vec<String> = accepted.iter().map(ToString::to_string).collect();
    Err(Refusal::new(reason, format!("the key is {key} and template {} accepts {}", template.name, words.join(", "))))
}

/// The usages a template gives.
pub(crate) fn usages(template: &Template) -> Usages {
    Usages { key_usage: template.usage.key_usage.clone(), extended_key_usage: template.usage.extended_key_usage.clone() }
}
