//! Why a device is not enrolled, or its identity not renewed. The device learns the fault, the audit log everything.

use lanyard_mdm::{
    error::MdmError,
    soap::{ErrorType, Fault, Subcode},
};

use crate::error::{ServerError, chain};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $subcode:ident, $detail:expr, $said:literal;)+) => {
        /// A reason of the enrolment services.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Stable code, documented in `docs/errors.md`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The fault.
            const fn fault(self) -> (Subcode, Option<ErrorType>, &'static str) {
                match self { $(Self::$name => (Subcode::$subcode, $detail, $said),)+ }
            }
        }
    };
}

refusals! {
    /// Nothing says who asks.
    CredentialsMissing = "mdm.credentials-missing", Authentication, None, "Sign in to enrol this device.";
    /// User unknown, or another password.
    Credentials = "mdm.credentials", Authentication, None, "The user name or password is incorrect.";
    /// Too many wrong passwords.
    Attempts = "mdm.attempts", Authentication, None, "The user name or password is incorrect.";
    /// The token of the sign-in page is not ours, too old or used.
    Token = "mdm.token", Authentication, None, "Sign in again.";
    /// A certificate that enrols nobody.
    BulkCertificate = "mdm.bulk-certificate", Authentication, None, "The certificate is not accepted.";
    /// A way to sign in that is not offered.
    Method = "mdm.method", Authorization, Some(ErrorType::NotSupported), "This kind of enrolment is not offered.";
    /// Disabled.
    UserDisabled = "mdm.user-disabled", Authorization, None, "The user may not enrol devices.";
    /// In none of the profile's groups.
    NotAssigned = "mdm.not-assigned", Authorization, None, "The user may not enrol devices.";
    /// Blocked.
    DeviceBlocked = "mdm.device-blocked", Authorization, None, "The device may not enrol.";
    /// On record as somebody else's.
    DeviceOfAnother = "mdm.device-of-another", Authorization, None, "The device belongs to another user.";
    /// As many as one may have.
    Quota = "mdm.quota", Authorization, Some(ErrorType::DeviceCapReached), "The user has too many devices.";
    /// A kind of device that may not enrol.
    Platform = "mdm.platform", Authorization, Some(ErrorType::DeviceNotSupported), "This kind of device may not enrol.";
    /// A version that may not enrol.
    Version = "mdm.version", Authorization, Some(ErrorType::DeviceNotSupported), "The system must be updated before it can enrol.";
    /// What identifies the device is missing or odd.
    EnrollmentData = "mdm.enrollment-data", MessageFormat, Some(ErrorType::InvalidEnrollmentData), "The enrolment data is not acceptable.";
    /// The rules refuse the certificate.
    Issuance = "mdm.issuance", CertificateRequest, None, "No certificate can be issued.";
    /// Two messages of the device at the same time.
    Raced = "mdm.raced", EnrollmentServer, None, "Try again.";

    /// Renewal: the signer's certificate is none of ours, or no identity of a managed device.
    RenewalNotOurs = "mdm.renewal-not-ours", Authentication, None, "The certificate is not known.";
    /// Renewal: the certificate begins later.
    RenewalNotYetValid = "mdm.renewal-not-yet-valid", Authorization, Some(ErrorType::NotEligibleToRenew), "The certificate cannot be renewed.";
    /// Renewal: the certificate has ended.
    RenewalExpired = "mdm.renewal-expired", Authorization, Some(ErrorType::NotEligibleToRenew), "The certificate has expired.";
    /// Renewal: the certificate is revoked.
    RenewalRevoked = "mdm.renewal-revoked", Authorization, Some(ErrorType::NotEligibleToRenew), "The certificate cannot be renewed.";
    /// Renewal: another certificate has taken its place.
    RenewalNotCurrent = "mdm.renewal-not-current", Authorization, Some(ErrorType::NotEligibleToRenew), "The certificate was replaced.";
    /// Renewal: the enrolment is over.
    RenewalOver = "mdm.renewal-over", Authorization, Some(ErrorType::NotEligibleToRenew), "The device is not enrolled any more.";
    /// Renewal: before the time the device was told.
    RenewalTooEarly = "mdm.renewal-too-early", Authorization, Some(ErrorType::NotEligibleToRenew), "It is too early to renew the certificate.";
    /// Renewal: another user than the one who enrolled the device.
    RenewalOtherUser = "mdm.renewal-other-user", Authorization, None, "The device was enrolled by another user.";
    /// Renewal: another device.
    RenewalOtherDevice = "mdm.renewal-other-device", Authorization, None, "The certificate belongs to another device.";
    /// Renewal: blocked.
    RenewalBlocked = "mdm.renewal-blocked", Authorization, Some(ErrorType::NotEligibleToRenew), "The device is blocked.";
    /// Renewal without its user where that is switched off.
    RenewalAutomatic = "mdm.renewal-automatic", Authorization, Some(ErrorType::NotEligibleToRenew), "The user must renew the certificate.";
    /// Renewal: the certificate in TLS is another than the one that signed.
    RenewalOtherTls = "mdm.renewal-other-tls", Authentication, None, "The message was signed with another certificate.";
}

/// A refusal with its particulars, which only the log gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The particulars; text from outside is escaped.
    pub detail: String,
}

/// Why one of the services did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The message does not hold.
    #[error(transparent)]
    Message(#[from] MdmError),
    /// The sender may not.
    #[error("{}", .0.detail)]
    Refused(Refused),
    /// We failed.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// What a service answers, or why not.
pub type Result<T> = std::result::Result<T, ServiceError>;

/// A refusal.
pub fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T> {
    Err(refused(reason, detail))
}

/// The same as an error.
pub fn refused(reason: Reason, detail: impl Into<String>) -> ServiceError {
    ServiceError::Refused(Refused { reason, detail: detail.into() })
}

impl From<lanyard_store::error::StoreError> for ServiceError {
    fn from(error: lanyard_store::error::StoreError) -> Self {
        Self::Server(error.into())
    }
}

impl From<lanyard_pki::error::PkiError> for ServiceError {
    fn from(error: lanyard_pki::error::PkiError) -> Self {
        Self::Server(error.into())
    }
}

impl ServiceError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Message(error) => error.code(),
            Self::Refused(refused) => refused.reason.code(),
            Self::Server(error) => error.code(),
        }
    }

    /// The particulars, for the log.
    #[must_use]
    pub fn detail(&self) -> String {
        chain(self)
    }

    /// What the device is told. The trace is shown to the user, who tells it to the help desk.
    #[must_use]
    pub fn fault(&self, trace: &str) -> Fault {
        match self {
            Self::Message(error) => Fault::new(error.subcode(), error.reason()),
            Self::Refused(refused) => {
                let (subcode, detail, said) = refused.reason.fault();
                let fault = Fault::new(subcode, said);
                match detail {
                    Some(error_type) => fault.with_detail(error_type, trace),
                    None => fault,
                }
            }
            Self::Server(_) => Fault::new(Subcode::InternalServiceFault, "The server failed; try again later."),
        }
    }
}
