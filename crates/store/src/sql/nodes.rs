//! The nodes that share the database.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{node::NodeRecord, time::Timestamp};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{NodeStore, Result},
    rows,
};

const SAVE: &str = "INSERT INTO nodes (name, files, started_at, seen_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (name) DO UPDATE SET files = $2, seen_at = $4";
const LIST: &str = "SELECT name, files, started_at, seen_at FROM nodes ORDER BY started_at, name";
const REMOVE: &str = "DELETE FROM nodes WHERE name = $1";
const FORGET: &str = "DELETE FROM nodes WHERE seen_at < $1";

#[async_trait]
impl NodeStore for Database {
    async fn save_node(&self, node: NodeRecord) -> Result<()> {
        let files = rows::to_json(&node.files)?;
        self.write(move |tx| save(tx, node.clone(), files.clone()).boxed()).await
    }

    async fn list_nodes(&self) -> Result<Vec<NodeRecord>> {
        self.fetch("list nodes", LIST, args![]).await?.iter().map(rows::node).collect()
    }

    async fn remove_node(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| remove(tx, name.clone()).boxed()).await
    }

    async fn forget_nodes(&self, seen_before: Timestamp) -> Result<()> {
        self.write(move |tx| forget(tx, seen_before).boxed()).await
    }
}

async fn save(tx: &mut Tx, node: NodeRecord, files: String) -> Result<Applied<()>> {
    tx.execute("save a node", SAVE, args![node.name, files, node.started_at.0, node.seen_at.0]).await?;
    Ok(Applied::Kept(()))
}

async fn remove(tx: &mut Tx, name: String) -> Result<Applied<()>> {
    tx.execute("remove a node", REMOVE, args![name]).await?;
    Ok(Applied::Kept(()))
}

async fn forget(tx: &mut Tx, seen_before: Timestamp) -> Result<Applied<()>> {
    tx.execute("forget nodes", FORGET, args![seen_before.0]).await?;
    Ok(Applied::Kept(()))
}
