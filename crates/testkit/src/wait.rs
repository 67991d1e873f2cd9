//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far longer than it takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], naming what did not come.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
