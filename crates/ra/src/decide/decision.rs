//! What goes into a decision and what comes out.

use lanyard_model::{
    certificate::CertificateRecord,
    challenge::{Binding, ChallengeId, ChallengeRecord},
    directory::{Device, User},
    id::{DeviceId, GroupName, RequestId, TemplateName, UserName},
};

use crate::{
    grant::Grant,
    order::ChallengeOrder,
    reason::{Reason, Refusal},
};

/// What the record knows, loaded by the caller. What is absent counts as not on record.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The record of the challenge that [`crate::challenge::locate`] names.
    pub challenge: Option<ChallengeRecord>,
    /// The record of the certificate that signed the request, for a signer of ours.
    pub signer_certificate: Option<CertificateRecord>,
    /// For a key that the server makes: the certificate that the new one takes the place of.
    pub predecessor: Option<CertificateRecord>,
    /// The user that [`super::subjects_of`] names.
    pub user: Option<User>,
    /// The device that [`super::subjects_of`] names.
    pub device: Option<Device>,
    /// The profile's groups in which user or device are.
    pub groups: Vec<GroupName>,
    /// A person's approval of exactly this request, which was held before. Means nothing for a renewal.
    pub approval: Option<Approved>,
}

/// The approval of one or more people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Who approved last, as a person: `user:jo`, or a login that is nobody else's.
    pub by: String,
    /// Who approved before.
    pub others: Vec<String>,
}

/// The decision about a request.
#[derive(Debug)]
pub enum Decision {
    /// A certificate may be issued.
    Grant(Box<Grant>),
    /// A person decides. The caller stores the request and consumes the challenge in one transaction.
    Pending(Box<Held>),
    /// The challenge was used by this very CSR and signer key in an earlier request. The caller returns that request's stored
    /// outcome, whatever it was.
    Repeat(RequestId),
    /// Refused.
    Denied(Denied),
}

/// A request to be held for a person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What will be issued if the person agrees.
    pub binding: Binding,
    /// The challenge to consume.
    pub challenge: ChallengeId,
}

/// A refusal, with what is known about the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// The particulars in one line, for log and administrator; text from outside is escaped. Never for the peer.
    pub detail: String,
    /// The challenge, if it is genuine.
    pub challenge: Option<ChallengeId>,
    /// Whether that challenge is to be consumed all the same, so that nobody tries again with other claims: it was unused, the
    /// claims disagreed with it, and the profile says `burn-on-mismatch`.
    pub burn: bool,
    /// Template, as far as it is known.
    pub template: Option<TemplateName>,
    /// User, as far as it is known.
    pub user: Option<UserName>,
    /// Device, as far as it is known.
    pub device: Option<DeviceId>,
}

/// What has become known about a request while it is being decided.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// A genuine challenge.
    pub challenge: Option<ChallengeId>,
    /// Whether it is unused and its profile spends it on a mismatch.
    pub burn_on_mismatch: bool,
    pub template: Option<TemplateName>,
    pub user: Option<UserName>,
    pub device: Option<DeviceId>,
}

impl Known {
    /// What an order says.
    pub fn of_order(order: &ChallengeOrder) -> Self {
        Self {
            template: Some(order.template.clone()),
            user: order.user.as_ref().map(|u| u.name.clone()),
            device: order.device.as_ref().map(|d| d.id.clone()),
            ..Self::default()
        }
    }

    /// A refusal with what is known.
    pub fn denied(self, refusal: Refusal) -> Decision {
        Decision::Denied(Denied {
            burn: self.burn_on_mismatch && self.challenge.is_some() && refusal.reason.is_mismatch(),
            reason: refusal.reason,
            detail: refusal.detail,
            challenge: self.challenge,
            template: self.template,
            user: self.user,
            device: self.device,
        })
    }
}
