//! How a flow ends, and what it tells on the way.

use std::{fmt, sync::Arc, time::Duration};

use lanyard_enroll::scep::attributes::FailInfo;
use lanyard_model::key::KeyKind;
use lanyard_pki::certificate::Certificate;

use crate::{
    key::{DeviceKey, KeyPlace},
    store::LocalId,
};

/// How an enrolment, renewal or resumption ended.
#[derive(Debug, Clone)]
pub enum EnrollOutcome {
    /// A certificate, verified and stored.
    Issued(Box<Issued>),
    /// Refused by the server.
    Refused(Refusal),
    /// Still held after the last question; `resume` goes on.
    StillPending {
        /// transactionID.
        transaction: String,
        /// Names the held request in the store.
        id: LocalId,
        /// What the server calls the request.
        request_id: Option<String>,
    },
}

/// A certificate that was obtained.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Names the identity in the store; without a store it names nothing.
    pub id: LocalId,
    /// The certificate.
    pub certificate: Certificate,
    /// Its issuers, nearest first, pinned CA last.
    pub chain: Vec<Certificate>,
    /// Its key.
    pub key: Arc<DeviceKey>,
    /// transactionID.
    pub transaction: String,
    /// What the server calls the request.
    pub request_id: Option<String>,
    /// Names that the server added or, where that was accepted, left out.
    pub differences: Vec<String>,
}

/// A refusal, signed by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in one number.
    pub fail_info: FailInfo,
    /// failInfoText.
    pub text: Option<String>,
    /// HRESULT of an NDES server.
    pub hresult: Option<String>,
    /// Whether a renewal was refused; the old certificate is still there.
    pub renewal: bool,
    /// transactionID.
    pub transaction: String,
    /// What the server calls the request.
    pub request_id: Option<String>,
}

impl Refusal {
    /// What the number means, in plain words.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        match self.fail_info {
            FailInfo::BadAlg => "an algorithm or the size of the key is not accepted",
            FailInfo::BadMessageCheck => "the message could not be verified or decrypted",
            FailInfo::BadRequest if self.renewal => {
                "the certificate is not renewed now: it may be too early, or the certificate or its device may be revoked or blocked"
            }
            FailInfo::BadRequest => {
                "the challenge is wrong, used or expired, or what was asked for is not what the record of this device allows"
            }
            FailInfo::BadTime => "the clock of this device is too far from the server's",
            FailInfo::BadCertId => "the certificate that signed the renewal is not one the server renews",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        let id = self.request_id.as_deref();
        let ask = id.map_or_else(
            || format!("ask the administrator to look for transaction {}", self.transaction),
            |id| format!("ask the administrator to run 'lanyard request show {id}'"),
        );
        match self.fail_info {
            FailInfo::BadTime => "set the clock of this device, then try again".to_owned(),
            FailInfo::BadRequest if self.renewal => format!("{ask}, which tells the cause; if it is too early, try again later"),
            FailInfo::BadRequest => format!("{ask}, which tells the cause, and to create a new challenge if one is needed"),
            FailInfo::BadAlg | FailInfo::BadMessageCheck | FailInfo::BadCertId => format!("{ask}, which tells the cause"),
        }
    }
}

/// What happens on the way, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The server's CA certificates were verified under the fingerprint.
    CaVerified,
    /// A key was made.
    KeyMade(KeyKind, KeyPlace),
    /// There is no TPM for the key, and it may be made in software instead.
    NoTpm {
        /// Why.
        cause: String,
    },
    /// The request was sent.
    Sent {
        /// transactionID.
        transaction: String,
    },
    /// A request of an earlier run was taken up: asked for, or sent again.
    Resumed {
        /// transactionID.
        transaction: String,
    },
    /// The answer was lost; the same message is sent again.
    Resending {
        /// Which repetition, from 1.
        attempt: u32,
        /// Why.
        cause: String,
    },
    /// Held; the next question follows after the wait.
    Waiting {
        /// Which question it will be, from 1.
        attempt: u32,
        /// How many there will be.
        of: u32,
        /// How long to wait.
        wait: Duration,
        /// What the server calls the request.
        request_id: Option<String>,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaVerified => f.write_str("the CA certificates are verified"),
            Self::KeyMade(kind, KeyPlace::Software) => write!(f, "made a key ({kind})"),
            Self::KeyMade(kind, KeyPlace::Tpm) => write!(f, "made a key in the TPM ({kind})"),
            Self::KeyMade(kind, KeyPlace::TpmPin) => write!(f, "made a key in the TPM, guarded by a PIN ({kind})"),
            Self::NoTpm { cause } => write!(f, "{cause}; the key is made in software instead"),
            Self::Sent { transaction } => write!(f, "sent the request, transaction {transaction}"),
            Self::Resumed { transaction } => write!(f, "going on with transaction {transaction}"),
            Self::Resending { attempt, cause } => write!(f, "{cause}; sending the same message again ({attempt})"),
            Self::Waiting { attempt, of, wait, request_id } => {
                let id = request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
                write!(f, "held for a decision{id}; asking again in {} s, {attempt} of {of}", wait.as_secs_f32())
            }
        }
    }
}

/// Somebody who watches a flow.
pub type Watcher<'a> = &'a mut (dyn FnMut(Progress) + Send);
