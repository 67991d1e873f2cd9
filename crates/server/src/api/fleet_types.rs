//! The JSON forms of managed devices. Times are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

/// A device: as it stands on record, and its newest enrolment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FleetDevice {
    /// Inventory id.
    pub id: String,
    /// Host name.
    pub name: Option<String>,
    /// Fully qualified domain name.
    pub dns_name: Option<String>,
    /// Hardware serial number.
    pub serial: Option<String>,
    /// Owner, or who enrolled it.
    pub user: Option<String>,
    /// A blocked device gets nothing.
    pub blocked: bool,
    /// Its enrolment for management; absent when it has none.
    pub enrollment: Option<EnrollmentView>,
}

/// An enrolment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnrollmentView {
    /// Its id, which is also the device's EntDMID.
    pub id: String,
    /// What the device calls itself.
    pub client: String,
    /// `active`, `blocked`, `leaving`, `ended`.
    pub state: String,
    /// Who enrolled it.
    pub user: String,
    /// Profile that permitted it; names the policy file.
    pub profile: String,
    /// Maker, as the device says.
    pub maker: Option<String>,
    /// Model, as the device says.
    pub model: Option<String>,
    /// Version of its system, as the device says.
    pub version: Option<String>,
    /// When it enrolled.
    pub enrolled_at: String,
    /// When its last session began.
    pub seen_at: Option<String>,
    /// When the enrolment ended.
    pub ended_at: Option<String>,
    /// Serial number of its identity.
    pub identity: String,
    /// End of its identity.
    pub identity_until: String,
    /// When it may begin to renew it.
    pub renews_from: String,
    /// It had two tries and did not renew.
    pub overdue: bool,
    /// A renewed identity was issued and not seen yet.
    pub renewing: bool,
}

/// A device with everything known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FleetDetails {
    /// The device.
    pub device: FleetDevice,
    /// All of its enrolments, newest first.
    pub enrollments: Vec<EnrollmentView>,
    /// What it was given by its policy.
    pub given: Vec<Given>,
    /// What of its policy it cannot have: name and reason.
    pub impossible: Vec<(String, String)>,
    /// Jobs that are not over.
    pub open_jobs: usize,
    /// When it last told which certificates it has.
    pub inventory_at: Option<String>,
}

/// What a device was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Given {
    /// Its name, such as `scep/wifi`.
    pub key: String,
    /// `open`, `done`, `failed`, `taken-back`.
    pub progress: String,
    /// Since when.
    pub at: String,
    /// Serial number of the certificate.
    pub certificate: Option<String>,
    /// End of the certificate.
    pub until: Option<String>,
}

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FleetJob {
    /// Id.
    pub id: String,
    /// Enrolment.
    pub enrollment: String,
    /// What it does.
    pub purpose: String,
    /// `queued`, `sent`, `acknowledged`, `verified`, `failed`, `cancelled`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When its state changed.
    pub changed_at: String,
    /// Who made it.
    pub by: String,
    /// What the device answered, or what went wrong.
    pub result: Option<String>,
}

/// A certificate on a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FleetCertificate {
    /// `device` or `user`.
    pub tree: String,
    /// Where it is, such as `Root`, `MY/User`, `SCEP wifi-1`.
    pub place: String,
    /// SHA-1.
    pub thumbprint: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Issuer.
    pub issuer: Option<String>,
    /// End, as the certificate says, else as the device tells it.
    pub until: Option<String>,
    /// Serial number, when an authority of this installation issued it.
    pub ours: Option<String>,
    /// What the enrolment, import or renewal behind it says: `Status`.
    pub status: Option<i64>,
    /// `ErrorCode`.
    pub error: Option<i64>,
    /// When the device told.
    pub seen_at: String,
}

/// Something for a device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PushOrder {
    /// `root`, `intermediate`, `remove-root`, `remove-intermediate`, `wifi`, `remove-wifi`, `inventory`, `describe`.
    pub what: String,
    /// A certificate in PEM, a wireless network in TOML, a SHA-1, the name of a network.
    pub value: String,
}

/// What of a device is to be renewed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RenewOrder {
    /// The identity, and not certificates of the policy.
    pub identity: bool,
    /// One certificate by its name in the policy; absent: all.
    pub name: Option<String>,
}

/// How a device is to leave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct UnenrollOrder {
    /// At once, without the device.
    pub now: bool,
    /// The certificates that it got through the management stay good.
    pub keep_certificates: bool,
}

/// What to do with what a blocked device has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BlockOrder {
    /// The certificates that it got through the management stay good.
    pub keep_certificates: bool,
}
