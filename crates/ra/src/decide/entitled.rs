//! Whether the user and device of a binding or record may still have certificates.

use lanyard_model::{
    challenge::Binding,
    directory::{Device, User},
    id::{DeviceId, UserName},
};

use super::decision::Facts;
use crate::reason::{Reason, Refusal};

/// The user and device a decision needs to know about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subjects {
    /// User to load into [`Facts::user`].
    pub user: Option<UserName>,
    /// Device to load into [`Facts::device`].
    pub device: Option<DeviceId>,
}

/// Which user and device to load, once challenge and certificate are: those of the challenge, or else those of the certificate.
/// Nothing is proven here; [`super::decide`] proves it.
#[must_use]
pub fn subjects_of(facts: &Facts) -> Subjects {
    match (&facts.challenge, &facts.signer_certificate) {
        (Some(challenge), _) => {
            let binding = serde_json::from_slice::<Binding>(&challenge.binding).ok();
            binding.map(|b| Subjects { user: b.user, device: b.device }).unwrap_or_default()
        }
        (None, Some(certificate)) => Subjects { user: certificate.user.clone(), device: certificate.device.clone() },
        (None, None) => Subjects::default(),
    }
}

/// Checks that user and device, where there are any, are on record and neither disabled nor blocked (ndes-policy, section 4,
/// "mandatory re-check"). Returns them, and never a record of anybody else.
pub(super) fn check<'f>(
    user: Option<&UserName>,
    device: Option<&DeviceId>,
    facts: &'f Facts,
) -> Result<(Option<&'f User>, Option<&'f Device>), Refusal> {
    let user = match user {
        None => None,
        Some(name) => match facts.user.as_ref().filter(|record| record.name == *name) {
            None => return Err(Refusal::new(Reason::UserUnknown, format!("the user {name} is not on record"))),
            Some(record) if record.disabled => {
                return Err(Refusal::new(Reason::UserDisabled, format!("the user {name} is disabled")));
            }
            found => found,
        },
    };
    let device = match device {
        None => None,
        Some(id) => match facts.device.as_ref().filter(|record| record.id == *id) {
            None => return Err(Refusal::new(Reason::DeviceUnknown, format!("the device {id} is not on record"))),
            Some(record) if record.blocked => {
                return Err(Refusal::new(Reason::DeviceBlocked, format!("the device {id} is blocked")));
            }
            found => found,
        },
    };
    Ok((user, device))
}
