//! `DIR/fleet/<profile>.toml`: what every device gets whose enrolment that profile permitted.

use std::{collections::BTreeMap, path::PathBuf};

use lanyard_mdm::{
    csp::Scope,
    profile::{
        eap_tls::Eku, pfx::KeyLocation, scep::KeyProtection, trusted_certificate::TrustStore, vpn::Tunnel, wifi::Security,
    },
};
use lanyard_model::{
    id::{ProfileName, TemplateName},
    key::KeyKind,
    time::Span,
};
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_ra::policy::Policy;
use serde::Deserialize;

use super::check::check;
use crate::{error::ServerError, installation::Installation};

/// The word in `roots` for the roots of this installation.
pub const OWN: &str = "own";

/// One file. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FleetPolicy {
    /// Version of this file format; 1.
    pub format: u32,
    /// The profile under which the devices enrolled; the file is `<name>.toml`.
    pub name: ProfileName,
    /// Raised by whoever edits the file.
    pub revision: u32,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// Whether the devices trust the roots of this installation and know its issuing authorities.
    #[serde(default = "yes")]
    pub trust_own: bool,
    /// Further certificates.
    #[serde(default)]
    pub trust: Vec<Trust>,
    /// Certificates that the devices fetch by SCEP.
    #[serde(default)]
    pub scep: Vec<Scep>,
    /// Wireless networks.
    #[serde(default)]
    pub wifi: Vec<Wifi>,
    /// VPN profiles.
    #[serde(default)]
    pub vpn: Vec<Vpn>,
    /// Mail accounts.
    #[serde(default)]
    pub mail: Vec<Mail>,
    /// Certificates that come with their key.
    #[serde(default)]
    pub pfx: Vec<Pfx>,
    /// Tokens for company apps.
    #[serde(default)]
    pub company_token: Vec<CompanyToken>,
    /// When the devices call; absent: as they were told at enrolment.
    #[serde(default)]
    pub poll: Option<Poll>,
    /// How they renew their identity; absent: as they were told at enrolment.
    #[serde(default)]
    pub renewal: Option<Renewal>,
    /// How often they are asked which certificates they have.
    #[serde(default = "weekly")]
    pub inventory_every: Span,
}

/// A certificate to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trust {
    /// PEM or DER, in the data directory or absolute.
    pub file: PathBuf,
    /// Which of the stores.
    #[serde(default = "root")]
    pub store: TrustStore,
}

/// A certificate fetched by SCEP. Names, usages and key follow from the template, exactly as the challenge will bind them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scep {
    /// Names it in this file and on the device.
    pub name: String,
    /// Template.
    pub template: TemplateName,
    /// Profile at whose URL it is fetched.
    #[serde(default = "crate::config::default_profile")]
    pub profile: ProfileName,
    /// URLs, tried one after the other; empty: that of this server.
    #[serde(default)]
    pub urls: Vec<String>,
    /// The device's store or the user's.
    #[serde(default = "device")]
    pub scope: Scope,
    /// Kind of key, `rsa:2048` or `rsa:4096`: Windows makes no others for SCEP.
    #[serde(default = "rsa")]
    pub key: KeyKind,
    /// Where the key is made.
    #[serde(default = "tpm_optional")]
    pub key_protection: KeyProtection,
    /// How often the device asks again while a request is held, 0 to 30.
    #[serde(default = "retry_count")]
    pub retry_count: u32,
    /// Time between, at least a minute.
    #[serde(default = "retry_delay")]
    pub retry_delay: Span,
    /// How long before its end another one is fetched.
    #[serde(default = "monthly")]
    pub renew_before: Span,
}

/// Which servers are believed and which certificate is shown to them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Eap {
    /// The `[[scep]]` whose certificate is shown: Windows takes only one of its issuer.
    pub scep: String,
    /// Names of the servers, or patterns.
    pub server_names: Vec<String>,
    /// Roots of the servers: `own`, or files of `[[trust]]`.
    #[serde(default = "own")]
    pub roots: Vec<String>,
    /// Further usages that the certificate shown must have.
    #[serde(default)]
    pub ekus: Vec<Eku>,
}

/// A wireless network with EAP-TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wifi {
    /// Name of the network.
    pub ssid: String,
    /// Its security.
    #[serde(default = "wpa2")]
    pub security: Security,
    /// It does not announce its name.
    #[serde(default)]
    pub hidden: bool,
    /// Connect without being asked.
    #[serde(default = "yes")]
    pub auto_connect: bool,
    /// Certificates.
    pub eap: Eap,
}

/// A VPN.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vpn {
    /// Name, shown to the user.
    pub name: String,
    /// Hosts.
    pub servers: Vec<String>,
    /// Protocol.
    #[serde(default = "automatic")]
    pub tunnel: Tunnel,
    /// Certificates for EAP-TLS; absent: the machine's certificate, with IKEv2.
    #[serde(default)]
    pub eap: Option<Eap>,
    /// The `[[scep]]` with the machine's certificate, where there is no `eap`.
    #[serde(default)]
    pub scep: Option<String>,
    /// Always on.
    #[serde(default)]
    pub always_on: bool,
    /// Domains that mark the inner network.
    #[serde(default)]
    pub trusted_networks: Vec<String>,
}

/// A mail account (ActiveSync). Texts may have the variables of templates, such as `{user.email}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mail {
    /// GUID in braces, made once and kept.
    pub guid: String,
    /// Shown to the user.
    pub account_name: String,
    /// Host.
    pub server_name: String,
    /// Address.
    #[serde(default = "email")]
    pub email_address: String,
    /// Name for logging on.
    #[serde(default = "email")]
    pub user_name: String,
    /// Domain.
    #[serde(default)]
    pub domain: String,
}

/// A certificate with its key, from a PKCS#12 file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pfx {
    /// Names it in this file and on the device.
    pub name: String,
    /// The file, in the data directory or absolute. The path may have the variables of templates, such as `pfx/{user.name}.p12`: then each
    /// device gets its own, and one for which there is no file gets none.
    pub file: String,
    /// File with its password; the same variables.
    pub password_file: String,
    /// The device's store or the user's.
    #[serde(default = "device")]
    pub scope: Scope,
    /// Where the key goes.
    #[serde(default = "software")]
    pub key_location: KeyLocation,
}

/// The token with which devices install a company's apps (Windows Phone 8.x, IoT Core).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CompanyToken {
    /// `EnterpriseID`.
    pub enterprise_id: String,
    /// File with the token, in the data directory or absolute.
    pub token_file: PathBuf,
    /// Subject of the certificate that is shown to the download server.
    #[serde(default)]
    pub certificate_subject: Option<String>,
    /// Whether that server's certificate is checked for revocation.
    #[serde(default)]
    pub crl_check: bool,
}

/// When devices call. Spans are whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Poll {
    /// Sessions right after the enrolment, and the time between them.
    pub first_sessions: u32,
    /// See `first-sessions`.
    pub first_interval: Span,
    /// Sessions after those.
    pub second_sessions: u32,
    /// See `second-sessions`.
    pub second_interval: Span,
    /// Time between two sessions from then on.
    pub interval: Span,
    /// Also at every logon.
    #[serde(default)]
    pub on_login: bool,
}

/// How identities are renewed. Spans are whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Renewal {
    /// How long before its end.
    pub period: Span,
    /// Time between two tries.
    pub retry: Span,
}

const fn yes() -> bool {
    true
}
const fn weekly() -> Span {
    Span::from_days(7)
}
const fn monthly() -> Span {
    Span::from_days(30)
}
const fn root() -> TrustStore {
    TrustStore::Root
}
const fn device() -> Scope {
    Scope::Device
}
const fn rsa() -> KeyKind {
    KeyKind::Rsa(2048)
}
const fn tpm_optional() -> KeyProtection {
    KeyProtection::TpmOptional
}
const fn retry_count() -> u32 {
    10
}
const fn retry_delay() -> Span {
    Span::from_secs(300)
}
const fn software() -> KeyLocation {
    KeyLocation::Software { exportable: false }
}
const fn wpa2() -> Security {
    Security::Wpa2
}
const fn automatic() -> Tunnel {
    Tunnel::Automatic
}
fn own() -> Vec<String> {
    vec![OWN.to_owned()]
}
fn email() -> String {
    "{user.email}".to_owned()
}

/// A file with the certificates it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The file.
    pub file: FleetPolicy,
    /// The certificates of `[[trust]]` in their order, DER.
    pub certificates: Vec<Vec<u8>>,
    /// The tokens of `[[company-token]]` in their order.
    pub tokens: Vec<String>,
}

/// Every file, by profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetPolicies(BTreeMap<ProfileName, Loaded>);

impl FleetPolicies {
    /// Reads and checks files, given as name and text, with the certificates they name.
    ///
    /// # Errors
    /// [`ServerError::Config`] naming file and key; [`ServerError::File`].
    pub fn load(installation: &Installation, files: Vec<(String, String)>, policy: &Policy) -> Result<Self, ServerError> {
        let mut all = BTreeMap::new();
        for (name, text) in files {
            let path = installation.fleet().join(&name);
            let fault = |problem: String| ServerError::Config { path: path.clone(), problem };
            let file: FleetPolicy = toml::from_str(&text).map_err(|e| fault(e.to_string().trim_end().to_owned()))?;
            if format!("{}.toml", file.name) != name {
                return Err(fault(format!("name = \"{}\" is not the name of the file", file.name)));
            }
            check(&file, policy).map_err(fault)?;
            let read = |trust: &Trust| read_certificate(&installation.dir().join(&trust.file));
            let certificates = file.trust.iter().map(read).collect::<Result<_, _>>()?;
            let read = |token: &CompanyToken| read_token(&installation.dir().join(&token.token_file));
            let tokens = file.company_token.iter().map(read).collect::<Result<_, _>>()?;
            for pfx in &file.pfx {
                super::pfx::check(pfx, installation.dir())
                    .map_err(|problem| fault(format!("pfx \"{}\": {problem}", pfx.name)))?;
            }
            all.insert(file.name.clone(), Loaded { file, certificates, tokens });
        }
        Ok(Self(all))
    }

    /// The file of a profile.
    #[must_use]
    pub fn find(&self, profile: &ProfileName) -> Option<&Loaded> {
        self.0.get(profile)
    }
}

/// File name and text of what a new installation begins with.
#[must_use]
pub const fn builtin() -> &'static [(&'static str, &'static str)] {
    &[("mdm.toml", include_str!("../../builtin/fleet/mdm.toml"))]
}

/// A certificate in PEM or DER.
///
/// # Errors
/// What is wrong with it.
pub fn certificate_of(octets: &[u8]) -> Result<Vec<u8>, String> {
    let der = match std::str::from_utf8(octets) {
        Ok(text) if text.contains("-----BEGIN") => pem::decode(pem::CERTIFICATE, text).map_err(|e| e.to_string())?,
        _ => octets.to_vec(),
    };
    Certificate::decode(&der).map_err(|e| format!("it is no certificate: {e}"))?;
    Ok(der)
}

fn read_certificate(path: &std::path::Path) -> Result<Vec<u8>, ServerError> {
    let octets = std::fs::read(path).map_err(|source| ServerError::File { action: "read", path: path.to_owned(), source })?;
    certificate_of(&octets).map_err(|problem| ServerError::Config { path: path.to_owned(), problem })
}

fn read_token(path: &std::path::Path) -> Result<String, ServerError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ServerError::File { action: "read", path: path.to_owned(), source })?;
    let token = text.trim();
    if token.is_empty() || token.len() > 64 * 1024 {
        let problem = "a token has 1 to 65536 characters".to_owned();
        return Err(ServerError::Config { path: path.to_owned(), problem });
    }
    Ok(token.to_owned())
}
