//! The table of modes: who gets in, and what everybody else is told.
//!
//! | mode | no certificate, no password | a password | a good certificate | both | a bad certificate |
//! |---|---|---|---|---|---|
//! | `basic` | 401 | in | 401 | in | not seen |
//! | `certificate` | 403.7 | 403.7 | in | in | 403 |
//! | `both` | 403.7 | 403.7 | 401 | in, if of the same account | 403 |
//! | `certificate-else-basic` | 401 | in | in | in, as the certificate's account | 403 |
//! | `none` | in | in | in | in | not seen |
//!
//! A certificate that is bad is not the same as none. Where only a certificate counts nobody is asked for a password: phones would ask their
//! owners for one. What cannot be found out is 503, for on 401 and 403 phones give up.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use lanyard_model::time::Timestamp;

use super::denial::{Denial, Reason};
use crate::{
    account::{
        attempts::{Attempts, Remembered},
        basic::Credentials,
        source::Account,
    },
    certificate::verdict::{Presented, Verdict, Verified},
    config::file::{Mode, Passwords, Revocation, Stale},
    proxy::application::Application,
    state::known::{Freshness, State},
};

/// Who was let in.
#[derive(Debug, Default, Clone)]
pub struct Admission {
    /// The account, if somebody was asked.
    pub account: Option<Arc<Account>>,
    /// The certificate that counted.
    pub certificate: Option<Arc<Verified>>,
    /// Whether the password that came along is right, or is for the back end to check.
    pub credentials: bool,
}

/// What a request brings.
pub struct Asking<'a> {
    /// What the connection has shown.
    pub presented: Option<&'a Presented>,
    /// Fields of the request.
    pub headers: &'a HeaderMap,
    /// Where it comes from.
    pub source: IpAddr,
    /// The present.
    pub now: Timestamp,
    /// What is remembered of passwords.
    pub attempts: &'a Attempts,
    /// What Lanyard's server has told, where one is configured.
    pub state: Option<&'a State>,
    /// Whether any password is taken for right: for explanations, which reach no back end.
    pub suppose_password: bool,
}

/// Whether a request may go on to an application.
///
/// # Errors
/// The denial for the client.
pub async fn admit(application: &Application, asking: &Asking<'_>) -> Result<Admission, Denial> {
    match application.mode {
        Mode::None => Ok(Admission { credentials: true, ..Admission::default() }),
        Mode::Basic => password(application, asking).await,
        Mode::Certificate => certificate(application, asking).await,
        Mode::CertificateElseBasic if asking.presented.is_none() => password(application, asking).await,
        Mode::CertificateElseBasic => certificate(application, asking).await,
        Mode::Both => {
            let by_certificate = certificate(application, asking).await?;
            let by_password = password(application, asking).await?;
            match (&by_certificate.account, &by_password.account) {
                (Some(one), Some(other)) if one.key == other.key => {
                    Ok(Admission { credentials: by_password.credentials, ..by_certificate })
                }
                (Some(one), Some(other)) => {
                    let detail = format!("certificate of {}, password of {}", one.name, other.name);
                    Err(Denial::because(Reason::AccountsDiffer, &detail))
                }
                _ => Err(Denial::of(Reason::Internal)),
            }
        }
    }
}

/// The certificate counts.
async fn certificate(application: &Application, asking: &Asking<'_>) -> Result<Admission, Denial> {
    let verdict = match asking.presented {
        None => Verdict::Absent,
        Some(presented) => presented.judge(&application.trusts, asking.now),
    };
    let verified = match verdict {
        Verdict::Good(verified) => verified,
        Verdict::Bad(denial) => return Err(denial),
        Verdict::Absent => return Err(Denial::of(Reason::CertificateRequired)),
        Verdict::NotVerified => return Err(Denial::because(Reason::CertificateUntrusted, "nobody has looked at it")),
    };
    ask_state(application, asking, &verified)?;
    let Some((_, source)) = &application.accounts else { return Err(Denial::of(Reason::Internal)) };
    let account = source.map(&verified, &application.mapping, asking.now).await?;
    Ok(Admission { account: Some(account), certificate: Some(verified), credentials: false })
}

/// What Lanyard's server has told of a certificate, where it is to be asked.
fn ask_state(application: &Application, asking: &Asking<'_>, verified: &Verified) -> Result<(), Denial> {
    let trust = application.trusts.iter().find(|trust| trust.name == verified.trust);
    let revocation = trust.map(|trust| trust.revocation).unwrap_or_default();
    let Some(state) = asking.state.filter(|_| revocation != Revocation::Crl) else { return Ok(()) };
    match (state.freshness(), application.stale) {
        (Freshness::Fresh, _) | (Freshness::Stale, Stale::Open) => {}
        (Freshness::Stale, Stale::Closed) => return Err(Denial::of(Reason::StateStale)),
        (Freshness::Nothing, _) => return Err(Denial::because(Reason::StateStale, "the server has told nothing yet")),
    }
    match state.certificate(&verified.fingerprint) {
        Some(known) if known.revoked => Err(Denial::of(Reason::CertificateRevoked)),
        Some(known) => match known.device.filter(|id| state.is_blocked(id)) {
            Some(id) => Err(Denial::because(Reason::DeviceBlocked, &id)),
            None => Ok(()),
        },
        None if revocation == Revocation::Server => {
            Err(Denial::because(Reason::CertificateUntrusted, "the server has no record of it"))
        }
        None => Ok(()),
    }
}

/// The password counts.
async fn password(application: &Application, asking: &Asking<'_>) -> Result<Admission, Denial> {
    let Some(credentials) = Credentials::of(asking.headers) else { return Err(Denial::of(Reason::PasswordRequired)) };
    let admitted = |account: Option<Arc<Account>>| Admission { account, certificate: None, credentials: true };
    let Some((name, source)) = &application.accounts else { return Ok(admitted(None)) };
    if application.passwords == Passwords::BackEnd || asking.suppose_password {
        if credentials.password.expose().is_empty() {
            return Err(Denial::because(Reason::PasswordWrong, "the password is empty"));
        }
        return source.named(&credentials, asking.now).await.map(|account| admitted(Some(account)));
    }
    let tried = match asking.attempts.look(name, &credentials, asking.source) {
        Remembered::Right(account) if source.still(&account) => return Ok(admitted(Some(account))),
        Remembered::Right(account) => {
            return Err(Denial::because(Reason::PasswordWrong, &format!("{} is disabled", account.name)));
        }
        Remembered::Wrong(denial) => return Err(denial),
        Remembered::Nothing(tried) => tried,
    };
    match source.check(&credentials, asking.source, asking.now).await {
        Ok(account) => {
            asking.attempts.right(tried, &account);
            Ok(admitted(Some(account)))
        }
        Err(denial) => {
            // What could not be checked is no attempt.
            if denial.reason == Reason::PasswordWrong {
                asking.attempts.wrong(tried);
            }
            Err(denial)
        }
    }
}
