//! What a connection has shown, and what it is worth.

use std::sync::{Arc, Mutex, PoisonError};

use lanyard_model::time::{Span, Timestamp};
use lanyard_pki::{certificate::Certificate, crypto::digest::sha256};
use rustls::pki_types::CertificateDer;

use super::{facts::Facts, trust::Trust};
use crate::decide::denial::{Denial, Reason};

/// Longest chain that is looked at.
const MAX_CHAIN: usize = 8;
/// Largest certificate that is looked at, in octets.
const MAX_CERTIFICATE: usize = 32 * 1024;
/// How long the signatures of a chain are taken for verified. Dates and revocation are looked at every time.
const FRESH: Span = Span::from_secs(300);

/// A chain as shown in TLS, of which only this is sure: whoever shows it has the key of its first certificate.
#[derive(Debug)]
pub struct Presented {
    /// As shown, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// SHA-256 of the leaf.
    pub fingerprint: [u8; 32],
    judged: Mutex<Vec<Judged>>,
}

/// What a chain was found to be under one trust.
#[derive(Debug)]
struct Judged {
    trust: Arc<Trust>,
    at: Timestamp,
    verified: Arc<Verified>,
}

/// A certificate whose chain leads to an authority that counts, and what it says.
#[derive(Debug)]
pub struct Verified {
    /// SHA-256 of it.
    pub fingerprint: [u8; 32],
    /// Name of the trust.
    pub trust: String,
    /// Whether its authority may vouch for names.
    pub vouches_for_names: bool,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// The names in it.
    pub facts: Facts,
    /// Itself.
    pub certificate: Certificate,
}

/// What a request may rely on. Whoever forgets to ask has not verified anything.
#[derive(Debug, Default)]
pub enum Verdict {
    /// Nobody has looked.
    #[default]
    NotVerified,
    /// The client has shown none.
    Absent,
    /// It has shown one that does not count.
    Bad(Denial),
    /// It has shown a good one.
    Good(Arc<Verified>),
}

impl Presented {
    /// A chain out of a handshake. One that is longer than anybody needs is cut off, and leads nowhere then.
    #[must_use]
    pub fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let leaf = chain.first()?;
        let fingerprint = sha256(leaf);
        let small = chain.iter().take(MAX_CHAIN).filter(|c| c.len() <= MAX_CERTIFICATE);
        Some(Self { chain: small.map(|c| c.clone().into_owned()).collect(), fingerprint, judged: Mutex::default() })
    }

    /// Judges it under several trusts: the first that finds it good decides, else the last one's reason.
    #[must_use]
    pub fn judge(&self, trusts: &[Arc<Trust>], now: Timestamp) -> Verdict {
        let mut verdict = Verdict::NotVerified;
        for trust in trusts {
            match self.under(trust, now) {
                Ok(verified) => return Verdict::Good(verified),
                // A reason that says more than "not ours" is worth more.
                Err(denial) => match &verdict {
                    Verdict::Bad(before) if before.reason != Reason::CertificateUntrusted => {}
                    _ => verdict = Verdict::Bad(denial),
                },
            }
        }
        verdict
    }

    fn under(&self, trust: &Arc<Trust>, now: Timestamp) -> Result<Arc<Verified>, Denial> {
        let known = {
            let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
            // What belongs to a configuration that was replaced is alone in holding its trust.
            judged.retain(|j| Arc::strong_count(&j.trust) > 1 && now >= j.at && now.since(j.at) < FRESH);
            judged.iter().find(|j| Arc::ptr_eq(&j.trust, trust)).map(|j| Arc::clone(&j.verified))
        };
        let verified = match known {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(trust.verify(self, now)?);
                let judged = Judged { trust: Arc::clone(trust), at: now, verified: Arc::clone(&verified) };
                self.judged.lock().unwrap_or_else(PoisonError::into_inner).push(judged);
                verified
            }
        };
        if now.truncated() > verified.not_after {
            return Err(Denial::of(Reason::CertificateExpired));
        }
        if now < verified.not_before {
            return Err(Denial::of(Reason::CertificateNotYetValid));
        }
        trust.revocation_of(&verified, now)?;
        Ok(verified)
    }
}
