//! The configuration as read. Unknown keys refuse to start.

use std::net::SocketAddr;

use lanyard_model::time::Span;
use serde::Deserialize;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Addresses of HTTPS.
    pub listen: Vec<SocketAddr>,
    /// Address of plain HTTP, where everything is redirected to HTTPS.
    #[serde(default)]
    pub redirect: Option<SocketAddr>,
    /// Address of `/metrics` and `/healthz`, plain HTTP; keep it inside.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Limits of all listeners.
    #[serde(default)]
    pub limits: Limits,
    /// Slowing down wrong passwords.
    #[serde(default)]
    pub lockout: Lockout,
    /// Lanyard's server, whose state is followed.
    #[serde(default)]
    pub server: Option<Server>,
    /// Server certificates.
    #[serde(rename = "certificate")]
    pub certificates: Vec<ServerCertificate>,
    /// Authorities whose client certificates are believed.
    #[serde(default, rename = "trust")]
    pub trusts: Vec<Trust>,
    /// Where accounts are kept.
    #[serde(default)]
    pub accounts: Vec<Accounts>,
    /// Published applications.
    #[serde(rename = "application")]
    pub applications: Vec<Application>,
}

/// Limits of all listeners.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake_timeout: Span,
    /// From the first octet of a request, or the end of the one before, to the end of its head.
    pub head_timeout: Span,
    /// Concurrent streams on one HTTP/2 connection.
    pub streams: u32,
    /// How long open requests may go on once the gateway stops.
    pub grace: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshake_timeout: Span::from_secs(10),
            head_timeout: Span::from_secs(10),
            streams: 100,
            grace: Span::from_secs(10),
        }
    }
}

/// Slowing down wrong passwords, so that a phone which repeats an old one does not lock the account in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Lockout {
    /// Wrong passwords of one user from one source within `window`, after which none is tried any more; keep it below the directory's.
    pub attempts: u32,
    /// How long wrong passwords are remembered, and how long nothing is tried then.
    pub window: Span,
    /// How long a right password is believed without asking again.
    pub remember: Span,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { attempts: 3, window: Span::from_secs(900), remember: Span::from_secs(60) }
    }
}

/// Lanyard's server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    /// Its HTTPS address, `https://host:port`.
    pub url: String,
    /// Certificates under one of which the server's own stands.
    pub ca_file: String,
    /// File with an API token of the role `gateway`, mode 0600.
    pub token_file: String,
    /// Age of the state from which on it is stale.
    #[serde(default = "default_max_age")]
    pub max_age: Span,
}

const fn default_max_age() -> Span {
    Span::from_secs(60)
}

/// A server certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerCertificate {
    /// Certificate and chain, PEM.
    pub chain_file: String,
    /// Private key, PKCS#8 in PEM, mode 0600.
    pub key_file: String,
}

/// Authorities whose client certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trust {
    /// Name by which applications refer to it.
    pub name: String,
    /// Certificates of the authorities: roots, and issuing authorities that clients do not send.
    pub ca_file: String,
    /// CRLs, DER or PEM. When there is one for an issuer, it must be fresh; when `crl` is `required`, there must be one.
    #[serde(default)]
    pub crl_files: Vec<String>,
    /// How revocation is found out.
    #[serde(default)]
    pub revocation: Revocation,
    /// Subjects of issuing authorities, as `CN=…,O=…` in the order of encoding; when there are any, only what they issued is believed.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// Key purposes, by identifier, that a certificate must have besides clientAuth.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Whether these authorities may vouch for names: a UPN or mail address in their certificates then names an account.
    #[serde(default)]
    pub vouches_for_names: bool,
    /// Whether the names of the authorities are sent to clients, which choose a certificate by them.
    #[serde(default = "yes")]
    pub hints: bool,
}

const fn yes() -> bool {
    true
}

/// How revocation is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// By the server's state for Lanyard's own certificates, and by the CRLs that are there.
    #[default]
    Known,
    /// By a CRL, which must be there and fresh.
    Crl,
    /// By the server's state, in which the certificate must stand.
    Server,
}

/// Where accounts are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Accounts {
    /// A file of users.
    File(FileSettings),
    /// A directory, asked over LDAP.
    Directory(Box<DirectorySettings>),
    /// Lanyard's own users; needs `[server]`.
    Lanyard(LanyardSettings),
}

/// A file of users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileSettings {
    /// Name by which applications refer to it.
    pub name: String,
    /// The file, mode 0600.
    pub file: String,
}

/// Lanyard's own users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LanyardSettings {
    /// Name by which applications refer to it.
    pub name: String,
}

/// A directory. The attributes are those of Active Directory unless others are named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DirectorySettings {
    /// Name by which applications refer to it.
    pub name: String,
    /// `ldaps://host`; `ldap://host` with `start-tls`, or on this machine.
    pub url: String,
    /// StartTLS on an `ldap://` address.
    #[serde(default)]
    pub start_tls: bool,
    /// Certificates (PEM) under one of which the directory's own must stand; needed wherever TLS is.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Account that reads.
    pub bind_dn: String,
    /// File with its password, mode 0600.
    pub password_file: String,
    /// Time for one question.
    #[serde(default = "default_directory_timeout")]
    pub timeout: Span,
    /// How long an account that was found is believed without asking again: so long is one let in that was disabled there.
    #[serde(default = "default_directory_cache")]
    pub cache: Span,
    /// Where users are, with everything below.
    pub base: String,
    /// What makes an entry a user.
    #[serde(default = "default_directory_filter")]
    pub filter: String,
    /// The NetBIOS name of the domain, `CORP` in `CORP\alice`; without one any is taken.
    #[serde(default)]
    pub domain: Option<String>,
    /// Attribute with the name.
    #[serde(default = "default_name_attribute")]
    pub name_attribute: String,
    /// Attribute with the user principal name.
    #[serde(default = "default_upn_attribute")]
    pub upn_attribute: String,
    /// Attribute with the mail address.
    #[serde(default = "default_email_attribute")]
    pub email_attribute: String,
}

const fn default_directory_timeout() -> Span {
    Span::from_secs(5)
}

const fn default_directory_cache() -> Span {
    Span::from_secs(60)
}

fn default_directory_filter() -> String {
    "(&(objectCategory=person)(objectClass=user))".to_owned()
}

fn default_name_attribute() -> String {
    "sAMAccountName".to_owned()
}

fn default_upn_attribute() -> String {
    "userPrincipalName".to_owned()
}

fn default_email_attribute() -> String {
    "mail".to_owned()
}

impl Accounts {
    /// Name by which applications refer to it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Directory(directory) => &directory.name,
            Self::Lanyard(lanyard) => &lanyard.name,
        }
    }
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everybody: nothing is asked.
    None,
    /// Whoever knows a password; certificates are not asked for.
    Basic,
    /// Whoever has a good certificate; passwords are not looked at.
    Certificate,
    /// Whoever has both, of the same account.
    Both,
    /// Whoever has a good certificate, or no certificate and a password.
    CertificateElseBasic,
}

impl Mode {
    /// Whether a certificate counts.
    #[must_use]
    pub const fn wants_certificate(self) -> bool {
        matches!(self, Self::Certificate | Self::Both | Self::CertificateElseBasic)
    }

    /// Whether a password may be needed.
    #[must_use]
    pub const fn wants_password(self) -> bool {
        matches!(self, Self::Basic | Self::Both | Self::CertificateElseBasic)
    }

    /// As written in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Certificate => "certificate",
            Self::Both => "both",
            Self::CertificateElseBasic => "certificate-else-basic",
        }
    }
}

/// What kind of application it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any web application.
    #[default]
    Web,
    /// Exchange ActiveSync: requests last up to an hour, and the device is known from the query.
    Activesync,
}

/// What is done when the state of Lanyard's server is stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stale {
    /// Nobody who needs it is let in.
    #[default]
    Closed,
    /// What was last known counts.
    Open,
}

/// A way from a certificate to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// The certificate itself is on record.
    Record,
    /// A user principal name in the certificate; only where the authority may vouch for names.
    Upn,
    /// A mail address in the certificate; likewise.
    Email,
    /// `altSecurityIdentities` in its strong forms.
    AltSecurityIdentities,
    /// The same in its weak forms too.
    WeakAltSecurityIdentities,
    /// The security identifier in the certificate.
    Sid,
}

/// Who checks passwords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passwords {
    /// Whoever keeps the accounts.
    #[default]
    Accounts,
    /// The back end.
    BackEnd,
}

/// How the back end learns who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
pub enum Delegation {
    /// It does not.
    #[default]
    None,
    /// The client's name and password go on to it.
    Basic,
    /// The account's name with a password of the gateway's.
    Password {
        /// File with the password, mode 0600.
        password_file: String,
    },
    /// The account's name in a field that it trusts.
    Header {
        /// The field.
        header: String,
        /// What stands in it.
        #[serde(default)]
        value: AccountName,
    },
}

/// A name of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountName {
    /// The name in its directory.
    #[default]
    Name,
    /// The user principal name.
    Upn,
    /// The mail address.
    Email,
}

/// What is done with a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceAction {
    /// It may synchronise.
    #[default]
    Allow,
    /// It may not.
    Block,
    /// It may find out that it may not yet.
    Quarantine,
}

/// A rule for ActiveSync devices; whatever it names must fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceRule {
    /// What is done.
    pub action: DeviceAction,
    /// Account, by name, UPN or mail address.
    #[serde(default)]
    pub user: Option<String>,
    /// Name that the device gives itself, as text or in hexadecimal.
    #[serde(default)]
    pub device_id: Option<String>,
    /// Its kind; `*` at the end stands for anything.
    #[serde(default)]
    pub device_type: Option<String>,
    /// `User-Agent`, likewise.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// SHA-256 fingerprint of the certificate.
    #[serde(default)]
    pub certificate: Option<String>,
}

impl DeviceRule {
    /// Whether it is about one person's device: such rules come before all others.
    #[must_use]
    pub const fn is_personal(&self) -> bool {
        self.user.is_some() && (self.device_id.is_some() || self.certificate.is_some())
    }
}

/// A published application.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Application {
    /// Name, for the log.
    pub name: String,
    /// Host names under which it is published.
    pub hosts: Vec<String>,
    /// Paths, with everything below each; case does not count.
    #[serde(default = "root")]
    pub paths: Vec<String>,
    /// What kind of application it is.
    #[serde(default)]
    pub kind: Kind,
    /// Who is let in.
    pub mode: Mode,
    /// Realm of the question for a password.
    #[serde(default = "default_realm")]
    pub realm: String,
    /// Names of the trusts whose certificates count.
    #[serde(default)]
    pub trust: Vec<String>,
    /// Where its accounts are kept.
    #[serde(default)]
    pub accounts: Option<String>,
    /// Ways from a certificate to an account, tried in this order; the first that finds one decides.
    #[serde(default = "default_mapping")]
    pub mapping: Vec<Mapping>,
    /// Who checks passwords.
    #[serde(default)]
    pub passwords: Passwords,
    /// What is done when the state of Lanyard's server is stale.
    #[serde(default)]
    pub stale: Stale,
    /// Addresses of the back ends: `http://host:port`, `https://host:port`.
    pub back_ends: Vec<String>,
    /// Certificates under one of which a back end's own stands; needed for `https`.
    #[serde(default)]
    pub back_end_ca_file: Option<String>,
    /// Path at the back end in the place of the published one.
    #[serde(default)]
    pub back_end_path: Option<String>,
    /// Whether the back end sees the published host name in `Host`, instead of its own.
    #[serde(default = "yes")]
    pub keep_host: bool,
    /// Whether connections to back ends are used again. A back end that ends idle connections without a word can do so just when a request is on
    /// its way; a POST is then not sent a second time, and fails. Off for ActiveSync unless it is said, else on.
    #[serde(default)]
    pub reuse_connections: Option<bool>,
    /// Path that is asked of each back end now and then; whatever answers below 500 is well.
    #[serde(default)]
    pub health_path: Option<String>,
    /// How the back end learns who it is.
    #[serde(default)]
    pub delegation: Delegation,
    /// Rules for ActiveSync devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<DeviceRule>,
    /// What holds for devices that no rule fits.
    #[serde(default)]
    pub other_devices: DeviceAction,
    /// File in which each ActiveSync device is bound to the account it was first used with; without one none is bound.
    #[serde(default)]
    pub bindings_file: Option<String>,
    /// Whether the certificate goes on in `Client-Cert` (RFC 9440).
    #[serde(default)]
    pub client_cert: bool,
    /// Further fields that only the gateway may set; a client's are dropped.
    #[serde(default)]
    pub reserved_headers: Vec<String>,
    /// Largest body of a request, in octets.
    #[serde(default = "default_body")]
    pub max_body: u64,
    /// Time for a connection to a back end.
    #[serde(default = "default_connect")]
    pub connect_timeout: Span,
    /// Time until the answer of a back end begins; an hour and some for ActiveSync, a minute else.
    #[serde(default)]
    pub answer_timeout: Option<Span>,
    /// Time without a single octet of a body, in either direction.
    #[serde(default = "default_idle")]
    pub idle_timeout: Span,
}

fn root() -> Vec<String> {
    vec!["/".to_owned()]
}

fn default_realm() -> String {
    "Lanyard".to_owned()
}

fn default_mapping() -> Vec<Mapping> {
    vec![Mapping::Record, Mapping::Sid, Mapping::AltSecurityIdentities, Mapping::Upn]
}

const fn default_body() -> u64 {
    64 * 1024 * 1024
}

const fn default_connect() -> Span {
    Span::from_secs(5)
}

const fn default_idle() -> Span {
    Span::from_secs(60)
}
