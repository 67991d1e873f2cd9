//! What the nodes on one database say of themselves. Templates, profiles and policies of managed devices are files of each node: a node that
//! has others decides otherwise, so it is said where they differ.

use std::collections::BTreeMap;

use lanyard_model::{node::NodeRecord, time::Span};

use crate::{error::ServerError, state::Server};

/// A node that was silent for longer is not compared with.
const LIVING: Span = Span::from_secs(180);
/// A node that was silent for longer is forgotten.
const FORGOTTEN_AFTER: Span = Span::from_days(1);

/// This node as it is now.
#[must_use]
pub fn own(server: &Server) -> NodeRecord {
    NodeRecord {
        name: server.leadership.node().to_owned(),
        files: BTreeMap::clone(&server.rule_files()),
        started_at: server.started_at,
        seen_at: server.now(),
    }
}

/// Says what this node loaded, where others may read it.
///
/// # Errors
/// Storage errors.
pub async fn say(server: &Server) -> Result<(), ServerError> {
    if server.leadership.is_shared() {
        server.store.save_node(own(server)).await?;
        if server.leadership.leads() {
            server.store.forget_nodes(server.now() - FORGOTTEN_AFTER).await?;
        }
    }
    Ok(())
}

/// Every node with what it loaded otherwise than this one; this one first.
///
/// # Errors
/// Storage errors.
pub async fn compared(server: &Server) -> Result<Vec<(NodeRecord, Vec<String>)>, ServerError> {
    let own = own(server);
    let others = if server.leadership.is_shared() { server.store.list_nodes().await? } else { Vec::new() };
    let others = others.into_iter().filter(|node| node.name != own.name);
    let others: Vec<_> = others.map(|node| (different(&own, &node), node)).map(|(files, node)| (node, files)).collect();
    Ok(std::iter::once((own, Vec::new())).chain(others).collect())
}

/// Says what this node loaded, and warns of living nodes that loaded something else. Returns the warnings.
///
/// # Errors
/// Storage errors.
pub async fn say_and_warn(server: &Server) -> Result<Vec<String>, ServerError> {
    say(server).await?;
    let now = server.now();
    let compared = compared(server).await?;
    let differing = compared.into_iter().filter(|(node, files)| !files.is_empty() && now.since(node.seen_at) < LIVING);
    let warnings: Vec<String> =
        differing.map(|(node, files)| format!("node {} has other files: {}", node.name, files.join(", "))).collect();
    for warning in &warnings {
        tracing::warn!("{warning}; it decides by them. Copy the files and run 'lanyard template reload' there, or here");
    }
    Ok(warnings)
}

/// Files that only one of them has, or that differ.
fn different(one: &NodeRecord, other: &NodeRecord) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = one.files.keys().chain(other.files.keys()).collect();
    names.into_iter().filter(|name| one.files.get(*name) != other.files.get(*name)).cloned().collect()
}
