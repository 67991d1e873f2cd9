//! What all nodes count together.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::time::{Span, Timestamp};

use super::{
    database::Database,
    invitations,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{CountStore, Raise, Result},
    rows,
};

pub(crate) const LOAD: &str = "SELECT empty_at FROM counts WHERE name = $1";
/// One statement, so that of two nodes that count at the same time neither is forgotten.
const RAISE: &str = "INSERT INTO counts (name, empty_at) VALUES ($1, CAST($2 AS BIGINT) + CAST($3 AS BIGINT)) \
    ON CONFLICT (name) DO UPDATE SET empty_at = CASE \
    WHEN counts.empty_at <= CAST($2 AS BIGINT) THEN CAST($2 AS BIGINT) + CAST($3 AS BIGINT) \
    WHEN counts.empty_at + CAST($3 AS BIGINT) > CAST($2 AS BIGINT) + CAST($4 AS BIGINT) THEN CAST($2 AS BIGINT) + CAST($4 AS BIGINT) \
    ELSE counts.empty_at + CAST($3 AS BIGINT) END";
const USE: &str = "INSERT INTO counts (name, empty_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
pub(crate) const CLEAR: &str = "DELETE FROM counts WHERE empty_at <= $1";
/// How long after its end an invitation is still listed.
const INVITATIONS_KEPT: Span = Span::from_days(90);
/// A challenge of a page that ended is nobody's any more.
const CLEAR_PAGES: &str = "DELETE FROM page_challenges WHERE expires_at <= $1";

#[async_trait]
impl CountStore for Database {
    async fn load_count(&self, name: &str) -> Result<Option<Timestamp>> {
        let row = self.optional("load a count", LOAD, args![name]).await?;
        row.map(|row| rows::integer(&row, "counts.empty_at").map(Timestamp)).transpose()
    }

    async fn raise_counts(&self, now: Timestamp, raises: Vec<Raise>) -> Result<()> {
        // In one order on every node, so that two never wait for each other.
        let mut raises = raises;
        raises.sort_by(|a, b| a.name.cmp(&b.name));
        self.write(move |tx| raise(tx, now, raises.clone()).boxed()).await
    }

    async fn use_once(&self, name: &str, until: Timestamp) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |tx| use_once(tx, name.clone(), until).boxed()).await
    }

    async fn clear_counts(&self, before: Timestamp) -> Result<()> {
        self.write(move |tx| clear(tx, before).boxed()).await
    }
}

async fn raise(tx: &mut Tx, now: Timestamp, raises: Vec<Raise>) -> Result<Applied<()>> {
    for Raise { name, by, most } in raises {
        tx.execute("raise a count", RAISE, args![name, now.0, by, most]).await?;
    }
    Ok(Applied::Kept(()))
}

async fn use_once(tx: &mut Tx, name: String, until: Timestamp) -> Result<Applied<bool>> {
    Ok(match tx.execute("use something up", USE, args![name, until.0]).await? {
        0 => Applied::Nothing(false),
        _ => Applied::Kept(true),
    })
}

async fn clear(tx: &mut Tx, before: Timestamp) -> Result<Applied<()>> {
    tx.execute("clear empty counts", CLEAR, args![before.0]).await?;
    tx.execute("clear challenges of pages", CLEAR_PAGES, args![before.0]).await?;
    tx.execute("clear old invitations", invitations::CLEAR, args![(before - INVITATIONS_KEPT).0]).await?;
    Ok(Applied::Kept(()))
}
