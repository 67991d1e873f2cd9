//! Whether the sender is who it says it is (OMA DM Security 1.2.1, section 5.3).

use super::{facts::Facts, state::SessionState};
use crate::syncml::{Chal, StatusCode, SyncHdr, cred};

/// After so many failures the session ends.
const MAX_FAILURES: u8 = 3;

/// What is answered to the header.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Status of the header, and of the commands when it is a refusal.
    pub(super) code: StatusCode,
    /// What is asked for, or the next nonce.
    pub(super) chal: Option<Chal>,
    /// The nonce to be kept for the next session.
    pub(super) next_nonce: Option<Vec<u8>>,
    /// The session ends.
    pub(super) end: bool,
}

impl Verdict {
    const fn plain(code: StatusCode) -> Self {
        Self { code, chal: None, next_nonce: None, end: false }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.code.is_success()
    }
}

/// Judges credentials. The client certificate was judged before.
pub(super) fn authenticate(state: &mut SessionState, header: &SyncHdr, facts: &Facts<'_>) -> Verdict {
    let Some(wanted) = facts.credentials else { return Verdict::plain(StatusCode::OK) };
    if state.authenticated {
        return Verdict::plain(StatusCode::OK);
    }
    let fresh = facts.fresh_nonce.to_vec();
    if let Some(given) = &header.cred {
        let nonce = state.challenge.as_deref().or(wanted.nonce.as_deref());
        if wanted.md5 && nonce.is_some_and(|nonce| cred::is_digest(given, &wanted.inner, nonce)) {
            state.authenticated = true;
            state.challenge = None;
            let chal = Some(cred::md5_chal(&fresh));
            return Verdict { code: StatusCode::AUTHENTICATED, chal, next_nonce: Some(fresh), end: false };
        }
        if wanted.basic && cred::is_basic(given, &wanted.user, &wanted.inner) {
            state.authenticated = true;
            state.challenge = None;
            return Verdict::plain(StatusCode::AUTHENTICATED);
        }
    }
    // The first message without credentials is how Windows asks for a nonce, no failure.
    if header.cred.is_some() || state.challenge.is_some() {
        state.failures = state.failures.saturating_add(1);
    }
    let code = if header.cred.is_some() { StatusCode::INVALID_CREDENTIALS } else { StatusCode::MISSING_CREDENTIALS };
    if state.failures >= MAX_FAILURES {
        return Verdict { end: true, ..Verdict::plain(code) };
    }
    let chal = if wanted.md5 { cred::md5_chal(&fresh) } else { cred::basic_chal() };
    state.challenge = Some(fresh);
    Verdict { code, chal: Some(chal), next_nonce: None, end: false }
}
