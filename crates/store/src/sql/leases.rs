//! Leases: taken, kept, given back, and checked by the writes that need one.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::lease::LeaseRecord;

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    error::StoreError,
    ports::{LeaseStore, Result},
    rows,
};

const LOAD: &str = "SELECT name, holder, fence, beat FROM leases WHERE name = $1";
const CREATE: &str = "INSERT INTO leases (name, holder, fence, beat) VALUES ($1, $2, 1, 0) ON CONFLICT (name) DO NOTHING";
/// One conditional statement: of two nodes that saw the same silence, one wins.
const TAKE: &str = "UPDATE leases SET holder = $2, fence = fence + 1, beat = 0 WHERE name = $1 AND fence = $3 AND beat = $4";
const KEEP: &str = "UPDATE leases SET beat = beat + 1 WHERE name = $1 AND holder = $2 AND fence = $3";
const RELEASE: &str = "UPDATE leases SET holder = '' WHERE name = $1 AND holder = $2 AND fence = $3";
/// Changes nothing but locks the row until the transaction ends: nobody takes the lease over while its holder commits.
const FENCE: &str = "UPDATE leases SET beat = beat WHERE name = $1 AND holder = $2 AND fence = $3";

#[async_trait]
impl LeaseStore for Database {
    async fn load_lease(&self, name: &str) -> Result<Option<LeaseRecord>> {
        self.optional("load a lease", LOAD, args![name]).await?.as_ref().map(rows::lease).transpose()
    }

    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&LeaseRecord>) -> Result<Option<LeaseRecord>> {
        let (name, holder, seen) = (name.to_owned(), holder.to_owned(), seen.cloned());
        self.write(move |tx| take(tx, name.clone(), holder.clone(), seen.clone()).boxed()).await
    }

    async fn keep_lease(&self, held: &LeaseRecord) -> Result<bool> {
        let held = held.clone();
        self.write(move |tx| change(tx, KEEP, held.clone()).boxed()).await
    }

    async fn release_lease(&self, held: &LeaseRecord) -> Result<bool> {
        let held = held.clone();
        self.write(move |tx| change(tx, RELEASE, held.clone()).boxed()).await
    }
}

async fn take(tx: &mut Tx, name: String, holder: String, seen: Option<LeaseRecord>) -> Result<Applied<Option<LeaseRecord>>> {
    let (fence, taken) = match seen {
        None => (1, tx.execute("create a lease", CREATE, args![name.as_str(), holder.as_str()]).await?),
        Some(seen) => {
            let values = args![name.as_str(), holder.as_str(), number(seen.fence)?, number(seen.beat)?];
            (seen.fence.saturating_add(1), tx.execute("take a lease", TAKE, values).await?)
        }
    };
    Ok(match taken {
        1 => Applied::Kept(Some(LeaseRecord { name, holder, fence, beat: 0 })),
        _ => Applied::Nothing(None),
    })
}

async fn change(tx: &mut Tx, sql: &'static str, held: LeaseRecord) -> Result<Applied<bool>> {
    let values = args![held.name, held.holder, number(held.fence)?];
    Ok(match tx.execute("keep or release a lease", sql, values).await? {
        1 => Applied::Kept(true),
        _ => Applied::Nothing(false),
    })
}

/// Refuses the write of a node that no longer holds its lease.
pub(super) async fn check(tx: &mut Tx, lease: Option<&LeaseRecord>) -> Result<()> {
    let Some(held) = lease else { return Ok(()) };
    let values = args![held.name.as_str(), held.holder.as_str(), number(held.fence)?];
    match tx.execute("check a lease", FENCE, values).await? {
        1 => Ok(()),
        _ => Err(StoreError::LeaseLost { name: held.name.clone() }),
    }
}

fn number(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|e| rows::corrupt("leases.fence", e))
}
