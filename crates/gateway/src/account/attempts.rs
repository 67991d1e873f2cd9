//! Passwords that were right or wrong a moment ago.
//!
//! A right one is believed for a while without asking again. A wrong one is not tried again: a phone that repeats an old password for ever
//! would else lock the account in the directory, and with it whoever comes with a certificate. Different wrong ones of a user from one source
//! are counted; beyond the limit none is tried until the window is over. Passwords are kept as keyed hashes only.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_model::secret::SecretBytes;
use lanyard_pki::crypto::{digest::hmac_sha256, random::random};

use super::{basic::Credentials, source::Account};
use crate::{
    config::file::Lockout,
    decide::denial::{Denial, Reason},
    error::GatewayError,
};

/// Most entries of each kind.
const MOST: usize = 50_000;

/// The memory.
#[derive(Debug)]
pub struct Attempts {
    key: SecretBytes,
    attempts: u32,
    window: Duration,
    remember: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    right: HashMap<[u8; 32], (Instant, Arc<Account>)>,
    wrong: HashMap<[u8; 32], Instant>,
    counts: HashMap<(String, IpAddr), (Instant, u32)>,
}

/// What is remembered of a password.
#[derive(Debug)]
pub enum Remembered {
    /// It was right.
    Right(Arc<Account>),
    /// It was wrong, or too many others were.
    Wrong(Denial),
    /// Nothing: it has to be checked. This is what it is remembered by.
    Nothing(Tried),
}

/// What a password is remembered by.
#[derive(Debug)]
pub struct Tried {
    hash: [u8; 32],
    who: (String, IpAddr),
}

impl Attempts {
    /// With nothing remembered yet.
    ///
    /// # Errors
    /// [`GatewayError::Config`] when there is no randomness.
    pub fn new(settings: &Lockout) -> Result<Self, GatewayError> {
        let key = random::<32>().map_err(|e| GatewayError::Config(e.to_string()))?;
        let seconds = |span: lanyard_model::time::Span| Duration::from_secs(u64::try_from(span.secs()).unwrap_or_default());
        Ok(Self {
            key: SecretBytes::new(key.to_vec()),
            attempts: settings.attempts,
            window: seconds(settings.window),
            remember: seconds(settings.remember),
            state: Mutex::default(),
        })
    }

    /// What is remembered of these credentials at these accounts from this source.
    #[must_use]
    pub fn look(&self, accounts: &str, credentials: &Credentials, source: IpAddr) -> Remembered {
        let user = credentials.user.to_lowercase();
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        let hash = hmac_sha256(
            self.key.expose(),
            &[&length(accounts), accounts.as_bytes(), &length(&user), user.as_bytes(), credentials.password.expose().as_bytes()],
        );
        let now = Instant::now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, account)) = state.right.get(&hash)
            && now.duration_since(*at) < self.remember
        {
            return Remembered::Right(Arc::clone(account));
        }
        if state.wrong.get(&hash).is_some_and(|at| now.duration_since(*at) < self.window) {
            return Remembered::Wrong(Denial::because(Reason::PasswordWrong, "the same wrong password again"));
        }
        let who = (user, network_of(source));
        match state.counts.get(&who) {
            Some((at, count)) if *count >= self.attempts && now.duration_since(*at) < self.window => Remembered::Wrong(
                Denial::because(Reason::PasswordLocked, "too many wrong passwords of this user from this source"),
            ),
            _ => Remembered::Nothing(Tried { hash, who }),
        }
    }

    /// Remembers a right password and forgets what was wrong before.
    pub fn right(&self, tried: Tried, account: &Arc<Account>) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.remove(&tried.who);
        if self.remember.is_zero() {
            return;
        }
        if state.right.len() >= MOST {
            let remember = self.remember;
            state.right.retain(|_, (at, _)| now.duration_since(*at) < remember);
        }
        if state.right.len() < MOST {
            state.right.insert(tried.hash, (now, Arc::clone(account)));
        }
    }

    /// Remembers a wrong password and counts it.
    pub fn wrong(&self, tried: Tried) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.wrong.len() >= MOST || state.counts.len() >= MOST {
            let window = self.window;
            state.wrong.retain(|_, at| now.duration_since(*at) < window);
            state.counts.retain(|_, (at, _)| now.duration_since(*at) < window);
        }
        // Full of fresh entries: the count must not be lost, so what is oldest has to go.
        if state.counts.len() >= MOST {
            state.counts.clear();
        }
        if state.wrong.len() < MOST {
            state.wrong.insert(tried.hash, now);
        }
        let window = self.window;
        let count = state.counts.entry(tried.who).or_insert((now, 0));
        if now.duration_since(count.0) >= window {
            count.1 = 0;
        }
        *count = (now, count.1.saturating_add(1));
    }

    /// Forgets what was right: an account was changed.
    pub fn forget(&self, of: impl Fn(&Account) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.right.retain(|_, (_, account)| !of(account));
    }
}

/// One customer of an IPv6 provider has at least a /64, so that counts as one source.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}
