//! The contract of policy modules, after NDES' `INDESPolicy` (ndes-policy, section 2): generate, verify, notify.

use async_trait::async_trait;
use lanyard_model::{
    enroll::Protocol,
    id::{AuthorityName, DeviceId, ProfileName, RequestId, TemplateName, UserName},
    key::PublicKey,
    name::DistinguishedName,
    san::SubjectAltName,
    serial::SerialNumber,
    time::Timestamp,
};

use serde::{Deserialize, Serialize};

use crate::error::ModuleError;

/// A policy module of one profile.
///
/// A module can only take away: it is asked after the built-in rules said yes and before anything is reserved or signed.
#[async_trait]
pub trait PolicyModule: Send + Sync {
    /// Kind, as in the profile's file.
    fn kind(&self) -> &'static str;

    /// Whether a challenge may be made for this profile.
    ///
    /// # Errors
    /// Whatever is not a clear yes.
    async fn generate(&self, wanted: &Wanted) -> Result<(), ModuleError>;

    /// Whether this request may be granted, or held for a person.
    ///
    /// # Errors
    /// Whatever is not a clear yes.
    async fn verify(&self, inquiry: &Inquiry) -> Result<(), ModuleError>;

    /// How a request ended. Called on every way out; bookkeeping only, so an error changes nothing but that it is called again later, with the
    /// same report. `now` is the present, which may be long after the end.
    ///
    /// # Errors
    /// When the other side could not be told.
    async fn notify(&self, report: &Report, now: Timestamp) -> Result<(), ModuleError>;

    /// Whether [`notify`](Self::notify) tells anybody.
    fn wants_reports(&self) -> bool {
        true
    }

    /// Whether the other side must know of a success before the device gets its certificate. Then [`notify`](Self::notify) is called
    /// with the signed certificate before it counts as issued, and an error withdraws it.
    fn must_know_first(&self) -> bool {
        false
    }
}

/// A challenge that somebody wants made.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Profile.
    pub profile: ProfileName,
    /// Template.
    pub template: TemplateName,
    /// Subject it will bind.
    pub subject: DistinguishedName,
    /// Alternative names it will bind.
    pub san: Vec<SubjectAltName>,
    /// User.
    pub user: Option<UserName>,
    /// Device.
    pub device: Option<DeviceId>,
    /// Who wants it, as audited.
    pub by: String,
    /// The present.
    pub at: Timestamp,
}

/// A request that the built-in rules allow.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// Names the request.
    pub id: RequestId,
    /// How it came.
    pub protocol: Protocol,
    /// Profile.
    pub profile: ProfileName,
    /// The client's name of the transaction.
    pub transaction: String,
    /// Whether it renews a certificate.
    pub renewal: bool,
    /// Template it falls under.
    pub template: Option<TemplateName>,
    /// Subject the certificate will have.
    pub subject: DistinguishedName,
    /// Alternative names the certificate will have.
    pub san: Vec<SubjectAltName>,
    /// Key to be certified.
    pub key: PublicKey,
    /// User.
    pub user: Option<UserName>,
    /// Device.
    pub device: Option<DeviceId>,
    /// Who approved it, when it was held before.
    pub approved_by: Option<String>,
    /// The CSR exactly as received (DER); empty for a request that was held before. It may hold a challenge.
    pub csr: Vec<u8>,
    /// Address of the peer.
    pub peer: Option<String>,
    /// The present.
    pub at: Timestamp,
}

/// How a request ended.
///
/// STORED: in reports that are still to be told; words are never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// A certificate was issued.
    Issued,
    /// Held for a person.
    Pending,
    /// Refused.
    Refused,
    /// We failed; the device may try again.
    Failed,
}

impl Disposition {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The end of a request.
///
/// STORED: until it is told; new fields must have defaults.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Names the request.
    pub id: RequestId,
    /// How it came.
    pub protocol: Protocol,
    /// Profile.
    pub profile: ProfileName,
    /// The client's name of the transaction.
    pub transaction: String,
    /// Template, as far as it is known.
    pub template: Option<TemplateName>,
    /// Subject asked for.
    pub subject: Option<DistinguishedName>,
    /// Alternative names asked for.
    pub san: Vec<SubjectAltName>,
    /// User, as far as it is known.
    pub user: Option<UserName>,
    /// Device, as far as it is known.
    pub device: Option<DeviceId>,
    /// How it ended.
    pub disposition: Disposition,
    /// Stable code of the reason; never told to the device.
    pub reason: Option<String>,
    /// The certificate.
    pub certificate: Option<IssuedCertificate>,
    /// The CSR exactly as received (DER); empty when it is not at hand.
    pub csr: Vec<u8>,
    /// When it ended.
    pub at: Timestamp,
}

/// A certificate in a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Serial number.
    pub serial: SerialNumber,
    /// Issuing authority.
    pub authority: AuthorityName,
    /// Distinguished name of the issuing authority.
    pub issuer: String,
    /// Last second of validity.
    pub not_after: Timestamp,
}
