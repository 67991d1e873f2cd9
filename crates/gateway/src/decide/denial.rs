//! Why a request does not reach its back end, and what the client is told.

use std::fmt;

use lanyard_model::text::printable;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// More, for the log only.
    pub detail: String,
}

/// Every reason. The numbers after the point are those of IIS, which administrators know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request is not HTTP as it should be.
    Malformed,
    /// The body is larger than the application allows.
    BodyTooLarge,
    /// The body comes too slowly.
    BodyTooSlow,
    /// Name and password are needed, or are not right.
    PasswordRequired,
    /// A wrong password.
    PasswordWrong,
    /// Too many wrong passwords of this user from this source.
    PasswordLocked,
    /// A certificate is needed.
    CertificateRequired,
    /// The certificate is revoked.
    CertificateRevoked,
    /// The certificate is of no authority that counts, or not made for this.
    CertificateUntrusted,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate belongs to no account.
    AccountUnknown,
    /// The certificate belongs to several accounts.
    AccountAmbiguous,
    /// The account is disabled, locked or expired.
    AccountRefused,
    /// Certificate and password are of different accounts.
    AccountsDiffer,
    /// The device is blocked.
    DeviceBlocked,
    /// Device rules refuse it.
    DeviceRefused,
    /// The device waits for an administrator's decision.
    DeviceQuarantined,
    /// No application is published here.
    NotPublished,
    /// The connection was made for another host.
    Misdirected,
    /// Revocation cannot be found out.
    RevocationUnknown,
    /// Whoever keeps the accounts does not answer.
    AccountsUnavailable,
    /// What is known of Lanyard's devices is out of date.
    StateStale,
    /// No back end can be reached.
    BackEndUnreachable,
    /// The back end did not answer in time.
    BackEndTimeout,
    /// The back end answered what is not HTTP, or broke off.
    BackEndBroken,
    /// The back end does not accept who the gateway says it is.
    BackEndRefused,
    /// Ours.
    Internal,
}

impl Reason {
    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::PasswordRequired | Self::PasswordWrong | Self::PasswordLocked => 401,
            Self::CertificateRequired
            | Self::CertificateRevoked
            | Self::CertificateUntrusted
            | Self::CertificateExpired
            | Self::CertificateNotYetValid
            | Self::AccountUnknown
            | Self::AccountAmbiguous
            | Self::AccountRefused
            | Self::AccountsDiffer
            | Self::DeviceBlocked
            | Self::DeviceRefused
            | Self::DeviceQuarantined => 403,
            Self::NotPublished => 404,
            Self::BodyTooSlow => 408,
            Self::BodyTooLarge => 413,
            Self::Misdirected => 421,
            Self::Internal => 500,
            Self::BackEndUnreachable | Self::BackEndBroken | Self::BackEndRefused => 502,
            Self::RevocationUnknown | Self::AccountsUnavailable | Self::StateStale => 503,
            Self::BackEndTimeout => 504,
        }
    }

    /// What IIS writes after the status in its log.
    #[must_use]
    pub const fn substatus(self) -> Option<u8> {
        match self {
            Self::PasswordRequired => Some(2),
            Self::PasswordWrong | Self::PasswordLocked => Some(1),
            Self::CertificateRequired => Some(7),
            Self::AccountUnknown | Self::AccountAmbiguous | Self::AccountRefused | Self::AccountsDiffer => Some(12),
            Self::CertificateRevoked => Some(13),
            Self::CertificateUntrusted => Some(16),
            Self::CertificateExpired | Self::CertificateNotYetValid => Some(17),
            _ => None,
        }
    }

    /// Stable code, for log and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "gateway.malformed",
            Self::BodyTooLarge => "gateway.body-too-large",
            Self::BodyTooSlow => "gateway.body-too-slow",
            Self::PasswordRequired => "gateway.password-required",
            Self::PasswordWrong => "gateway.password-wrong",
            Self::PasswordLocked => "gateway.password-locked",
            Self::CertificateRequired => "gateway.certificate-required",
            Self::CertificateRevoked => "gateway.certificate-revoked",
            Self::CertificateUntrusted => "gateway.certificate-untrusted",
            Self::CertificateExpired => "gateway.certificate-expired",
            Self::CertificateNotYetValid => "gateway.certificate-not-yet-valid",
            Self::AccountUnknown => "gateway.account-unknown",
            Self::AccountAmbiguous => "gateway.account-ambiguous",
            Self::AccountRefused => "gateway.account-refused",
            Self::AccountsDiffer => "gateway.accounts-differ",
            Self::DeviceBlocked => "gateway.device-blocked",
            Self::DeviceRefused => "gateway.device-refused",
            Self::DeviceQuarantined => "gateway.device-quarantined",
            Self::NotPublished => "gateway.not-published",
            Self::Misdirected => "gateway.misdirected",
            Self::RevocationUnknown => "gateway.revocation-unknown",
            Self::AccountsUnavailable => "gateway.accounts-unavailable",
            Self::StateStale => "gateway.state-stale",
            Self::BackEndUnreachable => "gateway.back-end-unreachable",
            Self::BackEndTimeout => "gateway.back-end-timeout",
            Self::BackEndBroken => "gateway.back-end-broken",
            Self::BackEndRefused => "gateway.back-end-refused",
            Self::Internal => "gateway.internal",
        }
    }

    /// What the client is told: nothing about users, directories or back ends.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Malformed => "The request is malformed.",
            Self::BodyTooLarge => "The request is too large.",
            Self::BodyTooSlow => "The request came too slowly.",
            Self::PasswordRequired | Self::PasswordWrong | Self::PasswordLocked => "Name and password are required.",
            Self::CertificateRequired => "A client certificate is required.",
            Self::CertificateRevoked => "The client certificate is revoked.",
            Self::CertificateUntrusted => "The client certificate is not trusted.",
            Self::CertificateExpired => "The client certificate has expired.",
            Self::CertificateNotYetValid => "The client certificate is not valid yet.",
            Self::AccountUnknown | Self::AccountAmbiguous | Self::AccountRefused => {
                "The client certificate does not lead to an account that may enter."
            }
            Self::AccountsDiffer => "Certificate and password do not belong together.",
            Self::DeviceBlocked | Self::DeviceRefused => "This device may not enter.",
            Self::DeviceQuarantined => "This device waits for an administrator's decision.",
            Self::NotPublished => "Nothing is published here.",
            Self::Misdirected => "This connection was made for another host.",
            Self::RevocationUnknown | Self::AccountsUnavailable | Self::StateStale => "Try again later.",
            Self::BackEndUnreachable | Self::BackEndBroken | Self::BackEndRefused => "The application cannot be reached.",
            Self::BackEndTimeout => "The application did not answer in time.",
            Self::Internal => "The gateway failed.",
        }
    }
}

impl Denial {
    /// For a reason that says everything.
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        Self { reason, detail: String::new() }
    }

    /// With more for the log; made safe to print.
    #[must_use]
    pub fn because(reason: Reason, detail: &str) -> Self {
        let cut = detail.char_indices().nth(300).map_or(detail, |(at, _)| detail.get(..at).unwrap_or_default());
        Self { reason, detail: printable(cut) }
    }

    /// Status and substatus as IIS logs them: `403.7`.
    #[must_use]
    pub fn number(&self) -> String {
        match self.reason.substatus() {
            Some(sub) => format!("{}.{sub}", self.reason.status()),
            None => self.reason.status().to_string(),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.reason.sentence())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}
