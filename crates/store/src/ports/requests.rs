//! Challenges and requests.

use async_trait::async_trait;
use lanyard_model::{
    audit::AuditEvent,
    challenge::{ChallengeId, ChallengeRecord, ChallengeUse},
    id::{ProfileName, RequestId},
    notice::NoticeRecord,
    request::{RequestRecord, RequestState},
    time::Timestamp,
};

use super::{Begun, Result};

/// Challenges before their use. Their consumption is part of [`super::IssuanceStore::begin_issuance`] and [`RequestStore::hold_request`].
#[async_trait]
pub trait ChallengeStore: Send + Sync {
    /// Saves a new challenge.
    async fn save_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<()>;
    /// Saves a new challenge of a profile's page, unless so many of that page are unused and have not ended at its `created_at`; `false`,
    /// and nothing is written, if they are.
    async fn save_page_challenge(
        &self,
        challenge: ChallengeRecord,
        profile: &ProfileName,
        most: u32,
        audit: AuditEvent,
    ) -> Result<bool>;
    /// How many challenges of a profile's page are unused and have not ended.
    async fn count_page_challenges(&self, profile: &ProfileName, now: Timestamp) -> Result<u64>;
    /// Saves a challenge whose id follows from what was presented; `false`, and nothing is written, if that id is taken.
    async fn adopt_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<bool>;
    /// Finds a challenge by the id in its text.
    async fn load_challenge(&self, id: ChallengeId) -> Result<Option<ChallengeRecord>>;
}

/// Requests and their decisions.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Finds a request by its id.
    async fn load_request(&self, id: RequestId) -> Result<Option<RequestRecord>>;
    /// Finds the newest request of exactly this message (SHA-256) and its transaction at this profile that was not refused.
    async fn find_request_by_message(
        &self,
        profile: &ProfileName,
        transaction: &str,
        message_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>>;
    /// Finds the newest request of a transaction by the same signer key, in any state but `Denied`.
    async fn find_request_by_transaction(
        &self,
        profile: &ProfileName,
        transaction: &str,
        signer_key_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>>;
    /// Finds all requests with this transaction text, newest first, at most 20.
    async fn find_requests_by_text(&self, transaction: &str) -> Result<Vec<RequestRecord>>;
    /// Lists requests, newest first.
    async fn list_requests(&self, filter: RequestFilter) -> Result<Vec<RequestRecord>>;
    /// Saves a refusal (state `Denied`) with what is to be told of it. For an existing pending request it changes the state; when that was
    /// decided meanwhile, nothing happens and the answer is [`Begun::NotPending`]. A challenge to burn is consumed in the same
    /// transaction if it is still unused.
    async fn save_denied(
        &self,
        request: RequestRecord,
        burn: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun>;
    /// Saves a held request (state `Pending`) with what is to be told of it, consuming its challenge in the same transaction.
    async fn hold_request(
        &self,
        request: RequestRecord,
        challenge: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun>;
}

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only this state.
    pub state: Option<RequestState>,
    /// Only requests older than this one (for paging).
    pub before: Option<RequestId>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// The claim of a request on a challenge: consumed if it is unused and has not expired at `use.at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeClaim {
    /// The challenge.
    pub id: ChallengeId,
    /// Its use.
    pub claim: ChallengeUse,
}
