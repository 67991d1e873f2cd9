//! An engine under test.

use std::sync::Arc;

use async_trait::async_trait;
use lanyard_store::ports::Store;

/// A database that can be opened again and again.
#[async_trait]
pub trait Engine: Sync {
    /// Opens it; what earlier handles wrote is there.
    async fn open(&self) -> Arc<dyn Store>;
}
