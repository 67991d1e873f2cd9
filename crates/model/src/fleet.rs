//! Devices under management: what an enrolment is, and what it has yet to be told.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AuthorityName, DeviceId, EnrollmentId, JobId, ProfileName, TemplateName, UserName},
    serial::SerialNumber,
    time::{Span, Timestamp},
};

/// One enrolment of a Windows device (MS-MDE2): from the provisioning document it was given until it is unenrolled. A device that enrols
/// again gets another one, and the one before is replaced.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Enrollment {
    /// Names it; also the EntDMID that the device is given.
    pub id: EnrollmentId,
    /// `DeviceID` that the client named itself by at enrolment; what its sessions call `Source/LocURI`.
    pub client: String,
    /// The device in the record.
    pub device: DeviceId,
    /// Who enrolled it.
    pub user: UserName,
    /// Whose store holds the identity.
    pub form: EnrollmentForm,
    /// How the user proved who they are.
    pub authentication: EnrollmentAuthentication,
    /// What the client said about itself.
    #[serde(default)]
    pub client_info: ClientInfo,
    /// Profile that permitted it.
    pub profile: ProfileName,
    /// Template of its identity.
    pub template: TemplateName,
    /// Renewal as the device was told.
    pub schedule: RenewSchedule,
    /// State.
    pub state: EnrollmentState,
    /// The identity that the device proves itself with.
    pub identity: Identity,
    /// An identity that was issued by renewal and not yet seen in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Identity>,
    /// The identity before, and when the present one was first seen in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<(Identity, Timestamp)>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When its last session began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Keyed hashes of the signed EntDMID and what else a session proves later; absent until there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<DmCredentials>,
    /// When it ends, the certificates that it got through the management stay good.
    #[serde(default)]
    pub keep_certificates: bool,
}

/// Whose certificate store holds the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollmentForm {
    /// The user's (`My/User`): EnrollmentType Full.
    User,
    /// The system's (`My/System`): EnrollmentType Device.
    Device,
}

/// How the user proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollmentAuthentication {
    /// User name and password in the message (OnPremise).
    Password,
    /// A web page (Federated).
    Federated,
    /// A certificate (bulk).
    Certificate,
}

/// What a client says about itself. Never believed, only shown and compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClientInfo {
    /// Name of the computer.
    pub name: Option<String>,
    /// `DeviceType`, such as `CIMClient_Windows`.
    pub device_type: Option<String>,
    /// Version of the system, four numbers.
    pub version: Option<String>,
    /// `OSEdition`.
    pub edition: Option<u32>,
    /// Hardware identifier (`HWDevID`).
    pub hardware: Option<String>,
    /// Language.
    pub locale: Option<String>,
    /// Maker, from DevInfo.
    pub maker: Option<String>,
    /// Model, from DevInfo.
    pub model: Option<String>,
    /// MAC addresses.
    pub macs: Vec<String>,
    /// IMEIs.
    pub imeis: Vec<String>,
}

/// What the device was told about renewing its identity (`WSTEP/Renew`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RenewSchedule {
    /// `RenewPeriod`: days before the end in which it renews.
    pub period_days: u32,
    /// `RetryInterval`: days between tries.
    pub retry_days: u32,
    /// `ROBOSupport`: renewal without the user.
    pub robo: bool,
}

/// State of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollmentState {
    /// It may have sessions and renew.
    Active,
    /// An administrator stopped it: neither sessions nor renewals.
    Blocked,
    /// It is to be unenrolled at its next session.
    Leaving,
    /// It is over: unenrolled by the device, by us, or replaced by another enrolment.
    Ended,
}

impl EnrollmentState {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Leaving => "leaving",
            Self::Ended => "ended",
        }
    }
}

/// A certificate that an enrolled device proves itself with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Issuer.
    pub issuer: AuthorityName,
    /// Serial number.
    pub serial: SerialNumber,
    /// SHA-256 of the certificate.
    #[serde(with = "crate::text::hex_digest")]
    pub fingerprint: [u8; 32],
    /// SHA-256 of its SubjectPublicKeyInfo: a renewal with a key that was used before is a repetition.
    #[serde(with = "crate::text::hex_digest")]
    pub key_digest: [u8; 32],
    /// Start.
    pub not_before: Timestamp,
    /// End.
    pub not_after: Timestamp,
}

/// SyncML credentials of the account (w7 APPLICATION, APPAUTH CLIENT).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DmCredentials {
    /// User name.
    pub name: String,
    /// `base64(MD5(name ":" secret))`, which proves as much as the secret itself; sealed.
    pub inner: Vec<u8>,
    /// The nonce that the device was given last; none for Basic.
    pub nonce: Vec<u8>,
    /// The device was told to prove itself by Basic instead of MD5.
    #[serde(default)]
    pub basic: bool,
}

impl Enrollment {
    /// When the device may begin to renew: the end of the identity it uses, less the period it was told.
    #[must_use]
    pub fn renews_from(&self) -> Timestamp {
        self.identity.not_after - Span::from_days(i64::from(self.schedule.period_days))
    }

    /// Whether a device that keeps its schedule would have renewed: two tries have passed since its window opened.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let tries = Span::from_days(2 * i64::from(self.schedule.retry_days));
        matches!(self.state, EnrollmentState::Active) && self.renewed.is_none() && now >= self.renews_from() + tries
    }
}

/// Something that a device is to be told in its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Names it; ids sort by time.
    pub id: JobId,
    /// Enrolment it is for.
    pub enrollment: EnrollmentId,
    /// What it does, for people, such as "trust root certificate 3f5a…".
    pub purpose: String,
    /// How far it has come.
    pub state: JobState,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
    /// Who queued it.
    pub by: String,
    /// The commands and the proof that follows them, sealed: they may hold secrets. Empty once it is over.
    pub body: Vec<u8>,
    /// What the device answered, or what went wrong.
    pub result: Option<String>,
}

/// How far a job has come. Nothing is done before the device has said so and a Get has shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits for a session.
    Queued,
    /// It was sent.
    Sent,
    /// The device said that it was done.
    Acknowledged,
    /// A Get has shown it.
    Verified,
    /// It failed, for good.
    Failed,
    /// An administrator took it back.
    Cancelled,
}

impl JobState {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Acknowledged, Self::Verified, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Whether nothing more happens.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Verified | Self::Failed | Self::Cancelled)
    }
}
