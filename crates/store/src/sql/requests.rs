//! Requests: found by what a client repeats, listed, refused, held.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    id::{ProfileName, RequestId},
    notice::NoticeRecord,
    request::{RequestRecord, RequestState},
    time::{Span, Timestamp},
};

use sha2::{Digest, Sha256};

use super::{
    bind, challenges,
    database::Database,
    notices,
    tx::{Applied, Tx},
    value::{Row, args},
    writer::Object,
};
use crate::{
    ports::{Begun, ChallengeClaim, RequestFilter, RequestStore, Result},
    rows,
};

/// How long a transaction belongs to the key that used it first.
pub(super) const TRANSACTION_LIFE: Span = Span::from_days(7);

/// Rows listed where the filter says nothing.
const DEFAULT_LIMIT: u32 = 100;

macro_rules! columns {
    () => {
        "id, protocol, profile, transaction_id, message_digest, renewal, signer_key_digest, key_digest, claims, subject, san, \
        key_kind, template, user_name, device, state, reason, detail, certificate_issuer, certificate_serial, renews, \
        challenge, context, received_at, decided_at, decided_by"
    };
}
macro_rules! values {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
        $25, $26"
    };
}
macro_rules! assignments {
    () => {
        "protocol = $2, profile = $3, transaction_id = $4, message_digest = $5, renewal = $6, signer_key_digest = $7, \
        key_digest = $8, claims = $9, subject = $10, san = $11, key_kind = $12, template = $13, user_name = $14, device = $15, \
        state = $16, reason = $17, detail = $18, certificate_issuer = $19, certificate_serial = $20, renews = $21, \
        challenge = $22, context = $23, received_at = $24, decided_at = $25, decided_by = $26"
    };
}

pub(crate) const LOAD: &str = concat!("SELECT ", columns!(), " FROM requests WHERE id = $1");
/// By its transaction: digests of messages have no index of their own, which every request would have to be put into.
pub(crate) const BY_MESSAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM requests WHERE transaction_id = $2 AND profile = $1 AND state <> 'denied' AND message_digest = $3 \
    ORDER BY id DESC LIMIT 1"
);
pub(crate) const BY_TRANSACTION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM requests WHERE transaction_id = $2 AND profile = $1 AND state <> 'denied' AND signer_key_digest = $3 \
    ORDER BY id DESC LIMIT 1"
);
/// The two halves of a transaction have an index each.
pub(crate) const BY_TEXT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM requests WHERE id IN (SELECT id FROM requests WHERE transaction_id = $1 AND state = 'denied' \
    UNION ALL SELECT id FROM requests WHERE transaction_id = $1 AND state <> 'denied') ORDER BY id DESC LIMIT 20"
);
/// Ids are lower-case hexadecimal, so every id is before the first page's `~`.
pub(crate) const LIST: &str = concat!("SELECT ", columns!(), " FROM requests WHERE id < $1 ORDER BY id DESC LIMIT $2");
macro_rules! list_state {
    ($state:literal) => {
        concat!("SELECT ", columns!(), " FROM requests WHERE id < $1 AND ", $state, " ORDER BY id DESC LIMIT $2")
    };
}
// The state is text of its own because an index serves only conditions that stand in the statement, word for word.
pub(crate) const LIST_PENDING: &str = list_state!("state = 'pending' AND state <> 'issued' AND state <> 'granted'");
/// A granted request is one whose intent is open.
pub(crate) const LIST_GRANTED: &str =
    list_state!("state = 'granted' AND id IN (SELECT request FROM certificates WHERE signed = 0 AND revoked_at IS NULL)");
const LIST_ISSUED: &str = list_state!("state = 'issued'");
pub(crate) const LIST_DENIED: &str = list_state!("state = 'denied' AND state <> 'issued' AND state <> 'granted'");
const LIST_EXPIRED: &str = list_state!("state = 'expired' AND state <> 'issued' AND state <> 'granted'");
/// Takes over a granted request whose signature never came.
const TAKE_OVER: &str = concat!("UPDATE requests SET ", assignments!(), " WHERE id = $1 AND state = 'granted'");
const INSERT: &str = concat!("INSERT INTO requests (", columns!(), ") VALUES (", values!(), ")");
pub(crate) const DECIDE: &str = concat!("UPDATE requests SET ", assignments!(), " WHERE id = $1 AND state = 'pending'");
const DENY: &str = concat!(
    "INSERT INTO requests (",
    columns!(),
    ") VALUES (",
    values!(),
    ") ON CONFLICT (id) DO UPDATE SET ",
    assignments!(),
    " WHERE requests.state = 'pending'"
);
pub(crate) const OTHER_KEY: &str = "SELECT id FROM requests \
    WHERE transaction_id = $1 AND profile = $2 AND state <> 'denied' AND state <> 'expired' AND received_at > $3 AND id <> $4 \
    AND signer_key_digest IS DISTINCT FROM $5 AND key_digest IS DISTINCT FROM $6 ORDER BY id DESC LIMIT 1";

#[async_trait]
impl RequestStore for Database {
    async fn load_request(&self, id: RequestId) -> Result<Option<RequestRecord>> {
        one(self.optional("find a request", LOAD, args![id.to_string()]).await?)
    }

    async fn find_request_by_message(
        &self,
        profile: &ProfileName,
        transaction: &str,
        message_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>> {
        one(self.optional("find a request", BY_MESSAGE, args![profile.to_string(), transaction, message_digest]).await?)
    }

    async fn find_request_by_transaction(
        &self,
        profile: &ProfileName,
        transaction: &str,
        signer_key_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>> {
        let values = args![profile.to_string(), transaction, signer_key_digest];
        one(self.optional("find a request", BY_TRANSACTION, values).await?)
    }

    async fn find_requests_by_text(&self, transaction: &str) -> Result<Vec<RequestRecord>> {
        many(&self.fetch("list requests", BY_TEXT, args![transaction]).await?)
    }

    async fn list_requests(&self, filter: RequestFilter) -> Result<Vec<RequestRecord>> {
        let before = filter.before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
        let sql = match filter.state {
            None => LIST,
            Some(RequestState::Pending) => LIST_PENDING,
            Some(RequestState::Granted) => LIST_GRANTED,
            Some(RequestState::Issued) => LIST_ISSUED,
            Some(RequestState::Denied) => LIST_DENIED,
            Some(RequestState::Expired) => LIST_EXPIRED,
        };
        let found = self.fetch_long("list requests", sql, args![before, limit]).await?;
        many(&found)
    }

    async fn save_denied(
        &self,
        request: RequestRecord,
        burn: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun> {
        let object = object(&request, burn.as_ref());
        let decision = Arc::new((request, burn, notices, audit));
        self.write_on(object, move |tx| deny(tx, Arc::clone(&decision)).boxed()).await
    }

    async fn hold_request(
        &self,
        request: RequestRecord,
        challenge: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun> {
        let object = object(&request, challenge.as_ref());
        let decision = Arc::new((request, challenge, notices, audit));
        self.write_on(object, move |tx| hold(tx, Arc::clone(&decision)).boxed()).await
    }
}

/// What nodes may contend for: the challenge, or else the request; and the transaction, into which two keys must not come at once.
pub(super) fn object(request: &RequestRecord, challenge: Option<&ChallengeClaim>) -> Object {
    let id = challenge.map_or_else(|| request.id.to_string().into_bytes(), |claim| claim.id.0.to_vec());
    let named = !request.transaction.is_empty() && request.state != RequestState::Denied;
    Object { id, transaction: named.then(|| number(request)) }
}

/// Number of a request's transaction: others may have the same one, and then only wait for each other needlessly.
fn number(request: &RequestRecord) -> i64 {
    lock_number(request.profile.as_str(), &request.transaction)
}

/// A number for what two names mean together.
pub(super) fn lock_number(first: &str, second: &str) -> i64 {
    let digest = Sha256::new_with_prefix(first).chain_update([0]).chain_update(second).finalize();
    digest.iter().take(8).fold(0, |number, octet| (number << 8) | i64::from(*octet))
}

fn one(row: Option<Row>) -> Result<Option<RequestRecord>> {
    row.as_ref().map(rows::request).transpose()
}

fn many(found: &[Row]) -> Result<Vec<RequestRecord>> {
    found.iter().map(rows::request).collect()
}

/// A request, the challenge it consumes, what is to be told of it, and the event.
type Decision = Arc<(RequestRecord, Option<ChallengeClaim>, Vec<NoticeRecord>, AuditEvent)>;

async fn deny(tx: &mut Tx, decision: Decision) -> Result<Applied<Begun>> {
    let (request, burn, told, audit) = &*decision;
    if tx.execute("save a refused request", DENY, bind::request(request)?).await? == 0 {
        // Whoever denies must not believe that a request issued meanwhile was denied.
        return Ok(Applied::Nothing(Begun::NotPending));
    }
    // Whether it was still unused does not matter here: nobody can use it from now on.
    if let Some(claim) = burn {
        challenges::consume(tx, claim).await?;
    }
    notices::save(tx, told).await?;
    tx.audit(audit)?;
    Ok(Applied::Kept(Begun::Done))
}

async fn hold(tx: &mut Tx, decision: Decision) -> Result<Applied<Begun>> {
    let (request, challenge, told, audit) = &*decision;
    if let Some(refusal) = other_key(tx, request, request.received_at).await? {
        return Ok(Applied::Nothing(refusal));
    }
    if let Some(claim) = challenge
        && let Some(refusal) = challenges::consume(tx, claim).await?
    {
        return Ok(Applied::Nothing(refusal));
    }
    insert(tx, request).await?;
    notices::save(tx, told).await?;
    tx.audit(audit)?;
    Ok(Applied::Kept(Begun::Done))
}

/// Saves a new request.
pub(super) async fn insert(tx: &mut Tx, request: &RequestRecord) -> Result<()> {
    tx.execute("save a request", INSERT, bind::request(request)?).await.map(drop)
}

/// Replaces a pending request by its decided form; `false` if it is not pending.
pub(super) async fn decide(tx: &mut Tx, request: &RequestRecord) -> Result<bool> {
    Ok(tx.execute("decide a pending request", DECIDE, bind::request(request)?).await? == 1)
}

/// Replaces a granted request by a newly granted form; `false` if it is not granted.
pub(super) async fn take_over(tx: &mut Tx, request: &RequestRecord) -> Result<bool> {
    Ok(tx.execute("take over an abandoned request", TAKE_OVER, bind::request(request)?).await? == 1)
}

/// Another key in the same transaction of the same profile, if there is one. An unreadable message has no transaction.
pub(super) async fn other_key(tx: &mut Tx, request: &RequestRecord, now: Timestamp) -> Result<Option<Begun>> {
    if request.transaction.is_empty() {
        return Ok(None);
    }
    let values = args![
        request.transaction.as_str(),
        request.profile.to_string(),
        (now - TRANSACTION_LIFE).0,
        request.id.to_string(),
        request.signer_key_digest,
        request.key_digest,
    ];
    let other = tx.optional("look for another key in the transaction", OTHER_KEY, values).await?;
    other.map(|row| rows::request_id(&row, "requests.id").map(Begun::OtherKey)).transpose()
}
