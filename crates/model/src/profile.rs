//! Registration profiles: one per SCEP URL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    id::{GroupName, ProfileName, TemplateName},
    module::{ModuleConfig, NdesPage},
    time::Span,
};

/// A registration profile as its file tells it: what `/scep/<name>` accepts.
///
/// STORED: one TOML file each in `DIR/profiles`; new keys must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Version of this file format; 1.
    pub format: u32,
    /// Name; the file is `<name>.toml`, the URL ends in it.
    pub name: ProfileName,
    /// Raised by whoever edits the file.
    pub revision: u32,
    /// One sentence for people.
    pub description: String,
    /// Templates that may be issued here; empty means every template that allows SCEP.
    #[serde(default)]
    pub templates: Vec<TemplateName>,
    /// Accept and answer with 3DES and single DES content encryption, and SHA-1 signatures on messages that carry a challenge.
    #[serde(default)]
    pub legacy_algorithms: bool,
    /// Accept renewals whose message is signed with SHA-1, where the signature is all that proves who asks. Only for clients that
    /// renew with nothing better.
    #[serde(default)]
    pub sha1_renewals: bool,
    /// How far signingTime of a message may lie from the present; absent means it is not checked.
    #[serde(default = "signing_time_window")]
    pub signing_time_window: Option<Span>,
    /// Whether a FAILURE carries the (uniform) failInfoText attribute.
    #[serde(default = "yes")]
    pub fail_info_text: bool,
    /// Whether GetCACert includes the root certificate.
    #[serde(default = "yes")]
    pub include_root: bool,
    /// Whether GetCACert leaves out certificates whose key is not RSA. For clients that encrypt to every certificate they are offered.
    #[serde(default)]
    pub rsa_certificates_only: bool,
    /// Which certificates GetCACert offers.
    #[serde(default)]
    pub ca_certificates: CaCertificates,
    /// The same for recognised clients, instead of `ca_certificates`.
    #[serde(default)]
    pub ca_certificates_for: BTreeMap<Client, CaCertificates>,
    /// Whether a device with a valid certificate of ours may fetch certificates by GetCert.
    #[serde(default)]
    pub get_cert: bool,
    /// Whether a device with a valid certificate of ours may fetch the CRL by GetCRL.
    #[serde(default)]
    pub get_crl: bool,
    /// Life of a challenge where `--ttl` says nothing.
    #[serde(default = "challenge_lifetime")]
    pub challenge_lifetime: Span,
    /// Whether a challenge is spent by a request that does not agree with it.
    #[serde(default = "yes")]
    pub burn_on_mismatch: bool,
    /// How long a held request may wait for its decision.
    #[serde(default = "pending_lifetime")]
    pub pending_lifetime: Span,
    /// Groups whose users and devices may have certificates here; empty means that everybody may.
    #[serde(default)]
    pub groups: Vec<GroupName>,
    /// Templates of this profile that people may ask for themselves at the portal, for themselves and their devices; empty: none.
    #[serde(default)]
    pub portal: Vec<TemplateName>,
    /// Policy modules, asked in this order once the built-in rules said yes.
    #[serde(default, rename = "module")]
    pub modules: Vec<ModuleConfig>,
    /// The page that hands out challenges as NDES does; absent means there is none.
    #[serde(default)]
    pub ndes_page: Option<NdesPage>,
}

/// Which certificates GetCACert offers. More than one come as a certs-only message, one alone comes bare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaCertificates {
    /// The registration certificate, the issuing CA and everything above it.
    #[default]
    Chain,
    /// The same without those whose key is not RSA, for clients that encrypt to every certificate they are offered.
    Rsa,
    /// The registration certificate alone.
    Registration,
}

impl Profile {
    /// Which certificates GetCACert offers to a client.
    #[must_use]
    pub fn offered_to(&self, client: Option<Client>) -> CaCertificates {
        let own = client.and_then(|client| self.ca_certificates_for.get(&client)).copied();
        match own.unwrap_or(self.ca_certificates) {
            CaCertificates::Chain if self.rsa_certificates_only => CaCertificates::Rsa,
            shape => shape,
        }
    }
}

// Devices without a battery-backed clock begin in 1970: their first message must still be accepted. The Option is the field's type,
// which serde asks of a default.
#[allow(clippy::unnecessary_wraps)]
const fn signing_time_window() -> Option<Span> {
    None
}

const fn yes() -> bool {
    true
}

const fn challenge_lifetime() -> Span {
    Span::from_secs(3600)
}

const fn pending_lifetime() -> Span {
    Span::from_days(30)
}
