//! How a request ends, before a protocol puts it into its own words.

use std::time::Duration;

use lanyard_model::{
    id::{AuthorityName, RequestId},
    request::{RequestRecord, RequestState},
};

use super::expire;
use crate::{error::ServerError, state::Server};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A certificate is stored.
    Issued {
        /// Its issuer.
        issuer: AuthorityName,
        /// The certificate, DER.
        der: Vec<u8>,
    },
    /// Held for a person, or still being signed.
    Pending,
    /// Refused.
    Refused {
        /// Stable code of the reason; never shown to the peer.
        reason: String,
    },
}

impl Outcome {
    /// The word in metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "issued",
            Self::Pending => "pending",
            Self::Refused { .. } => "refused",
        }
    }
}

/// How long an answer waits for a twin of the same request that is being signed at this moment.
const SIGNING_PATIENCE: Duration = Duration::from_secs(3);
const SIGNING_POLL: Duration = Duration::from_millis(20);

/// The stored outcome of a request. One that is being signed is waited for a little while.
///
/// # Errors
/// Storage errors.
pub async fn stored(server: &Server, id: RequestId) -> Result<Outcome, ServerError> {
    let deadline = tokio::time::Instant::now() + SIGNING_PATIENCE;
    loop {
        let record = server.store.load_request(id).await?;
        let record = record.ok_or_else(|| ServerError::NotFound { what: "request", name: id.to_string() })?;
        if record.state != RequestState::Granted || tokio::time::Instant::now() >= deadline {
            return of_record(server, &record).await;
        }
        tokio::time::sleep(SIGNING_POLL).await;
    }
}

/// The outcome that a record tells.
///
/// # Errors
/// Storage errors.
pub async fn of_record(server: &Server, record: &RequestRecord) -> Result<Outcome, ServerError> {
    let refused = |fallback: &str| Outcome::Refused { reason: record.reason.clone().unwrap_or_else(|| fallback.to_owned()) };
    if expire::is_due(server, record, server.now()) {
        expire::expire(server, record).await?;
        // The job or a person may have been faster; then that counts.
        let stored = server.store.load_request(record.id).await?.filter(|r| r.state != RequestState::Pending);
        return match stored {
            Some(stored) => Box::pin(of_record(server, &stored)).await,
            None => Ok(Outcome::Refused { reason: expire::REASON.to_owned() }),
        };
    }
    Ok(match (record.state, &record.certificate) {
        (RequestState::Pending | RequestState::Granted, _) => Outcome::Pending,
        (RequestState::Issued, Some((issuer, serial))) => {
            let certificate = server.store.load_certificate(issuer, serial).await?;
            match certificate.and_then(|c| c.der.filter(|_| c.revocation.is_none())) {
                Some(der) => Outcome::Issued { issuer: issuer.clone(), der },
                None => Outcome::Refused { reason: "server.certificate-revoked".into() },
            }
        }
        (RequestState::Issued, None) => refused("store.corrupt"),
        (RequestState::Denied, _) => refused("store.corrupt"),
        (RequestState::Expired, _) => refused(expire::REASON),
    })
}
