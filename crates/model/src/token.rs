//! API tokens: who may call the administrator's interface over the network, and for what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{ProfileName, TemplateName, TokenId, UserName},
    time::Timestamp,
};

/// A token as stored. The secret itself is never stored.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenRecord {
    /// Public half, which finds the record.
    pub id: TokenId,
    /// Keyed hash (HMAC-SHA-256) of the whole token.
    #[serde(with = "crate::text::hex_digest")]
    pub keyed_hash: [u8; 32],
    /// What it is for, in words of whoever made it.
    pub description: String,
    /// Whose it is; two tokens of one user are one person.
    #[serde(default)]
    pub user: Option<UserName>,
    /// What it permits.
    pub scope: Scope,
    /// Most calls a minute.
    pub calls_per_minute: u32,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
}

/// What a token permits. Whatever is not named is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "role")]
pub enum Scope {
    /// Everything.
    Administrator,
    /// Reading requests, approving and denying them.
    Approver,
    /// Following the state of certificates, users and devices, and asking whether passwords are right.
    Gateway,
    /// Making challenges.
    Mint {
        /// Only for these profiles; at least one.
        profiles: Vec<ProfileName>,
        /// Only of these templates; at least one.
        templates: Vec<TemplateName>,
    },
}

impl Scope {
    /// Whether challenges of this template may be made for this profile.
    #[must_use]
    pub fn may_mint(&self, profile: &ProfileName, template: &TemplateName) -> bool {
        match self {
            Self::Administrator => true,
            Self::Approver | Self::Gateway => false,
            Self::Mint { profiles, templates } => profiles.contains(profile) && templates.contains(template),
        }
    }
}

/// For people: `administrator`, `approver`, `mint wifi at default`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("administrator"),
            Self::Approver => f.write_str("approver"),
            Self::Gateway => f.write_str("gateway"),
            Self::Mint { profiles, templates } => {
                let list = |names: Vec<&str>| names.join(", ");
                let templates = list(templates.iter().map(TemplateName::as_str).collect());
                write!(f, "mint {templates} at {}", list(profiles.iter().map(ProfileName::as_str).collect()))
            }
        }
    }
}
