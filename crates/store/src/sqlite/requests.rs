//! Requests: found by what a client repeats, listed, refused, held.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    id::{ProfileName, RequestId},
    request::RequestRecord,
    time::{Span, Timestamp},
};
use sqlx::sqlite::SqliteRow;

use super::{
    bind, challenges,
    handle::Sqlite,
    row::engine,
    tx::{Applied, Tx},
};
use crate::{
    error::StoreError,
    ports::{Begun, ChallengeClaim, RequestFilter, RequestStore, Result},
    rows,
};

/// How long a transaction belongs to the key that used it first.
const TRANSACTION_LIFE: Span = Span::from_days(7);

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

pub(super) const LOAD: &str = concat!("SELECT ", columns!(), " FROM requests WHERE id = $1");
pub(super) const BY_MESSAGE: &str =
    concat!("SELECT ", columns!(), " FROM requests WHERE profile = $1 AND message_digest = $2 ORDER BY id DESC LIMIT 1");
pub(super) const BY_TRANSACTION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM requests WHERE transaction_id = $2 AND profile = $1 AND state <> 'denied' AND signer_key_digest = $3 \
    ORDER BY id DESC LIMIT 1"
);
pub(super) const BY_TEXT: &str =
    concat!("SELECT ", columns!(), " FROM requests WHERE transaction_id = $1 ORDER BY id DESC LIMIT 20");
/// Ids are lower-case hexadecimal, so every id is before the first page's `~`.
pub(super) const LIST: &str = concat!("SELECT ", columns!(), " FROM requests WHERE id < $1 ORDER BY id DESC LIMIT $2");
pub(super) const LIST_STATE: &str =
    concat!("SELECT ", columns!(), " FROM requests WHERE id < $1 AND state = $3 ORDER BY id DESC LIMIT $2");
/// Takes over a granted request whose signature never came.
const TAKE_OVER: &str = concat!("UPDATE requests SET ", assignments!(), " WHERE id = $1 AND state = 'granted'");
const INSERT: &str = concat!("INSERT INTO requests (", columns!(), ") VALUES (", values!(), ")");
pub(super) const DECIDE: &str = concat!("UPDATE requests SET ", assignments!(), " WHERE id = $1 AND state = 'pending'");
const DENY: &str = concat!(
    "INSERT INTO requests (",
    columns!(),
    ") VALUES (",
    values!(),
    ") ON CONFLICT (id) DO UPDATE SET ",
    assignments!(),
    " WHERE requests.state = 'pending'"
);
pub(super) const OTHER_KEY: &str = "SELECT id FROM requests \
    WHERE transaction_id = $1 AND profile = $2 AND state <> 'denied' AND state <> 'expired' AND received_at > $3 AND id <> $4 \
    AND signer_key_digest IS DISTINCT FROM $5 AND key_digest IS DISTINCT FROM $6 ORDER BY id DESC LIMIT 1";

#[async_trait]
impl RequestStore for Sqlite {
    async fn load_request(&self, id: RequestId) -> Result<Option<RequestRecord>> {
        let row = sqlx::query(LOAD).bind(id.to_string()).fetch_optional(self.readers()).await;
        one(row)
    }

    async fn find_request_by_message(&self, profile: &ProfileName, message_digest: [u8; 32]) -> Result<Option<RequestRecord>> {
        let query = sqlx::query(BY_MESSAGE).bind(profile.to_string()).bind(message_digest.to_vec());
        one(query.fetch_optional(self.readers()).await)
    }

    async fn find_request_by_transaction(
        &self,
        profile: &ProfileName,
        transaction: &str,
        signer_key_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>> {
        let query =
            sqlx::query(BY_TRANSACTION).bind(profile.to_string()).bind(transaction.to_owned()).bind(signer_key_digest.to_vec());
        one(query.fetch_optional(self.readers()).await)
    }

    async fn find_requests_by_text(&self, transaction: &str) -> Result<Vec<RequestRecord>> {
        many(sqlx::query(BY_TEXT).bind(transaction.to_owned()).fetch_all(self.readers()).await)
    }

    async fn list_requests(&self, filter: RequestFilter) -> Result<Vec<RequestRecord>> {
        let before = filter.before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
        let query = match filter.state {
            None => sqlx::query(LIST).bind(before).bind(i64::from(limit)),
            Some(state) => sqlx::query(LIST_STATE).bind(before).bind(i64::from(limit)).bind(state.as_str()),
        };
        many(query.fetch_all(self.readers()).await)
    }

    async fn save_denied(&self, request: RequestRecord, burn: Option<ChallengeClaim>, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| deny(tx, request, burn, audit).boxed()).await
    }

    async fn hold_request(&self, request: RequestRecord, challenge: Option<ChallengeClaim>, audit: AuditEvent) -> Result<Begun> {
        self.write(move |tx| hold(tx, request, challenge, audit).boxed()).await
    }
}

fn one(row: std::result::Result<Option<SqliteRow>, sqlx::Error>) -> Result<Option<RequestRecord>> {
    row.map_err(engine("find a request"))?.as_ref().map(rows::request).transpose()
}

fn many(found: std::result::Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<RequestRecord>> {
    found.map_err(engine("list requests"))?.iter().map(rows::request).collect()
}

async fn deny(tx: &mut Tx, request: RequestRecord, burn: Option<ChallengeClaim>, audit: AuditEvent) -> Result<Applied<()>> {
    let action = "save a refused request";
    let saved = bind::request(sqlx::query(DENY), &request)?.execute(&mut tx.connection).await.map_err(engine(action))?;
    if saved.rows_affected() == 0 {
        // Whoever denies must not believe that a request issued meanwhile was denied.
        return Err(StoreError::Engine { action, source: "it was decided meanwhile".into() });
    }
    // Whether it was still unused does not matter here: nobody can use it from now on.
    if let Some(claim) = &burn {
        challenges::consume(tx, claim).await?;
    }
    tx.audit(&audit).await?;
    Ok(Applied::Kept(()))
}

async fn hold(
    tx: &mut Tx,
    request: RequestRecord,
    challenge: Option<ChallengeClaim>,
    audit: AuditEvent,
) -> Result<Applied<Begun>> {
    if let Some(refusal) = other_key(tx, &request, request.received_at).await? {
        return Ok(Applied::Nothing(refusal));
    }
    if let Some(claim) = &challenge
        && let Some(refusal) = challenges::consume(tx, claim).await?
    {
        return Ok(Applied::Nothing(refusal));
    }
    insert(tx, &request).await?;
    tx.audit(&audit).await?;
    Ok(Applied::Kept(Begun::Done))
}

/// Saves a new request.
pub(super) async fn insert(tx: &mut Tx, request: &RequestRecord) -> Result<()> {
    let insert = bind::request(sqlx::query(INSERT), request)?;
    insert.execute(&mut tx.connection).await.map(drop).map_err(engine("save a request"))
}

/// Replaces a pending request by its decided form; `false` if it is not pending.
pub(super) async fn decide(tx: &mut Tx, request: &RequestRecord) -> Result<bool> {
    let update = bind::request(sqlx::query(DECIDE), request)?;
    let done = update.execute(&mut tx.connection).await.map_err(engine("decide a pending request"))?;
    Ok(done.rows_affected() == 1)
}

/// Replaces a granted request by a newly granted form; `false` if it is not granted.
pub(super) async fn take_over(tx: &mut Tx, request: &RequestRecord) -> Result<bool> {
    let update = bind::request(sqlx::query(TAKE_OVER), request)?;
    let done = update.execute(&mut tx.connection).await.map_err(engine("take over an abandoned request"))?;
    Ok(done.rows_affected() == 1)
}

/// Another key in the same transaction of the same profile, if there is one. An unreadable message has no transaction.
pub(super) async fn other_key(tx: &mut Tx, request: &RequestRecord, now: Timestamp) -> Result<Option<Begun>> {
    if request.transaction.is_empty() {
        return Ok(None);
    }
    let other: Option<String> = sqlx::query_scalar(OTHER_KEY)
        .bind(request.transaction.clone())
        .bind(request.profile.to_string())
        .bind((now - TRANSACTION_LIFE).0)
        .bind(request.id.to_string())
        .bind(request.signer_key_digest.map(|d| d.to_vec()))
        .bind(request.key_digest.map(|d| d.to_vec()))
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("look for another key in the transaction"))?;
    let other = other.map(|id| id.parse().map_err(|e| rows::corrupt("requests.id", e))).transpose()?;
    Ok(other.map(Begun::OtherKey))
}
