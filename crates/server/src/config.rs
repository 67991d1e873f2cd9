//! The configuration file `DIR/lanyard.toml`.

use std::{net::SocketAddr, path::Path};

use lanyard_model::{id::ProfileName, network::Network, time::Span};
use serde::{Deserialize, Serialize};

use crate::{
    error::ServerError, ldap::settings::LdapSettings, mail::settings::MailSettings, mdm::settings::MdmSettings,
    oidc::settings::OidcSettings, portal::settings::PortalSettings,
};

/// The configuration as read. Unknown keys refuse to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Name of the organisation; stands in the names of the authorities and fills `{organization}` in templates.
    pub organization: String,
    /// Base address that certificates name for CRL and issuer, without a slash at the end. Plain HTTP: clients that check a CRL must not
    /// need a CRL to reach it.
    pub url: String,
    /// Listeners.
    pub listen: Listen,
    /// Names and addresses in the HTTPS server certificate.
    #[serde(default)]
    pub tls_names: Vec<String>,
    /// CRLs.
    #[serde(default)]
    pub crl: Crl,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Proxies in front of the listeners.
    #[serde(default)]
    pub proxies: Proxies,
    /// Profile behind the NDES addresses `/certsrv/mscep/mscep.dll`.
    #[serde(default = "default_profile")]
    pub ndes_profile: ProfileName,
    /// Directory from which users and devices are read; absent means that only the records here count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSettings>,
    /// Windows enrolment and management; absent means that it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mdm: Option<MdmSettings>,
    /// Mail server; absent means that nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSettings>,
    /// The people's page; absent means that it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<PortalSettings>,
    /// OpenID Connect provider at which people sign in; absent means that they sign in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSettings>,
}

/// Listeners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// Plain HTTP: SCEP, CA certificates, CRLs, health.
    pub http: SocketAddr,
    /// HTTPS: the same.
    pub https: SocketAddr,
    /// HTTPS for managed devices, which show their certificate. Needed where there is a section `mdm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mdm: Option<SocketAddr>,
}

/// CRLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Crl {
    /// From thisUpdate to nextUpdate.
    pub lifetime: Span,
    /// How often a new one is signed without a revocation.
    pub refresh: Span,
    /// Life of the root's CRL.
    pub root_lifetime: Span,
    /// How long a revoked certificate stays listed after its end.
    pub keep_expired: Span,
}

impl Default for Crl {
    fn default() -> Self {
        Self {
            lifetime: Span::from_days(7),
            refresh: Span::from_days(1),
            root_lifetime: Span::from_days(180),
            keep_expired: Span::from_days(7),
        }
    }
}

/// Limits that keep one client from harming the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Connections at a time; further ones wait in the system's queue.
    pub connections: usize,
    /// Time for the head of an HTTP request to arrive.
    pub head_timeout: Span,
    /// Time for a TLS handshake.
    pub handshake_timeout: Span,
    /// Time within which a body must bring `body_rate` octets a second, again and again.
    pub body_window: Span,
    /// Octets a second that a body must bring.
    pub body_rate: u64,
    /// Wrong challenges that one source address may send within `wrong_challenge_window` before it is slowed down.
    pub wrong_challenges: u32,
    /// The same for all sources of one profile together.
    pub wrong_challenges_per_profile: u32,
    /// Time within which the counts of wrong challenges sink from a whole budget to nothing.
    pub wrong_challenge_window: Span,
}

/// Proxies in front of the listeners, which name the client in a field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Proxies {
    /// Their addresses or networks. From anybody else the field counts for nothing.
    pub trusted: Vec<Network>,
    /// The field, in lower case.
    pub field: String,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { trusted: Vec::new(), field: "x-forwarded-for".into() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_timeout: Span::from_secs(10),
            handshake_timeout: Span::from_secs(10),
            body_window: Span::from_secs(28),
            body_rate: 1000,
            wrong_challenges: 200,
            wrong_challenges_per_profile: 2000,
            wrong_challenge_window: Span::from_secs(300),
        }
    }
}

pub(crate) fn default_profile() -> ProfileName {
    // "default" fits the alphabet of names; the parse cannot fail.
    #[allow(clippy::expect_used)]
    "default".parse().expect("a valid profile name")
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ServerError::Config`] naming the key.
    pub fn from_text(text: &str, path: &Path) -> Result<Self, ServerError> {
        let fault = |problem: String| ServerError::Config { path: path.to_owned(), problem };
        let config: Self = toml::from_str(text).map_err(|e| fault(e.to_string()))?;
        if !config.url.starts_with("http://") || config.url.ends_with('/') || !config.url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(fault(format!("url = \"{}\" must begin with http:// and not end in a slash", config.url)));
        }
        if config.crl.refresh.secs() < 60 || config.crl.refresh >= config.crl.lifetime {
            return Err(fault("crl.refresh must be at least 1m and shorter than crl.lifetime".into()));
        }
        let sound =
            config.limits.connections > 0 && config.limits.head_timeout.secs() > 0 && config.limits.body_window.secs() > 0;
        let throttle = &config.limits;
        let sound = sound && throttle.wrong_challenges > 0 && throttle.wrong_challenges_per_profile > 0;
        if !sound || config.limits.handshake_timeout.secs() == 0 || throttle.wrong_challenge_window.secs() < 1 {
            return Err(fault("limits must be greater than zero".into()));
        }
        let field = &config.proxies.field;
        if field.is_empty() || !field.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(fault(format!("proxies.field = \"{field}\" must be the name of a field in lower case")));
        }
        if let Some(ldap) = &config.ldap {
            ldap.check().map_err(fault)?;
        }
        if let Some(oidc) = &config.oidc {
            oidc.check().map_err(fault)?;
        }
        if let Some(mail) = &config.mail {
            mail.check().map_err(fault)?;
        }
        if let Some(portal) = &config.portal {
            portal.check().map_err(fault)?;
        }
        if let Some(mdm) = &config.mdm {
            mdm.check().map_err(fault)?;
            if config.listen.mdm.is_none() {
                return Err(fault(
                    "listen.mdm is missing: managed devices need a listener that asks for their certificate".into(),
                ));
            }
        }
        Ok(config)
    }

    /// The file that `init` writes: every key with its meaning.
    #[must_use]
    pub fn to_commented_text(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let names: Vec<String> = self.tls_names.iter().map(|n| quote(n)).collect();
        format!(
            r#"# Configuration of this Lanyard installation. Unknown keys refuse to start; spans are written 90s, 15m, 1h, 7d.

# Name of the organisation; fills {{organization}} in certificate templates.
organization = {organization}

# Base address that certificates name for CRLs and issuer certificates. Plain HTTP, and it must not change while certificates live.
url = {url}

# Names and addresses in the HTTPS server certificate.
tls-names = [{names}]

# Profile behind the NDES addresses /certsrv/mscep/mscep.dll.
ndes-profile = "{ndes}"

[listen]
# SCEP, CA certificates, CRLs, health and metrics.
http = "{http}"
# The same over TLS.
https = "{https}"
{mdm_listener}

[crl]
# From thisUpdate to nextUpdate.
lifetime = "{lifetime}"
# How often a new CRL is signed without a revocation; a revocation signs one at once.
refresh = "{refresh}"
# Life of the root's CRL.
root-lifetime = "{root_lifetime}"
# How long a revoked certificate stays listed after its end.
keep-expired = "{keep}"

[limits]
# Connections at a time; further ones wait.
connections = {connections}
# Time for the head of an HTTP request.
head-timeout = "{head}"
# Time for a TLS handshake.
handshake-timeout = "{handshake}"
# A body must bring body-rate octets a second, averaged over body-window.
body-window = "{window}"
body-rate = {rate}
# Wrong challenges from one address before it is slowed down (429), and from all addresses of a profile together. The counts sink
# to nothing within the window. Nobody is locked out: a right challenge is always served.
wrong-challenges = {wrong}
wrong-challenges-per-profile = {wrong_all}
wrong-challenge-window = "{wrong_window}"

[proxies]
# Addresses or networks of proxies in front of this server, such as ["10.0.0.5"]. Only from them is the field below believed.
trusted = [{trusted}]
# The field in which they name the client.
field = "{field}"

{portal}# The mail server for invitations and certificates; docs/guides/mail.md has every key.
# [mail]
# server = "mail.example.org"
# ca-file = "mail-ca.pem"
# from = "Example PKI <pki@example.org>"
# user-name = "lanyard"
# password-file = "mail.secret"

# An OpenID Connect provider at which people sign in instead of here; docs/guides/windows-devices.md has every key.
# [oidc]
# issuer = "https://id.example.org"
# client-id = "lanyard"
# client-secret-file = "oidc.secret"
# ca-file = "id-ca.pem"
# user-claim = "preferred_username"

# Users and devices from a directory, read at the moment of use; docs/guides/directory.md has every key.
# [ldap]
# url = "ldaps://dc1.example.org"
# ca-file = "dc-ca.pem"
# bind-dn = "CN=lanyard,OU=Services,DC=example,DC=org"
# password-file = "ldap.secret"
# [ldap.users]
# base = "OU=People,DC=example,DC=org"
# filter = "(&(objectClass=user)(sAMAccountName={{name}}))"
# attributes = {{ upn = "userPrincipalName", email = "mail", display-name = "displayName" }}

{mdm}"#,
            organization = quote(&self.organization),
            url = quote(&self.url),
            names = names.join(", "),
            ndes = self.ndes_profile,
            http = self.listen.http,
            https = self.listen.https,
            mdm_listener = self.listen.mdm.map_or_else(String::new, |address| format!(
                "# HTTPS for managed devices: asks for their certificate, which no first enrolment may be asked for.\nmdm = \"{address}\""
            )),
            lifetime = self.crl.lifetime,
            refresh = self.crl.refresh,
            root_lifetime = self.crl.root_lifetime,
            keep = self.crl.keep_expired,
            connections = self.limits.connections,
            head = self.limits.head_timeout,
            handshake = self.limits.handshake_timeout,
            window = self.limits.body_window,
            rate = self.limits.body_rate,
            wrong = self.limits.wrong_challenges,
            wrong_all = self.limits.wrong_challenges_per_profile,
            wrong_window = self.limits.wrong_challenge_window,
            trusted = self.proxies.trusted.iter().map(|n| quote(&n.to_string())).collect::<Vec<_>>().join(", "),
            field = self.proxies.field,
            portal = self.portal.as_ref().map(PortalSettings::to_commented_text).unwrap_or_default(),
            mdm = self.mdm.as_ref().map(MdmSettings::to_commented_text).unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Config {
        Config {
            organization: "Exämple \"Org\"".into(),
            url: "http://pki.example.org".into(),
            listen: Listen {
                http: "127.0.0.1:8080".parse().unwrap(),
                https: "127.0.0.1:8443".parse().unwrap(),
                mdm: "127.0.0.1:8444".parse().ok(),
            },
            tls_names: vec!["dns:localhost".into(), "ip:127.0.0.1".into()],
            crl: Crl::default(),
            limits: Limits::default(),
            proxies: Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() },
            ndes_profile: default_profile(),
            ldap: None,
            mdm: Some(MdmSettings::default()),
            oidc: None,
            mail: None,
            portal: Some(PortalSettings::default()),
        }
    }

    #[test]
    fn the_written_file_reads_back_and_names_every_key() {
        let text = sample().to_commented_text();
        assert_eq!(Config::from_text(&text, Path::new("lanyard.toml")).unwrap(), sample());
        let value = toml::Value::try_from(sample()).unwrap();
        for (key, inner) in value.as_table().unwrap() {
            assert!(text.contains(key.as_str()), "{key}");
            for key in inner.as_table().into_iter().flatten().map(|(k, _)| k) {
                assert!(text.contains(&format!("\n{key} = ")) || text.contains(&format!(".{key}]")), "{key}");
            }
        }
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        let text = sample().to_commented_text();
        for (from, to) in [
            ("[crl]", "[crl]\nlifetimes = \"1d\""),
            ("http://pki", "https://pki"),
            ("retry-interval = \"4d\"", "retry-interval = \"60d\""),
            ("refresh = \"1d\"", "refresh = \"9d\""),
        ] {
            assert!(Config::from_text(&text.replace(from, to), Path::new("lanyard.toml")).is_err(), "{to}");
        }
    }
}
