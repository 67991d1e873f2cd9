//! Invitations, as they are kept: the link itself is not.

use serde::{Deserialize, Serialize};

use crate::{
    id::{RequestId, UserName},
    time::Timestamp,
};

/// Somebody was invited to fetch something.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InvitationRecord {
    /// Names it.
    pub id: RequestId,
    /// Who was invited.
    pub user: UserName,
    /// What it is good for, in plain words.
    pub what: String,
    /// Whether the user has to be signed in as well.
    pub sign_in: bool,
    /// When it was made.
    pub at: Timestamp,
    /// Until when the link works.
    pub until: Timestamp,
    /// Who invited, as audited.
    pub by: String,
    /// How it ended before that, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<InvitationEnd>,
}

/// How an invitation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InvitationEnd {
    /// When.
    pub at: Timestamp,
    /// Who withdrew it; nobody where it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
}

impl InvitationRecord {
    /// How it stands, in one word: `open`, `used`, `withdrawn` or `expired`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match &self.ended {
            Some(InvitationEnd { withdrawn_by: Some(_), .. }) => "withdrawn",
            Some(_) => "used",
            None if now >= self.until => "expired",
            None => "open",
        }
    }
}
