//! Tells policy modules what they are to be told, beside the other work: a service that takes its time must not hold up CRLs.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    error::chain,
    flow::notices::{LOOK, tell_due},
    state::Server,
};

/// Until the server stops. What was under way then is told at the next start.
pub async fn run(server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tell(&server) => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = server.outbox.woken() => {}
            _ = stop.changed() => return,
        }
    }
}

async fn tell(server: &Server) {
    if server.leadership.leads()
        && let Err(error) = tell_due(server).await
    {
        tracing::error!(code = error.code(), error = %chain(&error), "telling outcomes failed; it is tried again");
    }
}
