//! Archived keys, and getting them back.

use serde::{Deserialize, Serialize};

use crate::{
    id::{RequestId, UserName},
    time::Timestamp,
};

/// A private key that the server made and keeps, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedKey {
    /// SHA-256 of the SubjectPublicKeyInfo; certificates name their key by it.
    pub key_digest: [u8; 32],
    /// Whose mail it reads.
    pub user: UserName,
    /// The request it was made for.
    pub request: RequestId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key, sealed to the recovery key.
    pub sealed: Vec<u8>,
}

/// Somebody's wish to have the archived keys of a user.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recovery {
    /// Names it.
    pub id: RequestId,
    /// Whose keys.
    pub user: UserName,
    /// Why, in the words of whoever asked.
    pub reason: String,
    /// Who asked, as a person.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it may be approved and carried out.
    pub until: Timestamp,
    /// Who agreed, as a person; never who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When the keys were given out; they are once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_out_at: Option<Timestamp>,
}
