//! What a policy module is still to be told.

use crate::{
    id::{ProfileName, RequestId},
    time::Timestamp,
};

/// An outcome that one module of one profile is to be told; kept from the transaction of the outcome until the module took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRecord {
    /// Follows from request, outcome and module, so that none is kept twice.
    pub id: String,
    /// The request.
    pub request: RequestId,
    /// Profile of the module.
    pub profile: ProfileName,
    /// Place of the module in its profile, from 0, among those that ask somebody else.
    pub place: u32,
    /// Kind of the module.
    pub kind: String,
    /// The outcome, sealed.
    pub body: Vec<u8>,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When the outcome was stored.
    pub created_at: Timestamp,
    /// When it is to be tried next.
    pub due_at: Timestamp,
}
