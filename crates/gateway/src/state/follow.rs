//! Following the server: a snapshot at first, then what changes, for as long as the gateway runs.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lanyard_model::gateway::StateLine;
use tokio::time::{sleep, timeout};

use super::{
    known::{Affected, State, Told},
    live::Live,
    server::{Connection, Server},
};
use crate::error::GatewayError;

/// How long the server may hold a question, in seconds.
const WAIT: u64 = 3;
/// How long it may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two questions, so that a storm of changes is told together.
const PAUSE: Duration = Duration::from_millis(150);
/// Time before the next try after a failure; doubled up to [`MOST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MOST_PAUSE: Duration = Duration::from_secs(5);
/// Longest line, in octets.
const MAX_LINE: usize = 16 * 1024;

/// Follows for ever.
pub async fn follow(server: Arc<Server>, state: Arc<State>, live: Arc<Live>, forget: impl Fn(&Affected) + Send + Sync) {
    let mut place = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let failed = match server.connect().await {
            Ok(mut connection) => {
                pause = FIRST_PAUSE;
                session(&mut connection, &state, &live, &mut place, &forget).await
            }
            Err(error) => error,
        };
        tracing::warn!(error = %failed, code = failed.code(), "the server's state cannot be followed; trying again");
        sleep(pause).await;
        pause = (pause * 2).min(MOST_PAUSE);
    }
}

/// Asks again and again over one connection, until it fails.
async fn session(
    connection: &mut Connection<'_>,
    state: &State,
    live: &Live,
    place: &mut Option<u64>,
    forget: &(impl Fn(&Affected) + Send + Sync),
) -> GatewayError {
    loop {
        let target = match *place {
            Some(after) => format!("/api/v1/gateway/state?after={after}&wait={WAIT}"),
            None => "/api/v1/gateway/state".to_owned(),
        };
        let heard = async {
            let response = timeout(PATIENCE, connection.ask("GET", &target, Vec::new())).await;
            let response = response.map_err(|_| GatewayError::Server("it is silent".into()))??;
            hear(response, state).await
        };
        match heard.await {
            Ok((sequence, affected)) => {
                *place = Some(sequence);
                forget(&affected);
                let ended = live.look_again(&affected, state);
                if ended > 0 {
                    tracing::info!(ended, "connections end: what they rely on no longer counts");
                }
            }
            Err(error) => return error,
        }
        sleep(PAUSE).await;
    }
}

/// Reads an answer to its end and takes it in: a snapshot only as a whole.
async fn hear(response: Response<Incoming>, state: &State) -> Result<(u64, Affected), GatewayError> {
    let fault = |problem: &str| GatewayError::Server(problem.to_owned());
    let (mut body, mut rest) = (response.into_body(), BytesMut::new());
    let (mut snapshot, mut lines, mut sequence): (Option<Told>, Vec<StateLine>, _) = (None, Vec::new(), None);
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| fault("it fell silent"))? {
        let frame = frame.map_err(|e| GatewayError::Server(e.to_string()))?;
        rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line = serde_json::from_slice(rest.get(..end).unwrap_or_default());
            rest.advance(end + 1);
            match line.map_err(|e| GatewayError::Server(format!("a line of the state cannot be read: {e}")))? {
                StateLine::Begin => snapshot = Some(Told::default()),
                StateLine::Now { sequence: now } => sequence = Some(now),
                line => match &mut snapshot {
                    Some(told) => told.take(line),
                    None => lines.push(line),
                },
            }
        }
        if rest.len() > MAX_LINE {
            return Err(fault("a line of the state is too long"));
        }
    }
    let sequence = sequence.ok_or_else(|| fault("the state broke off"))?;
    let affected = match snapshot {
        Some(told) => {
            state.replace(told);
            Affected { everybody: true, ..Affected::default() }
        }
        None => state.change(lines),
    };
    Ok((sequence, affected))
}
