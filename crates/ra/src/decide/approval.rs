//! Who may approve a held request (security.md, "Web": a requester never approves an own request, whatever login is used).

use lanyard_model::{challenge::Binding, id::UserName, template::Approval, time::Timestamp};

use super::decision::Approved;
use crate::{
    error::RaError,
    reason::{Reason, Refusal},
};

/// The socket of the data directory: whoever owns the directory, which tells no people apart.
const SOCKET: &str = "admin:";
/// A person by user name.
const USER: &str = "user:";

/// Whether a person may approve a request with this binding, under a template that asks for this approval.
///
/// # Errors
/// [`RaError::OrderRefused`] with [`Reason::ApprovalOwn`]; the request goes on waiting.
pub fn may_approve(by: &str, binding: &Binding, approval: Approval) -> Result<(), RaError> {
    check(by, binding, approval).map_err(|Refusal { reason, detail }| RaError::OrderRefused { reason, detail })
}

fn check(by: &str, binding: &Binding, approval: Approval) -> Result<(), Refusal> {
    let name = by.strip_prefix(USER).unwrap_or(by);
    if binding.user.as_ref().map(UserName::as_str) == Some(name) {
        return Err(Refusal::new(Reason::ApprovalOwn, format!("the certificate is for {name}")));
    }
    // One person at the socket may well have made the challenge and approve the request; where two people are asked for, that will not do.
    let told_apart = !by.starts_with(SOCKET) || approval == Approval::TwoPersons;
    if told_apart && binding.minted_by.as_deref() == Some(by) {
        return Err(Refusal::new(Reason::ApprovalOwn, format!("{by} made the challenge")));
    }
    Ok(())
}

/// Checks that enough different people approved, none of them for themselves.
pub(super) fn counts(approved: &Approved, binding: &Binding, approval: Approval) -> Result<(), Refusal> {
    if approval == Approval::Automatic {
        return Ok(());
    }
    let mut people: Vec<&str> = approved.others.iter().map(String::as_str).chain([approved.by.as_str()]).collect();
    people.sort_unstable();
    people.dedup();
    people.iter().try_for_each(|by| check(by, binding, approval))?;
    if people.len() < approval.persons() {
        let detail = format!("{} of {} people approved", people.len(), approval.persons());
        return Err(Refusal::new(Reason::ApprovalSecond, detail));
    }
    Ok(())
}

/// Checks that an approval does not come too late.
pub(super) fn in_time(until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if now > until {
        return Err(Refusal::new(Reason::ApprovalExpired, format!("the request could wait until {until}")));
    }
    Ok(())
}
