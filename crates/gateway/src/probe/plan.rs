//! What is asked for: the address, who asks, with what, and what is expected.

use std::{path::PathBuf, time::Duration};

use lanyard_model::secret::{SecretBytes, SecretText};
use serde::Serialize;

/// An address: `https://host[:port]/path?query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path, `/` at least.
    pub path: String,
    /// Query without its question mark.
    pub query: Option<String>,
}

impl Target {
    /// Reads a URL; without a scheme it is HTTPS.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: ::http::Uri = whole.parse().map_err(|e| format!("{text}: not a URL: {e}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            other => return Err(format!("{text}: the scheme {} cannot be probed", other.unwrap_or("of nothing"))),
        };
        let authority = uri.authority().ok_or_else(|| format!("{text}: it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(format!("{}: a user belongs into --user, not into the URL", authority.host()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("{text}: it names no host"));
        }
        let path = if uri.path().is_empty() { "/".to_owned() } else { uri.path().to_owned() };
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port, path, query: uri.query().map(str::to_owned) })
    }

    /// What stands in the header `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

/// How the published rule is meant to let people in; see the table of modes in [`crate::decide::admit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// By password alone.
    Basic,
    /// By certificate alone.
    Certificate,
    /// By both, of one account.
    Both,
    /// By certificate, or else by password.
    CertificateElseBasic,
    /// By neither: the back end decides.
    None,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificate first, then those above it; DER.
    pub chain: Vec<Vec<u8>>,
    /// The key, PKCS#8.
    pub key: SecretBytes,
}

/// What one attempt shows of what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// Nothing at all.
    Nothing,
    /// Only the password.
    Password,
    /// Only the certificate.
    Certificate,
    /// Both.
    Both,
}

impl Combination {
    /// Whether the certificate is shown.
    #[must_use]
    pub const fn certificate(self) -> bool {
        matches!(self, Self::Certificate | Self::Both)
    }

    /// Whether the password is sent.
    #[must_use]
    pub const fn password(self) -> bool {
        matches!(self, Self::Password | Self::Both)
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "with neither certificate nor password",
            Self::Password => "with the password alone",
            Self::Certificate => "with the certificate alone",
            Self::Both => "with certificate and password",
        }
    }
}

/// Everything that is asked for.
#[derive(Debug)]
pub struct Plan {
    /// Where.
    pub target: Target,
    /// Connect here instead of where the name leads (`host:port`); the name stays in TLS and HTTP.
    pub connect: Option<String>,
    /// Name in the header `Host`, if not the one of the URL.
    pub host: Option<String>,
    /// User and password.
    pub user: Option<(String, SecretText)>,
    /// Client certificate.
    pub certificate: Option<ClientCertificate>,
    /// Try every combination of what there is.
    pub all: bool,
    /// What the server is meant to do.
    pub mode: Option<Mode>,
    /// Speak ActiveSync.
    pub eas: bool,
    /// Seconds of a held Ping.
    pub ping: Option<u32>,
    /// Ask Autodiscover about this address.
    pub autodiscover: Option<String>,
    /// The device that ActiveSync is told of.
    pub device: Device,
    /// Only this version of TLS: 12 or 13.
    pub tls_version: Option<u8>,
    /// Go on even if the server's certificate is not to be believed.
    pub insecure: bool,
    /// Roots to believe beside those of the system.
    pub roots: Option<PathBuf>,
    /// Longest time for a connection, a handshake, and for an answer.
    pub timeout: Duration,
}

/// What a phone says about itself.
#[derive(Debug, Clone)]
pub struct Device {
    /// `DeviceId`, letters and digits.
    pub id: String,
    /// `DeviceType`.
    pub kind: String,
    /// `User-Agent`.
    pub agent: String,
}

impl Default for Device {
    fn default() -> Self {
        let agent = concat!("Lanyard-Probe/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { id: "LanyardProbe0001".into(), kind: "LanyardProbe".into(), agent }
    }
}

impl Plan {
    /// What is tried, in order. Nothing at all is tried too where everything is, because only that shows what is asked for.
    #[must_use]
    pub fn combinations(&self) -> Vec<Combination> {
        let most = match (&self.certificate, &self.user) {
            (Some(_), Some(_)) => Combination::Both,
            (Some(_), None) => Combination::Certificate,
            (None, Some(_)) => Combination::Password,
            (None, None) => Combination::Nothing,
        };
        if !self.all {
            return vec![most];
        }
        let all = [Combination::Nothing, Combination::Password, Combination::Certificate, Combination::Both];
        let had =
            |one: &Combination| (!one.certificate() || self.certificate.is_some()) && (!one.password() || self.user.is_some());
        all.into_iter().filter(had).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        let target = Target::read("mail.example.org/Microsoft-Server-ActiveSync").unwrap();
        assert_eq!((target.tls, target.port, target.authority().as_str()), (true, 443, "mail.example.org"));
        let target = Target::read("http://[::1]:8080?a=b").unwrap();
        assert_eq!((target.host.as_str(), target.path.as_str(), target.query.as_deref()), ("::1", "/", Some("a=b")));
        assert_eq!(target.authority(), "[::1]:8080");
        for odd in ["ftp://a/", "https://user:secret@a/", "https:///x", "a b"] {
            let error = Target::read(odd).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
