//! People, devices, groups and tokens; what is counted of them, and keys kept for them.

use async_trait::async_trait;
use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::AuditEvent,
    directory::{Device, Group, User},
    id::{DeviceId, GroupName, RequestId, TokenId, UserName},
    invitation::InvitationRecord,
    lease::LeaseRecord,
    request::ApprovalRecord,
    time::Timestamp,
    token::TokenRecord,
};

use super::Result;

/// Users, devices and settings.
#[async_trait]
pub trait DirectoryStore: Send + Sync {
    /// Saves (adds or replaces) a user.
    async fn save_user(&self, user: User, audit: AuditEvent) -> Result<()>;
    /// Finds a user.
    async fn load_user(&self, name: &UserName) -> Result<Option<User>>;
    /// Lists users by name.
    async fn list_users(&self) -> Result<Vec<User>>;
    /// Saves (adds or replaces) a device.
    async fn save_device(&self, device: Device, audit: AuditEvent) -> Result<()>;
    /// Finds a device.
    async fn load_device(&self, id: &DeviceId) -> Result<Option<Device>>;
    /// Lists devices by id.
    async fn list_devices(&self) -> Result<Vec<Device>>;
    /// The devices that are a user's on record.
    async fn devices_of_user(&self, user: &UserName) -> Result<Vec<Device>>;
    /// A setting of the installation.
    async fn load_setting(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Saves a setting.
    async fn save_setting(&self, name: &str, value: Vec<u8>) -> Result<()>;
    /// Saves a setting on which issuing rests, with its event; where a lease is named, only if it is still held.
    async fn change_setting(&self, name: &str, value: Vec<u8>, lease: Option<LeaseRecord>, audit: AuditEvent) -> Result<()>;
}

/// Tokens, groups, and what people said.
#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// Saves (adds or replaces) an API token.
    async fn save_token(&self, token: TokenRecord, audit: AuditEvent) -> Result<()>;
    /// Finds a token by the id in its text.
    async fn load_token(&self, id: &TokenId) -> Result<Option<TokenRecord>>;
    /// Lists tokens by id.
    async fn list_tokens(&self) -> Result<Vec<TokenRecord>>;
    /// Saves (adds or replaces) a group.
    async fn save_group(&self, group: Group, audit: AuditEvent) -> Result<()>;
    /// Finds a group.
    async fn load_group(&self, name: &GroupName) -> Result<Option<Group>>;
    /// Lists groups by name.
    async fn list_groups(&self) -> Result<Vec<Group>>;
    /// Removes a group; `false`, and no event, if there is none.
    async fn remove_group(&self, name: &GroupName, audit: AuditEvent) -> Result<bool>;
    /// Saves (adds or replaces) many users and devices: all of them, or none.
    async fn import_directory(&self, users: Vec<User>, devices: Vec<Device>, audit: AuditEvent) -> Result<()>;
    /// Removes a user; `false`, and no event, if there is none.
    async fn remove_user(&self, name: &UserName, audit: AuditEvent) -> Result<bool>;
    /// Removes a device; `false`, and no event, if there is none.
    async fn remove_device(&self, id: &DeviceId, audit: AuditEvent) -> Result<bool>;
    /// Saves a person's approval of a held request; `false`, and no event, if the request no longer waits or the person approved before.
    async fn approve_request(&self, approval: ApprovalRecord, audit: AuditEvent) -> Result<bool>;
    /// Approvals of a request, oldest first.
    async fn approvals_of(&self, request: RequestId) -> Result<Vec<ApprovalRecord>>;
}

/// What all nodes count together. A count sinks evenly with time, so that it is known by the moment at which it will be empty.
#[async_trait]
pub trait CountStore: Send + Sync {
    /// When a count is or was empty again; `None` if it is not kept.
    async fn load_count(&self, name: &str) -> Result<Option<Timestamp>>;
    /// Raises counts.
    async fn raise_counts(&self, now: Timestamp, raises: Vec<Raise>) -> Result<()>;
    /// Uses up something that is good until then; `false` if it was used before.
    async fn use_once(&self, name: &str, until: Timestamp) -> Result<bool>;
    /// Forgets what was empty, good or open no longer at this moment.
    async fn clear_counts(&self, before: Timestamp) -> Result<()>;
}

/// How a count is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// The count.
    pub name: String,
    /// By how many milliseconds later it is empty.
    pub by: i64,
    /// How many milliseconds away that may be at most.
    pub most: i64,
}

/// Archived keys, and who got them back.
#[async_trait]
pub trait ArchiveStore: Send + Sync {
    /// Keeps a key.
    async fn save_archived_key(&self, key: ArchivedKey, audit: AuditEvent) -> Result<()>;
    /// The keys of a user, oldest first.
    async fn archived_keys_of(&self, user: &UserName) -> Result<Vec<ArchivedKey>>;
    /// Adds a recovery, or changes one that still is as it was `seen`; `false` when it is not.
    async fn save_recovery(&self, recovery: Recovery, seen: Option<u64>, audit: AuditEvent) -> Result<bool>;
    /// A recovery and its revision.
    async fn load_recovery(&self, id: RequestId) -> Result<Option<(Recovery, u64)>>;
    /// The newest recoveries.
    async fn list_recoveries(&self, limit: u32) -> Result<Vec<Recovery>>;
}

/// Invitations, without their links.
#[async_trait]
pub trait InvitationStore: Send + Sync {
    /// Keeps a new one.
    async fn save_invitation(&self, invitation: InvitationRecord, audit: AuditEvent) -> Result<()>;
    /// Uses up its mark (see [`CountStore::use_once`]) and keeps how it ended; `false`, and nothing is written, when the mark was used before.
    async fn end_invitation(&self, mark: &str, ended: InvitationRecord, audit: Option<AuditEvent>) -> Result<bool>;
    /// One of them.
    async fn load_invitation(&self, id: RequestId) -> Result<Option<InvitationRecord>>;
    /// The newest.
    async fn list_invitations(&self, limit: u32) -> Result<Vec<InvitationRecord>>;
}
