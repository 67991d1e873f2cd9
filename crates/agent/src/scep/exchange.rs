//! Sending, sending again when the answer was lost, waiting while the server holds the request, storing what it issued.

use std::{sync::Arc, time::Duration};

use lanyard_enroll::scep::client::{answer::Answer, message::Outgoing};
use lanyard_pki::certificate::Certificate;

use super::{
    names::NameDifferences,
    options::SessionOptions,
    outcome::{EnrollOutcome, Issued, Progress, Refusal, Watcher},
    server::TrustedServer,
    transaction::Transaction,
};
use crate::{
    blocking::blocking,
    error::AgentError,
    store::{DeviceStore, Identity, IdentityAbout, Pending, PendingAbout, PendingState, Status},
};

/// How often a message is sent again when its answer was lost. The server answers a repeated message with the stored result.
pub const RESENDS: u32 = 3;

/// A transaction with a server that is trusted.
pub(crate) struct Exchange<'a> {
    pub(crate) server: TrustedServer,
    pub(crate) transaction: Transaction,
    pub(crate) pending: Pending,
    pub(crate) store: Option<&'a DeviceStore>,
    pub(crate) session: &'a SessionOptions,
    pub(crate) watcher: Watcher<'a>,
    last_request_id: Option<String>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        server: TrustedServer,
        transaction: Transaction,
        pending: Pending,
        store: Option<&'a DeviceStore>,
        session: &'a SessionOptions,
        watcher: Watcher<'a>,
    ) -> Self {
        Self { server, transaction, pending, store, session, watcher, last_request_id: None }
    }

    /// Sends the message and stays until the server decides or the questions are spent.
    pub(crate) async fn run(mut self, first: Outgoing) -> Result<EnrollOutcome, AgentError> {
        let mut answer = self.ask(&first).await?;
        let mut asked = 0;
        loop {
            match answer {
                Answer::Issued { certificate, chain } => return self.issued(*certificate, chain).await,
                Answer::Refused { fail_info, text, hresult } => {
                    self.forget().await?;
                    let transaction = self.transaction.id;
                    let request_id = self.last_request_id.or(self.pending.about.request_id);
                    let renewal = self.pending.about.predecessor.is_some();
                    let refusal = Refusal { fail_info, text, hresult, renewal, transaction, request_id };
                    return Ok(EnrollOutcome::Refused(refusal));
                }
                Answer::Pending => {
                    self.held().await?;
                    if asked >= self.session.retry_count {
                        let PendingAbout { id, transaction, request_id, .. } = self.pending.about;
                        return Ok(EnrollOutcome::StillPending { transaction, id, request_id });
                    }
                    asked += 1;
                    let wait = self.session.retry_period;
                    let request_id = self.pending.about.request_id.clone();
                    (self.watcher)(Progress::Waiting { attempt: asked, of: self.session.retry_count, wait, request_id });
                    tokio::time::sleep(wait).await;
                    let (transaction, ca) = (self.transaction.clone(), self.server.ca.clone());
                    let poll = blocking(move || transaction.poll(&ca)).await?;
                    answer = self.ask(&poll).await?;
                }
            }
        }
    }

    /// Sends a message, again when the answer is lost, and verifies the answer.
    async fn ask(&mut self, outgoing: &Outgoing) -> Result<Answer, AgentError> {
        let mut resent = 0;
        let mut delay = self.session.resend_delay;
        let answer = loop {
            match self.server.pki_operation(&outgoing.message).await {
                Ok(answer) => break answer,
                Err(error) if error.is_transient() && resent < RESENDS => {
                    resent += 1;
                    (self.watcher)(Progress::Resending { attempt: resent, cause: error.to_string() });
                    tokio::time::sleep(delay).await;
                    delay = delay.saturating_mul(2).min(Duration::from_secs(60));
                }
                Err(error) => return Err(error),
            }
        };
        self.last_request_id = answer.request_id;
        let now = (self.session.clock)();
        let (transaction, sent, ca) = (self.transaction.clone(), outgoing.clone(), self.server.ca.clone());
        blocking(move || transaction.decode(&answer.body, &sent, &ca, now)).await
    }

    async fn held(&mut self) -> Result<(), AgentError> {
        let about = &mut self.pending.about;
        // The first id is the one that the administrator approves; questions have ids of their own.
        let changed = about.state != PendingState::Held || about.request_id.is_none();
        about.state = PendingState::Held;
        about.request_id = about.request_id.take().or_else(|| self.last_request_id.clone());
        match self.store.cloned() {
            Some(store) if changed => {
                let about = about.clone();
                blocking(move || store.update_pending(&about)).await
            }
            _ => Ok(()),
        }
    }

    async fn forget(&mut self) -> Result<(), AgentError> {
        let Some(store) = self.store.cloned() else { return Ok(()) };
        let id = self.pending.about.id.clone();
        blocking(move || store.discard_pending(&id)).await
    }

    async fn issued(self, certificate: Certificate, chain: Vec<Certificate>) -> Result<EnrollOutcome, AgentError> {
        let about = &self.pending.about;
        let differences = NameDifferences::between(&about.subject, &about.san, &certificate)?;
        let differences = differences.accept(self.session.accept_other_names)?;
        let request_id = about.request_id.clone().or_else(|| self.last_request_id.clone());
        let tls_roots = self.session.tls_roots.clone();
        let identity = Identity { about: self.describe(&certificate, request_id.clone())?, certificate, chain, tls_roots };
        let (identity, key) = match self.store.cloned() {
            None => (identity, Arc::clone(&self.pending.key)),
            Some(store) => {
                let key = Arc::clone(&self.pending.key);
                blocking(move || {
                    store.install(&identity, &key)?;
                    store.discard_pending(&identity.about.id)?;
                    Ok((identity, key))
                })
                .await?
            }
        };
        Ok(EnrollOutcome::Issued(Box::new(Issued {
            id: identity.about.id,
            certificate: identity.certificate,
            chain: identity.chain,
            key,
            transaction: self.transaction.id,
            request_id,
            differences,
        })))
    }

    fn describe(&self, certificate: &Certificate, request_id: Option<String>) -> Result<IdentityAbout, AgentError> {
        let about = &self.pending.about;
        let (_, not_after) = certificate.validity().map_err(AgentError::Own)?;
        let san = certificate.subject_alt_names().map_err(AgentError::Own)?;
        Ok(IdentityAbout {
            id: about.id.clone(),
            status: Status::Current,
            url: about.url.clone(),
            profile: about.profile().to_owned(),
            ca_fingerprint: about.ca_fingerprint.clone(),
            subject: certificate.subject().map_err(AgentError::Own)?.to_string(),
            san: san.iter().map(ToString::to_string).collect(),
            key: about.key,
            transaction: about.transaction.clone(),
            request_id,
            obtained_at: (self.session.clock)(),
            not_after,
            predecessor: about.predecessor.clone(),
            exportable: about.exportable,
            place: about.place,
            owner: about.owner,
            name: about.name.clone(),
        })
    }
}
