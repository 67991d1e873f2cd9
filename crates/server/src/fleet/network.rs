//! A wireless network for one device, as an administrator writes it: trust by name instead of by thumbprint.

use lanyard_mdm::{
    csp::Scope,
    profile::{
        eap_tls::{EapTls, Eku},
        trusted_certificate::thumbprint,
        wifi::{Security, WifiProfile},
    },
};
use lanyard_model::{id::AuthorityName, text::printable};
use lanyard_pki::certificate::Certificate;
use serde::Deserialize;

use super::policy::{Loaded, OWN};
use crate::keyring::Keyring;

/// The file. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Network {
    #[serde(default = "device")]
    scope: Scope,
    ssid: String,
    #[serde(default = "wpa2")]
    security: Security,
    #[serde(default)]
    hidden: bool,
    #[serde(default = "yes")]
    auto_connect: bool,
    eap: Eap,
}

/// Whom to believe and what to show.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Eap {
    server_names: Vec<String>,
    /// `own`, an authority of ours, a file of `[[trust]]` in the device's policy, or a SHA-1.
    #[serde(default = "own", alias = "trusted-roots")]
    roots: Vec<String>,
    /// `own` (every issuing authority of ours), one of them by name, or a SHA-1.
    #[serde(default = "own")]
    issuers: Vec<String>,
    #[serde(default)]
    ekus: Vec<Eku>,
}

const fn device() -> Scope {
    Scope::Device
}
const fn wpa2() -> Security {
    Security::Wpa2
}
const fn yes() -> bool {
    true
}
fn own() -> Vec<String> {
    vec![OWN.to_owned()]
}

/// Reads a network; names become thumbprints.
///
/// # Errors
/// The key and what is wrong with it.
pub fn read(text: &str, ring: &Keyring, policy: Option<&Loaded>) -> Result<WifiProfile, String> {
    let network: Network = toml::from_str(text).map_err(|e| e.to_string())?;
    if network.ssid.is_empty() || network.ssid.len() > 32 {
        return Err("ssid must have 1 to 32 octets".into());
    }
    let eap = network.eap;
    for (key, list) in [("server-names", &eap.server_names), ("roots", &eap.roots), ("issuers", &eap.issuers)] {
        if list.is_empty() {
            return Err(format!("eap.{key} must not be empty"));
        }
    }
    let (mut trusted_roots, mut issuers) = (Vec::new(), Vec::new());
    for name in &eap.roots {
        trusted_roots.extend(roots(name, ring, policy)?);
    }
    for name in &eap.issuers {
        issuers.extend(issuing(name, ring)?);
    }
    for list in [&mut trusted_roots, &mut issuers] {
        list.sort();
        list.dedup();
    }
    Ok(WifiProfile {
        scope: network.scope,
        ssid: network.ssid,
        security: network.security,
        hidden: network.hidden,
        auto_connect: network.auto_connect,
        eap: EapTls { server_names: eap.server_names, trusted_roots, issuers, ekus: eap.ekus },
    })
}

/// The thumbprint that a text is.
fn explicit(text: &str) -> Option<String> {
    let digits = text.replace([':', ' '], "").to_ascii_uppercase();
    (digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

fn roots(name: &str, ring: &Keyring, policy: Option<&Loaded>) -> Result<Vec<String>, String> {
    let of = |certificate: &Certificate| thumbprint(certificate.der());
    if name == OWN {
        return Ok(ring.roots().iter().map(of).collect());
    }
    if let Some(digits) = explicit(name) {
        return Ok(vec![digits]);
    }
    let authority = name.parse::<AuthorityName>().ok().and_then(|name| ring.chain(&name).last().map(|root| of(root)));
    let file = policy.and_then(|policy| {
        let mut files = policy.file.trust.iter().zip(&policy.certificates);
        files.find(|(trust, _)| trust.file.as_os_str() == name).map(|(_, der)| thumbprint(der))
    });
    authority.or(file).map(|one| vec![one]).ok_or_else(|| {
        let name = printable(name);
        format!("eap.roots names \"{name}\", which is neither \"own\", an authority, a file of [[trust]] nor a SHA-1")
    })
}

fn issuing(name: &str, ring: &Keyring) -> Result<Vec<String>, String> {
    if name == OWN {
        let all = ring.authorities().map(|authority| authority.certificate()).filter(|one| !one.is_self_issued());
        return Ok(all.map(|one| thumbprint(one.der())).collect());
    }
    if let Some(digits) = explicit(name) {
        return Ok(vec![digits]);
    }
    let found = name.parse::<AuthorityName>().ok().and_then(|name| ring.authority(&name).ok().cloned());
    found
        .map(|authority| vec![thumbprint(authority.certificate().der())])
        .ok_or_else(|| format!("eap.issuers names \"{}\", which is neither \"own\", an authority nor a SHA-1", printable(name)))
}
