//! Section `[mail]` of the configuration.

use std::net::IpAddr;

use lanyard_model::time::Span;
use serde::{Deserialize, Serialize};

/// The mail server to which mail is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailSettings {
    /// Its name; stands in its certificate.
    pub server: String,
    /// Port; absent: 587, 465 where `tls` is `implicit`, 25 where it is `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: MailTls,
    /// Certificates (PEM) under which the server's own must stand. Needed unless `tls` is `none`: nothing falls back to other roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Sender, such as `Example PKI <pki@example.org>`.
    pub from: String,
    /// Name to sign in with; absent: nobody signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// File with the password (mode 0600).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// How long one mail may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// STARTTLS; without it nothing is sent.
    #[default]
    StartTls,
    /// TLS from the first octet.
    Implicit,
    /// None; only for a server on this machine.
    None,
}

const fn timeout() -> Span {
    Span::from_secs(30)
}

impl MailSettings {
    /// Port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::StartTls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let local = self.server == "localhost" || self.server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.server.is_empty() || !self.server.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err("mail.server must be the name of a host".into());
        }
        if self.tls == MailTls::None && !local {
            return Err("mail.tls = \"none\" is for a mail server on this machine only".into());
        }
        if self.tls != MailTls::None && self.ca_file.is_none() {
            return Err("mail.ca-file is missing: it names the certificates under which the mail server's own must stand".into());
        }
        if self.user_name.is_some() != self.password_file.is_some() {
            return Err("mail.user-name and mail.password-file go together".into());
        }
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            return Err(format!("mail.from = \"{}\" is no mail address", self.from.escape_debug()));
        }
        if !(1..=300).contains(&self.timeout.secs()) {
            return Err("mail.timeout must be 1s to 300s".into());
        }
        Ok(())
    }
}
