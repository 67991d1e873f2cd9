//! What a policy means for one device: every setting as a job, with names from the record.

use lanyard_mdm::{
    csp::Scope,
    error::MdmError,
    profile::{
        company_app::{self, CompanyToken},
        eap_tls::EapTls,
        inventory,
        job::Job,
        mail::{self, MailProfile},
        management::{PollPlan, RenewalSettings, Schedule},
        pfx::{self, PfxProfile},
        scep::{AlternativeName, ScepProfile},
        trusted_certificate::{self, TrustStore, thumbprint},
        vpn::{self, VpnAuthentication, VpnProfile},
        wifi::{self, WifiProfile},
    },
};
use lanyard_model::{
    challenge::Binding,
    directory::{Device, User},
    key::KeyKind,
    san::SubjectAltName,
    text::hex,
    time::Span,
};
use lanyard_pki::crypto::digest::sha256;
use lanyard_ra::pattern::{Pattern, Records};

use super::{
    job::{ScepOrder, What},
    pfx::PfxFile,
    policy::{self, Eap, Loaded, OWN, Scep},
    reconcile::{How, Wanted},
};

/// What is known besides the policy.
pub struct Circumstances<'a> {
    /// Roots of this installation, DER.
    pub roots: Vec<&'a [u8]>,
    /// Its issuing authorities, DER.
    pub issuing: Vec<&'a [u8]>,
    /// Base address of SCEP.
    pub url: &'a str,
    /// Names the server on the device.
    pub provider_id: &'a str,
    /// The organisation.
    pub organization: &'a str,
    /// The user on record.
    pub user: Option<&'a User>,
    /// The device on record.
    pub device: Option<&'a Device>,
    /// The device does not answer `?list=StructData`.
    pub plain_listing: bool,
    /// For each `[[scep]]` in its order: what a challenge would bind, and the issuing authority, DER; or why there can be none.
    pub bindings: Vec<Result<(Binding, Vec<u8>), String>>,
    /// For each `[[pfx]]` in its order: its file, or why there is none.
    pub files: Vec<Result<PfxFile, String>>,
    /// When devices call by what they were told at enrolment, where that is known.
    pub enrolled_poll: Option<PollPlan>,
    /// How this one renews by what it was told at enrolment.
    pub enrolled_renewal: RenewalSettings,
}

/// What a device shall have, and what of the policy cannot be had for it, with the reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// What it shall have.
    pub wanted: Vec<Wanted>,
    /// What cannot be had: key and reason.
    pub impossible: Vec<(String, String)>,
}

/// Applies a policy to a device.
#[must_use]
pub fn desired(policy: &Loaded, of: &Circumstances<'_>) -> Desired {
    let mut out = Desired::default();
    trust(policy, of, &mut out);
    for (scep, binding) in policy.file.scep.iter().zip(&of.bindings) {
        match binding {
            Ok((binding, issuer)) => out.wanted.push(certificate(scep, binding, issuer, policy.file.trust_own, of)),
            Err(problem) => out.impossible.push((format!("scep/{}", scep.name), problem.clone())),
        }
    }
    for one in &policy.file.wifi {
        wireless(one, policy, of, &mut out);
    }
    for one in &policy.file.vpn {
        tunnel(one, policy, of, &mut out);
    }
    for one in &policy.file.mail {
        account(one, of, &mut out);
    }
    for (one, file) in policy.file.pfx.iter().zip(&of.files) {
        with_key(one, file, &mut out);
    }
    for (one, token) in policy.file.company_token.iter().zip(&policy.tokens) {
        let profile = CompanyToken {
            enterprise_id: one.enterprise_id.clone(),
            token: token.clone(),
            certificate_subject: one.certificate_subject.clone(),
            crl_check: one.crl_check,
        };
        let (key, purpose) = (format!("company-token/{}", one.enterprise_id), format!("company token {}", one.enterprise_id));
        out.once(key, purpose, Vec::new(), profile.install_anew(), Some(company_app::remove(&one.enterprise_id)));
    }
    settings(policy, of, &mut out);
    out
}

fn with_key(one: &policy::Pfx, file: &Result<PfxFile, String>, out: &mut Desired) {
    let key = format!("pfx/{}", one.name);
    match file {
        Err(problem) => out.impossible.push((key, problem.clone())),
        Ok(file) => {
            let profile = PfxProfile {
                id: one.name.clone(),
                scope: one.scope,
                key_location: one.key_location.clone(),
                pfx: file.octets.clone(),
                password: file.password.expose().to_owned(),
            };
            let undo = pfx::remove(one.scope, &one.name);
            out.once(key, format!("certificate with key {}", one.name), Vec::new(), profile.install_anew(), Some(undo));
        }
    }
}

impl Desired {
    fn once(&mut self, key: String, purpose: String, after: Vec<String>, job: Job, undo: Option<Job>) {
        let digest = digest(&job);
        self.wanted.push(Wanted { key, purpose, digest, after, how: How::Once { job, undo, anew: false } });
    }
}

/// Names a value by its JSON.
fn digest<T: serde::Serialize>(value: &T) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    hex(sha256(&json).get(..16).unwrap_or_default())
}

fn trust(policy: &Loaded, of: &Circumstances<'_>, out: &mut Desired) {
    let own: &[(TrustStore, &Vec<&[u8]>)] = &[(TrustStore::Root, &of.roots), (TrustStore::Ca, &of.issuing)];
    let own = own.iter().filter(|_| policy.file.trust_own).flat_map(|(store, list)| list.iter().map(|der| (*store, *der)));
    let further = policy.file.trust.iter().zip(&policy.certificates).map(|(trust, der)| (trust.store, der.as_slice()));
    for (store, der) in own.chain(further) {
        let key = trust_key(store, der);
        if out.wanted.iter().any(|wanted| wanted.key == key) {
            continue;
        }
        let name = thumbprint(der);
        let undo = trusted_certificate::remove(Scope::Device, store, &name);
        let purpose = format!("trust {name} ({})", store.as_str());
        out.once(key, purpose, Vec::new(), trusted_certificate::install(Scope::Device, store, der), Some(undo));
    }
}

fn trust_key(store: TrustStore, der: &[u8]) -> String {
    format!("trust/{}/{}", store.as_str(), thumbprint(der))
}

fn certificate(scep: &Scep, binding: &Binding, issuer: &[u8], trusts_own: bool, of: &Circumstances<'_>) -> Wanted {
    let usage = binding.usages.key_usage.iter().fold(0_u16, |bits, usage| match usage.bit() {
        // The node counts the bits of the first octet from the left, as the extension does.
        bit @ 0..=7 => bits | (0x80 >> bit),
        _ => bits,
    });
    let url = || format!("{}/scep/{}", of.url, scep.profile);
    let profile = ScepProfile {
        id: scep.name.clone(),
        scope: scep.scope,
        server_urls: if scep.urls.is_empty() { vec![url()] } else { scep.urls.clone() },
        ekus: binding.usages.extended_key_usage.iter().map(|usage| usage.0.to_string()).collect(),
        key_usage: usage,
        subject: binding.subject.to_string(),
        key_protection: scep.key_protection.clone(),
        retry_delay: minutes(scep.retry_delay),
        retry_count: scep.retry_count,
        key_length: match binding.key {
            KeyKind::Rsa(bits) => bits,
            _ => 2048,
        },
        hash_algorithms: vec!["SHA-2".to_owned()],
        ca_thumbprint: thumbprint(issuer),
        alternative_names: binding.san.iter().filter_map(alternative).collect(),
        valid_days: None,
        template: None,
    };
    let order = ScepOrder {
        profile: scep.profile.clone(),
        template: scep.template.clone(),
        key: binding.key,
        subject: binding.subject.to_string(),
        san: binding.san.iter().map(ToString::to_string).collect(),
    };
    Wanted {
        key: format!("scep/{}", scep.name),
        purpose: format!("certificate {} ({})", scep.name, scep.template),
        digest: digest(&(&profile, &order)),
        after: if trusts_own { authorities(of) } else { Vec::new() },
        how: How::Scep { profile: Box::new(profile), order, renew_before: scep.renew_before },
    }
}

/// Keys of this installation's authorities: what a certificate of theirs needs to be of use.
fn authorities(of: &Circumstances<'_>) -> Vec<String> {
    let roots = of.roots.iter().map(|der| trust_key(TrustStore::Root, der));
    roots.chain(of.issuing.iter().map(|der| trust_key(TrustStore::Ca, der))).collect()
}

fn alternative(name: &SubjectAltName) -> Option<AlternativeName> {
    Some(match name {
        SubjectAltName::Dns(value) => AlternativeName::Dns(value.clone()),
        SubjectAltName::Email(value) => AlternativeName::Rfc822(value.clone()),
        SubjectAltName::Uri(value) => AlternativeName::Uri(value.clone()),
        SubjectAltName::Ip(value) => AlternativeName::Ip(value.to_string()),
        SubjectAltName::Upn(value) => AlternativeName::Upn(value.clone()),
        SubjectAltName::Unsupported(_) => return None,
    })
}

/// The certificates of an EAP-TLS configuration, and the keys they depend on; nothing when the device cannot have the certificate shown.
fn eap(eap: &Eap, policy: &Loaded, of: &Circumstances<'_>) -> Option<(EapTls, Vec<String>, Scope)> {
    let place = policy.file.scep.iter().position(|scep| scep.name == eap.scep)?;
    let scep = policy.file.scep.get(place)?;
    let (_, issuer) = of.bindings.get(place)?.as_ref().ok()?;
    let mut after = vec![format!("scep/{}", scep.name)];
    let mut trusted_roots = Vec::new();
    for root in &eap.roots {
        if root == OWN {
            trusted_roots.extend(of.roots.iter().map(|der| thumbprint(der)));
            after.extend(of.roots.iter().map(|der| trust_key(TrustStore::Root, der)));
            continue;
        }
        let named = policy.file.trust.iter().zip(&policy.certificates);
        for (trust, der) in named.filter(|(trust, _)| trust.file.as_os_str() == root.as_str()) {
            trusted_roots.push(thumbprint(der));
            after.push(trust_key(trust.store, der));
        }
    }
    let config = EapTls {
        server_names: eap.server_names.clone(),
        trusted_roots,
        issuers: vec![thumbprint(issuer)],
        ekus: eap.ekus.clone(),
    };
    Some((config, after, scep.scope))
}

fn wireless(one: &policy::Wifi, policy: &Loaded, of: &Circumstances<'_>, out: &mut Desired) {
    let key = format!("wifi/{}", one.ssid);
    let Some((eap, after, scope)) = eap(&one.eap, policy, of) else {
        return out.impossible.push((key, format!("there is no certificate {} for it", one.eap.scep)));
    };
    let profile = WifiProfile {
        scope,
        ssid: one.ssid.clone(),
        security: one.security,
        hidden: one.hidden,
        auto_connect: one.auto_connect,
        eap,
    };
    let undo = wifi::remove(scope, &one.ssid);
    add(out, key, format!("wireless network {}", one.ssid), after, profile.install(), undo);
}

fn tunnel(one: &policy::Vpn, policy: &Loaded, of: &Circumstances<'_>, out: &mut Desired) {
    let key = format!("vpn/{}", one.name);
    let (authentication, after, scope) = match &one.eap {
        Some(config) => match eap(config, policy, of) {
            Some((eap, after, scope)) => (VpnAuthentication::Eap(eap), after, scope),
            None => return out.impossible.push((key, format!("there is no certificate {} for it", config.scep))),
        },
        None => {
            let after = one.scep.iter().map(|scep| format!("scep/{scep}")).collect();
            (VpnAuthentication::MachineCertificate, after, Scope::Device)
        }
    };
    let profile = VpnProfile {
        scope,
        name: one.name.clone(),
        servers: one.servers.clone(),
        tunnel: one.tunnel,
        authentication,
        always_on: one.always_on,
        trusted_networks: one.trusted_networks.clone(),
    };
    let undo = vpn::remove(scope, &one.name);
    add(out, key, format!("VPN {}", one.name), after, profile.install(), undo);
}

fn add(out: &mut Desired, key: String, purpose: String, after: Vec<String>, job: Result<Job, MdmError>, undo: Job) {
    match job {
        Ok(job) => out.once(key, purpose, after, job, Some(undo)),
        Err(error) => out.impossible.push((key, error.to_string())),
    }
}

fn account(one: &policy::Mail, of: &Circumstances<'_>, out: &mut Desired) {
    let key = format!("mail/{}", one.guid);
    let records = Records { organization: of.organization, user: of.user, device: of.device };
    let expand = |text: &String| {
        if text.is_empty() {
            return Ok(String::new());
        }
        let pattern = Pattern::parse(text)?;
        pattern.expand(&records).map_err(|variable| format!("no record tells {variable}"))
    };
    let profile = || -> Result<MailProfile, String> {
        Ok(MailProfile {
            guid: one.guid.clone(),
            account_name: expand(&one.account_name)?,
            email_address: expand(&one.email_address)?,
            user_name: expand(&one.user_name)?,
            domain: expand(&one.domain)?,
            server_name: one.server_name.clone(),
        })
    };
    match profile() {
        Ok(profile) => {
            let undo = mail::remove(&one.guid);
            let job = profile.install();
            out.wanted.push(Wanted {
                key,
                purpose: format!("mail account {}", profile.email_address),
                digest: digest(&job),
                after: Vec::new(),
                how: How::Once { job, undo: Some(undo), anew: true },
            });
        }
        Err(problem) => out.impossible.push((key, problem)),
    }
}

fn settings(policy: &Loaded, of: &Circumstances<'_>, out: &mut Desired) {
    if let Some(poll) = &policy.file.poll {
        let schedule = |count, interval| Schedule { count, interval: minutes(interval) };
        let plan = PollPlan {
            first: schedule(poll.first_sessions, poll.first_interval),
            second: schedule(poll.second_sessions, poll.second_interval),
            remaining: schedule(0, poll.interval),
            on_login: poll.on_login,
        };
        let undo = of.enrolled_poll.map(|plan| plan.set(of.provider_id));
        out.once("poll".into(), "when the device calls".into(), Vec::new(), plan.set(of.provider_id), undo);
    }
    if let Some(renewal) = &policy.file.renewal {
        let days = |span: Span| u32::try_from(span.secs() / 86_400).unwrap_or(1000);
        let settings = RenewalSettings {
            renew_period: days(renewal.period),
            retry_interval: days(renewal.retry),
            robo: None,
            server_url: None,
        };
        let undo = Some(of.enrolled_renewal.set());
        out.once("renewal".into(), "how the identity is renewed".into(), Vec::new(), settings.set(), undo);
    }
    for scope in [Scope::Device, Scope::User] {
        let job = if of.plain_listing { inventory::names(scope) } else { inventory::query(scope) };
        let tree = if scope == Scope::Device { "device" } else { "user" };
        out.wanted.push(Wanted {
            key: format!("inventory/{tree}"),
            purpose: format!("which certificates the {tree} has"),
            digest: digest(&job),
            after: Vec::new(),
            how: How::Every { job, what: What::Inventory(scope), every: policy.file.inventory_every },
        });
    }
}

fn minutes(span: Span) -> u32 {
    u32::try_from(span.secs() / 60).unwrap_or(u32::MAX).max(1)
}
