//! The JSON forms of the administrator's interface. Field names are kebab-case; times are RFC 3339 in UTC.

use lanyard_model::{directory, text::hex};
use serde::{Deserialize, Serialize};

/// An error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code, see `docs/errors.md`.
    pub code: String,
    /// One sentence.
    pub title: String,
    /// The whole chain of causes.
    pub detail: String,
}

/// What a challenge or certificate is ordered with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Order {
    /// Template.
    pub template: String,
    /// Profile; `default` when absent.
    pub profile: Option<String>,
    /// Subject; from the records when absent.
    pub subject: Option<String>,
    /// Subject alternative names, `type:value`; from the records when neither names nor a subject are given.
    pub san: Vec<String>,
    /// Kind of key.
    pub key: Option<String>,
    /// Life of a challenge.
    pub ttl: Option<String>,
    /// User on record.
    pub user: Option<String>,
    /// Device on record.
    pub device: Option<String>,
    /// CSR in PEM; for certificates only.
    pub csr: Option<String>,
}

/// A new challenge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Challenge {
    /// The text for the device, shown this once.
    pub challenge: String,
    /// Public id.
    pub id: String,
    /// When it ends.
    pub expires_at: String,
    /// Profile.
    pub profile: String,
    /// Template.
    pub template: String,
    /// Subject.
    pub subject: String,
    /// Subject alternative names.
    pub san: Vec<String>,
    /// Kind of key.
    pub key: String,
    /// Address to enrol at.
    pub scep_url: String,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Certificate {
    /// Serial number.
    pub serial: String,
    /// Issuing authority.
    pub issuer: String,
    /// `valid`, `expired`, `revoked`, `intended`.
    pub status: String,
    /// Subject.
    pub subject: String,
    /// Subject alternative names.
    pub san: Vec<String>,
    /// Template.
    pub template: Option<String>,
    /// Profile.
    pub profile: Option<String>,
    /// User.
    pub user: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
    /// Request it answered.
    pub request: String,
    /// Serial number of the certificate it renews.
    pub renews: Option<String>,
    /// Serial number of the certificate that renews it.
    pub renewed_by: Option<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<String>,
    /// The certificate in PEM; only when one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
}

/// Asks for a revocation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Revoke {
    /// Reason, as RFC 5280 spells it.
    pub reason: String,
}

/// The outcome of a revocation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revoked {
    /// Serial number.
    pub serial: String,
    /// Whether this call revoked it; otherwise it was revoked before.
    pub changed: bool,
    /// Number of the CRL that lists it.
    pub crl_number: Option<u64>,
}

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// Id.
    pub id: String,
    /// `pending`, `granted`, `issued`, `denied`, `expired`.
    pub state: String,
    /// Protocol.
    pub protocol: String,
    /// Profile.
    pub profile: String,
    /// The client's name of the transaction.
    pub transaction: String,
    /// Whether it renews.
    pub renewal: bool,
    /// Subject asked for.
    pub subject: Option<String>,
    /// Names asked for.
    pub san: Vec<String>,
    /// Key asked for.
    pub key: Option<String>,
    /// Template.
    pub template: Option<String>,
    /// User.
    pub user: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// Stable code of the decision.
    pub reason: Option<String>,
    /// The decision in one sentence.
    pub detail: Option<String>,
    /// Serial number of the certificate.
    pub certificate: Option<String>,
    /// Challenge's public id.
    pub challenge: Option<String>,
    /// Address of the peer.
    pub peer: Option<String>,
    /// Software of the peer.
    pub user_agent: Option<String>,
    /// The client as it was recognised, such as `apple`.
    #[serde(default)]
    pub client: Option<String>,
    /// What it was recognised by.
    #[serde(default)]
    pub recognised_by: Option<String>,
    /// What was tolerated or done differently, by stable words.
    #[serde(default)]
    pub accommodations: Vec<String>,
    /// When it came.
    pub received_at: String,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Who approved so far, of a request that waits or was decided; only where several have to, or when one request is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
    /// The whole story in plain words; only when one request is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<String>,
}

/// Asks to deny a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deny {
    /// Why; told to the administrator, never to the device.
    pub reason: String,
}

/// What a search for a text found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificatesFound {
    /// The certificates, newest first.
    pub certificates: Vec<Certificate>,
    /// Where to go on (`before`), when older certificates may match as well.
    pub more: Option<u64>,
}

/// A node that shares the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is the one that answers.
    pub answers: bool,
    /// Whether it does the work that only one may do.
    pub leads: bool,
    /// When it started.
    pub started_at: String,
    /// When it last gave a sign of life; signs come every minute.
    pub seen_at: String,
    /// How many files of templates, profiles and policies it loaded.
    pub files: usize,
    /// Files that it and the one that answers loaded differently, or that only one of them has.
    pub differs: Vec<String>,
}

/// A certificate of the authority itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Authority {
    /// Name.
    pub name: String,
    /// `root`, `issuing`, `registration`, `tls`.
    pub role: String,
    /// Subject.
    pub subject: String,
    /// Serial number.
    pub serial: String,
    /// Kind of key.
    pub key: String,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Where its CRL is.
    pub crl_url: Option<String>,
    /// Number of its newest CRL.
    pub crl_number: Option<u64>,
    /// When its newest CRL ends.
    pub crl_next_update: Option<String>,
    /// Of issuing CAs: `in use`, `announced`, or `followed by` another.
    #[serde(default)]
    pub state: Option<String>,
    /// The certificate in PEM.
    pub pem: String,
}

/// A record of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AuditRecord {
    /// Place in the chain.
    pub sequence: u64,
    /// When.
    pub at: String,
    /// What.
    pub kind: String,
    /// Who.
    pub actor: String,
    /// Request.
    pub request: Option<String>,
    /// Stable code of the reason.
    pub reason: Option<String>,
    /// What it was done to.
    pub object: Option<String>,
    /// One sentence.
    pub detail: Option<String>,
    /// Hash of the record.
    pub hash: String,
}

/// What checking the audit log found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AuditVerdict {
    /// Whether the chain and its signed heads hold.
    pub intact: bool,
    /// Number of records that hold.
    pub records: u64,
    /// Hash of the last record.
    pub head: Option<String>,
    /// Signed heads that were checked.
    pub signed_heads: u64,
    /// First bad record.
    pub first_bad: Option<u64>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// A name in a list, with a sentence about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Named {
    /// Name.
    pub name: String,
    /// Revision.
    pub revision: u32,
    /// What it is for.
    pub description: String,
    /// The file's contents, only when one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is dangerous about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a token is made with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TokenWish {
    /// What it is for.
    pub description: String,
    /// `administrator`, `approver`, `mint` or `gateway`.
    pub role: String,
    /// Whose it is, so that two tokens of one user are not two people.
    pub user: Option<String>,
    /// For `mint`: the profiles.
    pub profiles: Vec<String>,
    /// For `mint`: the templates.
    pub templates: Vec<String>,
    /// How long it is good; a year when absent.
    pub ttl: Option<String>,
    /// Most calls a minute; 600 when absent.
    pub rate: Option<u32>,
}

/// A new token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NewToken {
    /// The token, shown this once.
    pub token: String,
    /// What is on record about it.
    #[serde(flatten)]
    pub about: Token,
}

/// What is on record about a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Token {
    /// Public id.
    pub id: String,
    /// `valid`, `expired`, `revoked`.
    pub state: String,
    /// What it is for.
    pub description: String,
    /// Whose it is.
    pub user: Option<String>,
    /// What it permits.
    pub scope: String,
    /// Most calls a minute.
    pub rate: u32,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A change of a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GroupChange {
    /// Another description.
    pub description: Option<String>,
    /// Users to add.
    pub add_users: Vec<String>,
    /// Users to take out.
    pub remove_users: Vec<String>,
    /// Devices to add.
    pub add_devices: Vec<String>,
    /// Devices to take out.
    pub remove_devices: Vec<String>,
}

/// A password of a local user.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Password {
    /// The new password.
    pub password: String,
}

/// A file to import.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Import {
    /// The file, CSV.
    pub csv: String,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Imported {
    /// Records that are new.
    pub added: usize,
    /// Records that differ from those there were.
    pub changed: usize,
    /// Records that were there already.
    pub unchanged: usize,
    /// What is wrong with the file; then nothing was imported.
    pub mistakes: Vec<Mistake>,
}

/// A mistake in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column.
    pub column: String,
    /// What is wrong.
    pub problem: String,
}

/// Users, devices and groups travel as they are stored.
pub type User = directory::User;
/// See [`User`].
pub type Device = directory::Device;
/// See [`User`].
pub type Group = directory::Group;

/// A digest for people: hexadecimal.
#[must_use]
pub fn digest(octets: &[u8]) -> String {
    hex(octets)
}
