//! The nodes that share the database.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{problem::ApiResult, types::Node};
use crate::{flow::nodes, state::Server};

/// `GET /nodes`: this node first.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Node>> {
    let leader = server.store.load_lease(crate::jobs::leadership::LEADER).await?.map(|lease| lease.holder);
    let shared = server.leadership.is_shared();
    let compared = nodes::compared(&server).await?.into_iter().enumerate();
    let nodes = compared.map(|(place, (node, differs))| Node {
        leads: if shared { leader.as_deref() == Some(&node.name) } else { true },
        answers: place == 0,
        files: node.files.len(),
        started_at: node.started_at.to_string(),
        seen_at: node.seen_at.to_string(),
        name: node.name,
        differs,
    });
    Ok(Json(nodes.collect()))
}
