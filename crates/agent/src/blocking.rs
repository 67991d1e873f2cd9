//! Work that blocks (files, key generation), kept off the threads that drive sockets.

use crate::error::AgentError;

/// Runs it on a thread for blocking work.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, AgentError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, AgentError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|_| AgentError::Interrupted)?
}
