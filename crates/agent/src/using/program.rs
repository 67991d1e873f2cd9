//! What each program wants to have written down.

use std::path::{Path, PathBuf};

use lanyard_model::san::SubjectAltName;
use serde::{Deserialize, Serialize};

use super::{
    choose::{Purpose, common_name},
    policy, swanctl,
};
use crate::{error::AgentError, store::Identity};

/// A program, and what it must know beside the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "program")]
pub enum Program {
    /// `wpa_supplicant`: Wi-Fi with EAP-TLS.
    Wifi {
        /// Name of the network, at most 32 octets.
        ssid: String,
        /// Names that the RADIUS server's certificate must have one of.
        server_names: Vec<String>,
        /// WPA3 instead of WPA2.
        #[serde(default)]
        wpa3: bool,
        /// It does not announce its name.
        #[serde(default)]
        hidden: bool,
        /// Connect only when somebody asks for it.
        #[serde(default)]
        by_hand: bool,
    },
    /// strongSwan's `swanctl`: a VPN with IKEv2.
    Vpn {
        /// Host or address of the gateway.
        gateway: String,
        /// Name that its certificate must have.
        gateway_name: String,
    },
    /// `curl`, and whatever reads PEM files.
    Curl,
    /// S/MIME by programs that read PEM files.
    Mail,
    /// Programs with an NSS database: Chromium, Firefox, Thunderbird.
    Nss {
        /// Its folder: `~/.pki/nssdb` for Chromium, the profile for the others.
        database: PathBuf,
        /// What the identity is for.
        purpose: Purpose,
        /// Where Chromium is to show it without asking: patterns such as `https://[*.]example.org`.
        #[serde(default)]
        sites: Vec<String>,
        /// Folder with the policies of the computer, which then say so.
        #[serde(default)]
        policies: Option<PathBuf>,
    },
}

/// Paths that configuration names.
pub(super) struct Paths<'a> {
    pub(super) client: &'a Path,
    pub(super) key: &'a Path,
    pub(super) roots: &'a Path,
}

impl Program {
    /// What the identity must be good for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Wifi { .. } | Self::Vpn { .. } | Self::Curl => Purpose::ClientAuth,
            Self::Mail => Purpose::Mail,
            Self::Nss { purpose, .. } => *purpose,
        }
    }

    /// Whether it leaves the key to OpenSSL, whose provider knows keys in a TPM.
    ///
    /// QUIRK(wpa_supplicant 2.10): it reads OpenSSL's keys too, but takes a wrapped key to an engine that Debian does not have; we refuse.
    #[must_use]
    pub const fn is_openssl(&self) -> bool {
        matches!(self, Self::Curl | Self::Mail)
    }

    /// What it is called.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Wifi { .. } => "wpa_supplicant",
            Self::Vpn { .. } => "strongSwan",
            Self::Curl => "curl",
            Self::Mail => "a mail program",
            Self::Nss { .. } => "NSS",
        }
    }

    /// Its configuration file.
    #[must_use]
    pub const fn file(&self) -> &'static str {
        match self {
            Self::Wifi { .. } => "wpa_supplicant.conf",
            Self::Vpn { .. } => "swanctl.conf",
            Self::Curl => "curlrc",
            Self::Mail => "smime.env",
            Self::Nss { .. } => "chromium-policy.json",
        }
    }

    /// Refuses what would break out of the configuration, or trust anybody.
    pub(super) fn check(&self) -> Result<(), AgentError> {
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
        let fine = match self {
            Self::Wifi { ssid, server_names, .. } => {
                let name = (1..=32).contains(&ssid.len()) && !ssid.chars().any(char::is_control);
                name && !server_names.is_empty() && server_names.iter().all(|name| plain(name))
            }
            Self::Vpn { gateway, gateway_name } => plain(gateway) && plain(gateway_name),
            Self::Curl | Self::Mail => true,
            Self::Nss { database, sites, policies, .. } => {
                let site =
                    |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/[]*".contains(c));
                let folder = policies.as_ref().is_none_or(|folder| folder.is_absolute() && !sites.is_empty());
                database.is_absolute() && sites.iter().all(site) && folder
            }
        };
        if fine { Ok(()) } else { Err(AgentError::Usage("a name is empty, too long, or has characters that no such name has")) }
    }

    pub(super) fn configure(&self, identity: &Identity, paths: &Paths<'_>) -> Result<String, AgentError> {
        let Paths { client, key, roots } = paths;
        let (client, key, roots) = (client.display(), key.display(), roots.display());
        Ok(match self {
            Self::Wifi { ssid, server_names, wpa3, hidden, by_hand } => {
                // Hexadecimal without quotation marks takes every name.
                let ssid = lanyard_model::text::hex(ssid.as_bytes());
                let who = name_of(identity);
                let servers = server_names.join(";");
                // WPA3-Enterprise asks for SHA-256 and protected management frames.
                let protection = if *wpa3 { "WPA-EAP-SHA256\n\tieee80211w=2" } else { "WPA-EAP" };
                let more = [(*hidden, "\tscan_ssid=1\n"), (*by_hand, "\tdisabled=1\n")];
                let more: String = more.iter().filter(|(wanted, _)| *wanted).map(|(_, line)| *line).collect();
                format!(
                    "network={{\n\tssid={ssid}\n\tkey_mgmt={protection}\n{more}\teap=TLS\n\tidentity=\"{who}\"\n\tca_cert=\"{roots}\"\n\
                     \tdomain_match=\"{servers}\"\n\tclient_cert=\"{client}\"\n\tprivate_key=\"{key}\"\n}}\n"
                )
            }
            Self::Vpn { gateway, gateway_name } => swanctl::connection(gateway, gateway_name, &name_of(identity), paths),
            Self::Curl => format!("cert = \"{client}\"\nkey = \"{key}\"\ncacert = \"{roots}\"\n"),
            Self::Nss { sites, .. } => policy::document(&policy::entries(sites, identity)?),
            Self::Mail => {
                format!(
                    "# openssl cms -sign -md sha256 -signer \"$SIGNER\" -inkey \"$KEY\"\nSIGNER={client}\nKEY={key}\nROOTS={roots}\n"
                )
            }
        })
    }
}

/// Who the identity says it is, as networks are told: UPN, mail address, host name, or else the common name. Free of what quotation marks
/// cannot hold.
fn name_of(identity: &Identity) -> String {
    let names = identity.certificate.subject_alt_names().unwrap_or_default();
    let pick = |wanted: fn(&SubjectAltName) -> bool| names.iter().find(|one| wanted(one));
    let first = pick(|one| matches!(one, SubjectAltName::Upn(_)))
        .or_else(|| pick(|one| matches!(one, SubjectAltName::Email(_))))
        .or_else(|| pick(|one| matches!(one, SubjectAltName::Dns(_))));
    let text = first.map(ToString::to_string);
    let text = text.as_deref().and_then(|text| text.split_once(':')).map(|(_, name)| name.to_owned());
    let text = text.or_else(|| common_name(&identity.certificate)).unwrap_or_default();
    text.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect()
}
