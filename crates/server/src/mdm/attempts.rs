//! Counting wrong passwords, so that nobody tries them all, whichever nodes he tries them on.
//!
//! Counts are per account and source together, per source, and per account from everywhere; each sinks evenly, a whole budget in ten
//! minutes. The budget of an account from everywhere is the largest, because whoever exhausts it keeps its owner out as well.

use std::net::IpAddr;

use lanyard_model::{id::UserName, time::Timestamp};
use lanyard_store::ports::{Raise, Store};
use tokio::sync::Semaphore;

use crate::error::ServerError;

/// Time in which a count sinks from a whole budget to nothing, in milliseconds.
const WINDOW: i64 = 600_000;

/// Budget where nothing else is configured.
pub const WRONG_PASSWORDS: u32 = 10;
/// Passwords that are checked at a time: each takes 32 MiB.
const CHECKS: usize = 4;

/// What stands before every check of a password, wherever somebody signs in.
pub struct PasswordGate {
    /// Counts of wrong ones.
    pub attempts: Attempts,
    /// Turns for checking one.
    pub checks: Semaphore,
}

impl PasswordGate {
    /// With a budget of so many wrong passwords of one account from one source.
    #[must_use]
    pub const fn new(budget: u32) -> Self {
        Self { attempts: Attempts::new(budget), checks: Semaphore::const_new(CHECKS) }
    }
}

/// The budgets.
pub struct Attempts {
    budget: u32,
}

impl Attempts {
    /// With a budget of so many wrong passwords of one account from one source.
    #[must_use]
    pub const fn new(budget: u32) -> Self {
        Self { budget }
    }

    /// Whether another password may be tried.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn may_try(
        &self,
        store: &dyn Store,
        account: &UserName,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<bool, ServerError> {
        for Raise { name, by, .. } in self.counts(account, source) {
            let empty_at = store.load_count(&name).await?.unwrap_or(now).max(now);
            if empty_at.0.saturating_add(by) > now.0.saturating_add(WINDOW) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts a wrong one.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn wrong(
        &self,
        store: &dyn Store,
        account: &UserName,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), ServerError> {
        Ok(store.raise_counts(now, self.counts(account, source)).await?)
    }

    /// Each count, and how much later one more wrong password makes it empty.
    fn counts(&self, account: &UserName, source: Option<IpAddr>) -> Vec<Raise> {
        let source = source.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let raise = |name: String, budget: u32| Raise { name, by: WINDOW / i64::from(budget.max(1)), most: 2 * WINDOW };
        // Many people may share an address.
        let many = self.budget.saturating_mul(10);
        vec![
            raise(format!("password:account-and-source:{account}:{source}"), self.budget),
            raise(format!("password:source:{source}"), many),
            raise(format!("password:account:{account}"), many),
        ]
    }
}
