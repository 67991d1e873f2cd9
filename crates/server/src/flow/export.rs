//! A fleet policy for a device that no management server manages: its challenges are made at this moment, and everything is signed.

use lanyard_mdm::profile::wifi::Security;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::Binding,
    directory::{Device, User},
    id::{DeviceId, ProfileName, UserName},
    key::KeyKind,
    secret::SecretText,
    time::{Span, Timestamp},
};
use lanyard_pki::certificate::Certificate;
use lanyard_ra::{
    order::ChallengeOrder,
    pattern::{Pattern, Records},
};

use super::{
    challenge::{NewChallenge, create_for, with_records},
    subjects,
};
use crate::{
    delivery::{
        apple, json,
        outfit::{Account, Identity, Outfit, Wireless},
    },
    error::ServerError,
    fleet::policy::{Eap, Loaded, OWN, Scep},
    state::Server,
};

/// For which kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A configuration profile.
    Apple,
    /// JSON.
    Linux,
    /// JSON.
    Android,
}

/// Exports the policy of this name for a user, a device, or both; those are needed where it has identities.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Policy`], [`ServerError::Invalid`] for what the platform cannot do.
pub async fn export(
    server: &Server,
    name: &ProfileName,
    platform: Platform,
    (user, device): (Option<UserName>, Option<DeviceId>),
    by: &str,
) -> Result<Vec<u8>, ServerError> {
    let fleet = server.fleet();
    let policy =
        fleet.find(name).ok_or_else(|| ServerError::NotFound { what: "the policy file", name: format!("fleet/{name}.toml") })?;
    if !policy.file.scep.is_empty() && user.is_none() && device.is_none() {
        return Err(ServerError::Invalid("user: the policy has identities; say by --user or --device whose they are".into()));
    }
    let outfit = outfit(server, policy, (user, device), by).await?;
    let audit = AuditEvent {
        object: Some(format!("fleet policy {name}")),
        detail: Some(format!("exported, revision {}", policy.file.revision)),
        ..server.event(AuditKind::ProfileExported, by)
    };
    server.store.append_audit(audit).await?;
    match platform {
        Platform::Apple => apple::outfit(server, &outfit),
        Platform::Linux => json::outfit(server, &outfit, "linux"),
        Platform::Android => json::outfit(server, &outfit, "android"),
    }
}

async fn outfit(
    server: &Server,
    policy: &Loaded,
    (user, device): (Option<UserName>, Option<DeviceId>),
    by: &str,
) -> Result<Outfit, ServerError> {
    let file = &policy.file;
    let mut certificates = if file.trust_own { own(server) } else { Vec::new() };
    for der in &policy.certificates {
        certificates.push(Certificate::decode(der)?);
    }
    let missing = |what: &'static str, name: String| ServerError::NotFound { what, name };
    let person = match &user {
        Some(name) => Some(subjects::user(server, name).await?.ok_or_else(|| missing("user", name.to_string()))?.record),
        None => None,
    };
    let thing = match &device {
        Some(id) => Some(subjects::device(server, id).await?.ok_or_else(|| missing("device", id.to_string()))?.record),
        None => None,
    };
    let mut identities = Vec::new();
    for scep in &file.scep {
        let order =
            ChallengeOrder { key: Some(scep.key), ..ChallengeOrder::of_records(scep.template.clone(), scep.profile.clone()) };
        let order = with_records(server, order, user.clone(), device.clone()).await?;
        let made = create_for(server, order, by).await?;
        identities.push(fetched(server, scep, made)?);
    }
    let wireless = file.wifi.iter().map(|wifi| {
        Ok(Wireless {
            ssid: wifi.ssid.clone(),
            wpa3: wifi.security == Security::Wpa3,
            hidden: wifi.hidden,
            auto_connect: wifi.auto_connect,
            server_names: wifi.eap.server_names.clone(),
            roots: anchors(server, policy, &wifi.eap)?,
            identity: wifi.eap.scep.clone(),
        })
    });
    let wireless = wireless.collect::<Result<Vec<Wireless>, ServerError>>()?;
    let signs =
        |identity: &&Identity| identity.usages.extended_key_usage.iter().any(|usage| usage.to_string() == "emailProtection");
    let signing = identities.iter().find(signs).map(|identity: &Identity| identity.name.clone());
    let accounts = file.mail.iter().map(|mail| {
        Ok(Account {
            name: mail.account_name.clone(),
            host: mail.server_name.clone(),
            address: filled(server, &mail.email_address, person.as_ref(), thing.as_ref())?,
            user: filled(server, &mail.user_name, person.as_ref(), thing.as_ref())?,
            signing: signing.clone(),
        })
    });
    let accounts = accounts.collect::<Result<Vec<Account>, ServerError>>()?;
    for one in wireless.iter().flat_map(|wireless| &wireless.roots) {
        if !certificates.iter().any(|known| known.der() == one.der()) {
            certificates.push(one.clone());
        }
    }
    let (name, description) = (file.name.to_string(), file.description.clone());
    Ok(Outfit { name, revision: file.revision, description, certificates, identities, wireless, accounts })
}

/// One identity for an Apple device, bound to a challenge that was just made, and what it takes to trust its issuer.
///
/// # Errors
/// [`ServerError::Invalid`] for a key or a name that these devices cannot ask for.
pub fn one_identity(server: &Server, made: NewChallenge) -> Result<Vec<u8>, ServerError> {
    let template = made.binding.template.to_string();
    let url = format!("{}/scep/{}", server.config.url, made.binding.profile);
    let (retries, retry_delay) = (10, Span::from_secs(30));
    let identity = identity(server, &template, url, (made.text, made.expires_at, &made.binding), (retries, retry_delay, false))?;
    let outfit = Outfit {
        name: format!("identity-{template}"),
        revision: 1,
        description: format!("A certificate from {}", server.config.organization),
        certificates: own(server),
        identities: vec![identity],
        wireless: Vec::new(),
        accounts: Vec::new(),
    };
    apple::outfit(server, &outfit)
}

fn own(server: &Server) -> Vec<Certificate> {
    let ring = server.keyring.get();
    let mut all: Vec<Certificate> = ring.roots().to_vec();
    all.extend(ring.chain(ring.issuing()).into_iter().filter(|certificate| !certificate.is_self_issued()).cloned());
    all
}

fn fetched(server: &Server, scep: &Scep, made: NewChallenge) -> Result<Identity, ServerError> {
    let url = scep.urls.first().cloned().unwrap_or_else(|| format!("{}/scep/{}", server.config.url, scep.profile));
    let exportable = server
        .policy()
        .templates
        .find(&scep.template)
        .is_some_and(|template| template.key_protection == lanyard_model::template::KeyProtection::SoftwareExportable);
    identity(
        server,
        &scep.name,
        url,
        (made.text, made.expires_at, &made.binding),
        (scep.retry_count, scep.retry_delay, exportable),
    )
}

fn identity(
    server: &Server,
    name: &str,
    url: String,
    (challenge, expires_at, binding): (SecretText, Timestamp, &Binding),
    (retries, retry_delay, exportable): (u32, Span, bool),
) -> Result<Identity, ServerError> {
    let KeyKind::Rsa(bits) = binding.key else {
        return Err(ServerError::Invalid(format!("scep \"{name}\": these devices make RSA keys for SCEP, not {}", binding.key)));
    };
    let policy = server.policy();
    let issuer = policy.templates.find(&binding.template).map(|template| template.issuing_ca.clone());
    let issuer = issuer.ok_or_else(|| ServerError::NotFound { what: "template", name: binding.template.to_string() })?;
    let issuer = server.keyring.get().authority(&issuer)?.certificate().clone();
    let (subject, san, usages) = (binding.subject.clone(), binding.san.clone(), binding.usages.clone());
    let name = name.to_owned();
    let bits = bits.into();
    Ok(Identity { name, url, challenge, expires_at, subject, san, bits, usages, issuer, retries, retry_delay, exportable })
}

/// The roots of a network's servers.
fn anchors(server: &Server, policy: &Loaded, eap: &Eap) -> Result<Vec<Certificate>, ServerError> {
    let mut found = Vec::new();
    for root in &eap.roots {
        if root == OWN {
            found.extend(server.keyring.get().roots().iter().cloned());
            continue;
        }
        let of_file =
            policy.file.trust.iter().zip(&policy.certificates).find(|(trust, _)| trust.file.as_os_str() == root.as_str());
        let (_, der) = of_file.ok_or_else(|| ServerError::Invalid(format!("there is no [[trust]] with the file {root}")))?;
        found.push(Certificate::decode(der)?);
    }
    Ok(found)
}

fn filled(server: &Server, text: &str, user: Option<&User>, device: Option<&Device>) -> Result<String, ServerError> {
    let policy = server.policy();
    let records = Records { organization: &policy.organization, user, device };
    let pattern = Pattern::parse(text).map_err(|e| ServerError::Invalid(format!("'{text}': {e}")))?;
    pattern.expand(&records).map_err(|variable| ServerError::Invalid(format!("no record tells {variable}")))
}
