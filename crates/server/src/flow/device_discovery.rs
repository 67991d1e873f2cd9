//! Where a device may enrol or renew, and with what key.

use lanyard_mdm::{
    discovery::{AuthPolicy, Discover, DiscoverResult},
    policy::{CertificateEnrollmentPolicy, GetPoliciesResponse, OID_GROUP_HASH, OID_GROUP_KEY, PolicyOid},
    version::Version,
};
use lanyard_model::{
    key::KeyKind,
    oid::Oid,
    template::{KeyProtection, Template},
};

use super::device_refusal::{Reason, Result, refuse, refused};
use crate::{
    error::ServerError,
    mdm::{
        Mdm,
        addresses::{ENROLLMENT_PATH, POLICY_PATH},
        settings::Authentication,
    },
    state::Server,
};

/// Version that is known to be tolerated by every client, see MS-MDE2, section 2.2.9.
const PROTOCOL: (u32, u32) = (4, 0);

const TPM: &str = "Microsoft Platform Crypto Provider";
const SOFTWARE: &str = "Microsoft Software Key Storage Provider";

/// Answers Discover with the first way to sign in that both sides know. Devices that renew are sent to the services that ask for their
/// certificate, and others to those that do not.
///
/// # Errors
/// [`Reason::Method`]; [`ServerError::Conflict`] before the server listens.
pub fn discover(mdm: &Mdm, asked: &Discover, at_devices: bool) -> Result<DiscoverResult> {
    let addresses = mdm.addresses()?;
    let ways = mdm.settings.authentication.iter().map(|way| match way {
        Authentication::OnPremise => AuthPolicy::OnPremise,
        Authentication::Federated => AuthPolicy::Federated,
        Authentication::Certificate => AuthPolicy::Certificate,
    });
    // Very old clients offer nothing and mean a password; a device with a certificate signs in no more.
    let fits = |way: &AuthPolicy| {
        at_devices || asked.auth_policies.contains(way) || (asked.auth_policies.is_empty() && *way == AuthPolicy::OnPremise)
    };
    let found = ways.into_iter().find(fits);
    let auth_policy = found.ok_or_else(|| refused(Reason::Method, "the device can sign in by nothing of mdm.authentication"))?;
    let base = if at_devices { &addresses.devices } else { &addresses.first };
    Ok(DiscoverResult {
        auth_policy,
        enrollment_version: Some(Version::of(PROTOCOL.0, PROTOCOL.1)),
        enrollment_policy_service_url: Some(format!("{base}{POLICY_PATH}")),
        enrollment_service_url: format!("{base}{ENROLLMENT_PATH}"),
        authentication_service_url: (auth_policy == AuthPolicy::Federated).then(|| addresses.authentication()),
    })
}

/// Answers GetPolicies. Nothing secret is in it, and devices that renew have no credentials, so nobody is asked for any.
///
/// # Errors
/// [`Reason::Issuance`] when the template is gone.
pub fn policies(server: &Server, mdm: &Mdm, at_devices: bool) -> Result<GetPoliciesResponse> {
    let settings = &mdm.settings;
    let name = settings.renewal_template.as_ref().filter(|_| at_devices).unwrap_or(&settings.template);
    let policy = server.policy();
    let Some(template) = policy.templates.find(name) else {
        return refuse(Reason::Issuance, format!("there is no template {name}"));
    };
    let (hash, key) = (1, 2);
    let oid = |text: &str, group, reference, name: &str| {
        let value: Oid = text.parse().map_err(|_| ServerError::Invalid(format!("{text} is no object identifier")))?;
        Ok::<_, ServerError>(PolicyOid { value, group, reference, default_name: Some(name.to_owned()) })
    };
    let oids = vec![
        oid("2.16.840.1.101.3.4.2.1", OID_GROUP_HASH, hash, "szOID_NIST_sha256")?,
        oid("1.2.840.113549.1.1.1", OID_GROUP_KEY, key, "RSA")?,
    ];
    let seconds = |span: lanyard_model::time::Span| u64::try_from(span.secs()).unwrap_or(1).max(1);
    let one = CertificateEnrollmentPolicy {
        // Only that it points somewhere counts; the vendor points it there too.
        policy_oid_reference: hash,
        common_name: Some(name.to_string()),
        validity_period_seconds: seconds(template.validity.lifetime),
        renewal_period_seconds: seconds(settings.renew_period),
        enroll: true,
        auto_enroll: false,
        minimal_key_length: key_length(template)?,
        key_spec: None,
        key_usage_property: None,
        permissions: None,
        algorithm_oid_reference: Some(key),
        crypto_providers: providers(template.key_protection),
        revision: (template.revision, 0),
        private_key_flags: None,
        subject_name_flags: None,
        enrollment_flags: None,
        general_flags: None,
        hash_algorithm_oid_reference: Some(hash),
    };
    Ok(GetPoliciesResponse {
        policy_id: format!("{}-{}-{}", policy.instance, name, template.revision),
        policy_friendly_name: Some(template.description.clone()),
        next_update_hours: None,
        policies_not_changed: None,
        policies: vec![one],
        oids,
    })
}

/// The least RSA length that the template accepts.
fn key_length(template: &Template) -> Result<u32> {
    let lengths = template.keys.accepted.iter().filter_map(|kind| match kind {
        KeyKind::Rsa(bits) => Some(u32::from(*bits)),
        _ => None,
    });
    lengths.min().ok_or_else(|| {
        refused(Reason::Issuance, format!("template {} accepts no RSA key, and Windows makes no other", template.name))
    })
}

fn providers(protection: KeyProtection) -> Vec<String> {
    let names: &[&str] = match protection {
        KeyProtection::SoftwareExportable | KeyProtection::Software => &[SOFTWARE],
        KeyProtection::TpmOptional => &[TPM, SOFTWARE],
        KeyProtection::Tpm | KeyProtection::TpmPin => &[TPM],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}
