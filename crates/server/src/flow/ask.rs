//! Asking the policy modules of a profile.
//!
//! Asked after the built-in rules said yes and before anything is reserved; whatever is not a clear yes is a no. Only a module that must
//! know first is told here, while the certificate can still be withdrawn; all others by [`super::notices`].

use std::time::Duration;

use lanyard_model::{
    challenge::ChallengeId,
    enroll::EnrollRequest,
    id::{DeviceId, ProfileName, TemplateName, UserName},
    name::DistinguishedName,
    request::{RequestContext, RequestRecord},
    san::SubjectAltName,
};
use lanyard_modules::{
    contract::{Disposition, Inquiry, IssuedCertificate, PolicyModule, Report, Wanted},
    error::ModuleError,
};
use lanyard_ra::{
    decide::{Decision, Denied, Held},
    grant::Grant,
    reason::Reason,
};
use tokio::time::timeout;

use super::outcome::Outcome;
use crate::{error::ServerError, state::Server};

/// How long all calls of one module may take together while a device waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Whom a decision is about.
#[derive(Debug, Clone, Default)]
pub struct About {
    template: Option<TemplateName>,
    user: Option<UserName>,
    device: Option<DeviceId>,
}

impl About {
    /// As far as the decision knows.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Grant(grant) => Self {
                template: grant.template().map(|(name, _)| name.clone()),
                user: grant.user().cloned(),
                device: grant.device().cloned(),
            },
            Decision::Pending(held) => Self {
                template: Some(held.binding.template.clone()),
                user: held.binding.user.clone(),
                device: held.binding.device.clone(),
            },
            Decision::Denied(denied) => {
                Self { template: denied.template.clone(), user: denied.user.clone(), device: denied.device.clone() }
            }
            Decision::Repeat(_) => Self::default(),
        }
    }

    /// As far as the record knows.
    #[must_use]
    pub fn of_record(record: &RequestRecord) -> Self {
        Self { template: record.template.clone(), user: record.user.clone(), device: record.device.clone() }
    }

    /// The refusal that follows from an objection. The challenge stays unused: an honest device may ask again once the module says
    /// yes.
    #[must_use]
    pub fn denied(self, objection: Objection, challenge: Option<ChallengeId>) -> Denied {
        let Objection { reason, detail } = objection;
        let Self { template, user, device } = self;
        Denied { reason, detail, challenge, burn: false, template, user, device }
    }
}

/// Why a module stands in the way.
pub struct Objection {
    /// The reason.
    pub reason: Reason,
    /// The particulars, safe to print.
    pub detail: String,
}

fn objection(module: &dyn PolicyModule, error: &ModuleError) -> Objection {
    let reason = match error {
        ModuleError::Denied { .. } => Reason::ModuleDenied,
        ModuleError::Address { .. } => Reason::ModuleAddress,
        ModuleError::Unreachable { .. } | ModuleError::Config { .. } => Reason::ModuleUnreachable,
        ModuleError::Timeout { .. } => Reason::ModuleTimeout,
        ModuleError::Answer { .. } => Reason::ModuleAnswer,
        ModuleError::NoCsr => Reason::ModuleNoCsr,
    };
    Objection { reason, detail: format!("module {}: {error}", module.kind()) }
}

/// Asks whether a grant may stand.
///
/// # Errors
/// The first objection.
pub async fn about_grant(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    grant: &Grant,
    approved_by: Option<&str>,
) -> Result<(), Objection> {
    let content = grant.content();
    let about = About {
        template: grant.template().map(|(name, _)| name.clone()),
        user: grant.user().cloned(),
        device: grant.device().cloned(),
    };
    let renewal = request.renewal || grant.renews().is_some();
    ask(server, request, context, (&content.subject, &content.san), about, renewal, approved_by).await
}

/// Asks whether a request may be held for a person.
///
/// # Errors
/// The first objection.
pub async fn about_hold(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    held: &Held,
) -> Result<(), Objection> {
    let binding = &held.binding;
    let about = About { template: Some(binding.template.clone()), user: binding.user.clone(), device: binding.device.clone() };
    ask(server, request, context, (&binding.subject, &binding.san), about, request.renewal, None).await
}

async fn ask(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    (subject, san): (&DistinguishedName, &[SubjectAltName]),
    about: About,
    renewal: bool,
    approved_by: Option<&str>,
) -> Result<(), Objection> {
    let modules = server.modules();
    let chain = modules.of(&request.profile);
    if chain.is_empty() {
        return Ok(());
    }
    let inquiry = Inquiry {
        id: request.id,
        protocol: request.protocol,
        profile: request.profile.clone(),
        transaction: request.transaction.clone(),
        renewal,
        template: about.template,
        subject: subject.clone(),
        san: san.to_vec(),
        key: request.content.key.clone(),
        user: about.user,
        device: about.device,
        approved_by: approved_by.map(str::to_owned),
        csr: request.content.csr.clone(),
        peer: context.peer.clone(),
        at: server.now(),
    };
    for module in chain {
        let answer = match timeout(PATIENCE, module.verify(&inquiry)).await {
            Ok(answer) => answer,
            Err(_) => Err(out_of_patience()),
        };
        server.telemetry.count("lanyard_module_calls_total", &labels(module.as_ref(), "verify", answer.as_ref().err()));
        answer.map_err(|error| objection(module.as_ref(), &error))?;
    }
    Ok(())
}

pub(super) fn out_of_patience() -> ModuleError {
    ModuleError::Timeout { host: "the service".to_owned(), seconds: PATIENCE.as_secs() }
}

pub(super) fn labels(module: &dyn PolicyModule, call: &'static str, error: Option<&ModuleError>) -> [(&'static str, String); 3] {
    let outcome = error.map_or("ok", ModuleError::code);
    [("module", module.kind().to_owned()), ("call", call.to_owned()), ("outcome", outcome.to_owned())]
}

/// Asks whether a challenge may be made.
///
/// # Errors
/// [`ServerError::Module`].
pub async fn about_challenge(server: &Server, wanted: &Wanted) -> Result<(), ServerError> {
    let modules = server.modules();
    for module in modules.of(&wanted.profile) {
        let answer = timeout(PATIENCE, module.generate(wanted)).await.unwrap_or_else(|_| Err(out_of_patience()));
        server.telemetry.count("lanyard_module_calls_total", &labels(module.as_ref(), "generate", answer.as_ref().err()));
        answer.map_err(|source| ServerError::Module { profile: wanted.profile.to_string(), source })?;
    }
    Ok(())
}

/// A report about a request whose CSR is at hand.
#[must_use]
pub fn report(server: &Server, request: &EnrollRequest, about: &About, outcome: Result<&Outcome, &ServerError>) -> Report {
    let (disposition, reason) = match outcome {
        Ok(Outcome::Issued { .. }) => (Disposition::Issued, None),
        Ok(Outcome::Pending) => (Disposition::Pending, None),
        Ok(Outcome::Refused { reason }) => (Disposition::Refused, Some(reason.clone())),
        Err(error) => (Disposition::Failed, Some(error.code().to_owned())),
    };
    let certificate = match outcome {
        Ok(Outcome::Issued { issuer, der }) => issued(server, issuer, der),
        _ => None,
    };
    Report {
        id: request.id,
        protocol: request.protocol,
        profile: request.profile.clone(),
        transaction: request.transaction.clone(),
        template: about.template.clone(),
        subject: Some(request.content.subject.clone()),
        san: request.content.san.clone(),
        user: about.user.clone(),
        device: about.device.clone(),
        disposition,
        reason,
        certificate,
        csr: request.content.csr.clone(),
        at: server.now(),
    }
}

/// What a report says of a certificate; `None` if it cannot be read, which an issued one always can.
fn issued(server: &Server, authority: &lanyard_model::id::AuthorityName, der: &[u8]) -> Option<IssuedCertificate> {
    let certificate = lanyard_pki::certificate::Certificate::decode(der).ok()?;
    let ring = server.keyring.get();
    let issuer = ring.authority(authority).ok()?.certificate().subject().ok()?.to_string();
    let (_, not_after) = certificate.validity().ok()?;
    Some(IssuedCertificate { der: der.to_vec(), serial: certificate.serial()?, authority: authority.clone(), issuer, not_after })
}

/// Tells the modules that must know before the device gets its certificate.
///
/// # Errors
/// The first that could not be told.
pub async fn tell_first(server: &Server, request: &EnrollRequest, grant: &Grant, outcome: &Outcome) -> Result<(), String> {
    let modules = server.modules();
    let chain: Vec<_> = modules.of(&request.profile).iter().filter(|m| m.must_know_first()).collect();
    if chain.is_empty() {
        return Ok(());
    }
    let about = About {
        template: grant.template().map(|(name, _)| name.clone()),
        user: grant.user().cloned(),
        device: grant.device().cloned(),
    };
    let report = report(server, request, &about, Ok(outcome));
    for module in chain {
        let told = timeout(PATIENCE, module.notify(&report, server.now())).await.unwrap_or_else(|_| Err(out_of_patience()));
        server.telemetry.count("lanyard_module_calls_total", &labels(module.as_ref(), "notify", told.as_ref().err()));
        told.map_err(|error| format!("module {}: {error}", module.kind()))?;
    }
    Ok(())
}

/// Whether a module must know of a success before it is stored.
pub fn tells_first(server: &Server, profile: &ProfileName) -> bool {
    server.modules().of(profile).iter().any(|module| module.must_know_first())
}
