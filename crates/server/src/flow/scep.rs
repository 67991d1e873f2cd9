//! A SCEP message from bytes to CertRep, in the order of RFC 8894, section 3.2, and security.md, section 2.

use std::sync::Arc;

use lanyard_enroll::scep::{
    accommodation::Accommodation,
    attributes::{FailInfo, MessageType},
    error::ScepError,
    recognise::{Evidence, recognise},
    reply::{CertRep, Replier, encode},
    request::{Envelope, Mirror, PkiMessage, RegistrationKey, ReplyTo, decode},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    enroll::{EnrollRequest, Protocol, RequestSigner},
    id::{AuthorityName, RequestId},
    profile::Profile,
    request::{Asked, RequestContext, RequestRecord, RequestState},
    secret::SecretBytes,
};
use lanyard_pki::{certificate::Certificate, crypto::digest::sha256, signature::Digest};

use super::{
    enroll::enroll,
    outcome::{self, Outcome},
    record, resume, scep_fetch,
};
use crate::{
    error::{ServerError, chain},
    keyring::{Keyring, Registration},
    state::Server,
};

/// The answer to a PKIOperation.
pub struct Answer {
    /// Names the request; sent along so that the device's log can be joined with ours.
    pub request: RequestId,
    /// The CertRep, or `None` when the message is so broken that none can be addressed.
    pub reply: Option<Vec<u8>>,
    /// The word for metrics.
    pub outcome: &'static str,
    /// Stable code of a refusal; for us, not for the peer.
    pub reason: Option<String>,
}

/// Where a message stands while it is being answered.
pub(super) struct Session<'a> {
    pub(super) server: &'a Server,
    pub(super) profile: &'a Profile,
    id: RequestId,
    digest: [u8; 32],
    context: RequestContext,
    pub(super) ring: Arc<Keyring>,
    /// Whose registration certificate signs the reply: that of the CA in use, or of the one that the message was encrypted to.
    authority: AuthorityName,
}

/// Answers a PKIOperation. `context` holds what is known before the message is read, the words of [`Accommodation`] among it.
///
/// # Errors
/// Our own failures only; they become HTTP 500 and leave nothing issued that is not stored.
pub async fn pki_operation(
    server: &Server,
    profile: &Profile,
    message: &[u8],
    context: RequestContext,
) -> Result<Answer, ServerError> {
    let _at_work = server.store.callers().enter();
    let id = RequestId::generate(server.now());
    let ring = server.keyring.get();
    let authority = ring.issuing().clone();
    let mut session = Session { server, profile, id, digest: sha256(message), context, ring, authority };
    let answer = session.answer(message).await?;
    let context = &session.context;
    tracing::info!(
        request = %answer.request,
        profile = %profile.name,
        outcome = answer.outcome,
        reason = answer.reason,
        message_type = context.message_type,
        digest = context.digest_algorithm,
        cipher = context.content_encryption,
        client = context.client.map(|client| client.as_str()),
        recognised_by = context.recognised_by,
        accommodations = context.accommodations.join(" "),
        peer = context.peer,
        "SCEP message answered"
    );
    Ok(answer)
}

impl Session<'_> {
    async fn answer(&mut self, bytes: &[u8]) -> Result<Answer, ServerError> {
        let legacy = self.profile.legacy_algorithms;
        let received = decode(bytes, legacy);
        received.accommodations.iter().for_each(|one| self.note(*one));
        self.recognise(received.reply_to.as_ref());
        if let Some(reply_to) = &received.reply_to {
            self.context.message_type = Some(lanyard_model::text::printable(&reply_to.message_type));
            self.context.digest_algorithm = Some(reply_to.digest.name().to_owned());
        }
        let message = match received.message {
            Ok(message) => message,
            Err(error) => return self.refuse(received.reply_to.as_ref(), None, &error).await,
        };
        let reply_to = message.reply_to.clone();
        if let Err(error) = self.check_type(&message).and_then(|()| self.check_signing_time(&message)) {
            return self.refuse(Some(&reply_to), Some(&message), &error).await;
        }
        // The algorithms are judged before any key is touched.
        let envelope = match message.envelope(legacy) {
            Ok(envelope) => envelope,
            Err(error) => return self.refuse(Some(&reply_to), Some(&message), &error).await,
        };
        self.context.content_encryption = Some(envelope.cipher().name().to_owned());
        self.address(&envelope);
        let tolerated = envelope.accommodations(&self.keys());
        tolerated.into_iter().for_each(|one| self.note(one));
        if let Some(answer) = self.repeated(&message, &envelope).await? {
            return Ok(answer);
        }
        match self.open(&message, &envelope) {
            Ok(Opened::Poll(mirror)) => self.poll(&message, mirror).await,
            Ok(Opened::Fetch(plain, mirror)) => match scep_fetch::fetch(self, &message, &plain, mirror).await? {
                Ok(reply) => Ok(Answer { request: self.id, reply: Some(reply), outcome: "answered", reason: None }),
                Err(error) => self.refuse(Some(&reply_to), Some(&message), &error).await,
            },
            Ok(Opened::Request(request, mirror)) => {
                let outcome = enroll(self.server, &request, &self.context).await?;
                self.reply(&message, mirror, &outcome)
            }
            Err(error) => self.refuse(Some(&reply_to), Some(&message), &error).await,
        }
    }

    /// A device that encrypts to the registration certificate of a CA before or after the one in use knows no other to believe a reply by.
    fn address(&mut self, envelope: &Envelope) {
        let found = self.ring.recipients().into_iter().find(|(_, registration)| envelope.is_for(&registration.certificate));
        if let Some(name) = found.map(|(name, _)| name.clone()) {
            self.authority = name;
        }
    }

    /// Puts down what was tolerated, once.
    fn note(&mut self, what: Accommodation) {
        let words = &mut self.context.accommodations;
        if !words.iter().any(|word| word == what.as_str()) {
            words.push(what.as_str().to_owned());
        }
    }

    fn recognise(&mut self, to: Option<&ReplyTo>) {
        let accommodations: Vec<Accommodation> =
            self.context.accommodations.iter().filter_map(|word| Accommodation::from_word(word)).collect();
        let evidence = Evidence {
            user_agent: self.context.user_agent.as_deref(),
            identifier: None,
            transaction: to.map(|to| to.transaction.as_str()),
            accommodations: &accommodations,
        };
        if let Some(recognised) = recognise(&evidence) {
            self.context.client = Some(recognised.client);
            self.context.recognised_by = Some(recognised.by.to_owned());
        }
    }

    /// Types that are known but not offered are refused like unknown ones, before anything is decrypted.
    fn check_type(&self, message: &PkiMessage) -> Result<(), ScepError> {
        let offered = match message.message_type {
            MessageType::GetCert => self.profile.get_cert,
            MessageType::GetCrl => self.profile.get_crl,
            MessageType::PkcsReq | MessageType::RenewalReq | MessageType::CertPoll => true,
        };
        if offered { Ok(()) } else { Err(ScepError::MessageType(message.reply_to.message_type.clone())) }
    }

    fn check_signing_time(&self, message: &PkiMessage) -> Result<(), ScepError> {
        let (Some(window), Some(signed)) = (self.profile.signing_time_window, message.signing_time) else { return Ok(()) };
        let now = self.server.now();
        if now.since(signed) > window || signed.since(now) > window { Err(ScepError::SigningTime) } else { Ok(()) }
    }

    fn registrations(&self) -> &[Arc<Registration>] {
        self.ring.registrations(&self.authority)
    }

    fn keys(&self) -> Vec<RegistrationKey<'_>> {
        self.ring
            .recipients()
            .into_iter()
            .map(|(_, r)| RegistrationKey { certificate: &r.certificate, decrypter: r.decrypter.as_ref() })
            .collect()
    }

    /// The same message again: its stored outcome, if it has one that lasts.
    async fn repeated(&mut self, message: &PkiMessage, envelope: &Envelope) -> Result<Option<Answer>, ServerError> {
        let found =
            self.server.store.find_request_by_message(&self.profile.name, &message.reply_to.transaction, self.digest).await?;
        // A refused message is judged anew. So is a renewal that was interrupted: its certificate still proves who asks.
        let lasting =
            |r: &RequestRecord| r.state != RequestState::Denied && !(r.renews.is_some() && resume::is_abandoned(self.server, r));
        let Some(record) = found.filter(lasting) else { return Ok(None) };
        let Some(mirror) = envelope.mirror(&self.keys()) else { return Ok(None) };
        self.note(Accommodation::RepeatAsPoll);
        tracing::info!(request = %self.id, earlier = %record.id, "the same message again: the stored outcome answers it");
        let outcome = self.outcome_of(&record).await?;
        self.reply(message, mirror, &outcome).map(|answer| Some(Answer { request: record.id, ..answer }))
    }

    async fn outcome_of(&self, record: &RequestRecord) -> Result<Outcome, ServerError> {
        if record.state == RequestState::Granted {
            return resume::outcome(self.server, record).await;
        }
        outcome::of_record(self.server, record).await
    }

    fn open(&mut self, message: &PkiMessage, envelope: &Envelope) -> Result<Opened, ScepError> {
        let (plain, mirror) = message.open(envelope, &self.keys(), &self.server.rejection_secret)?;
        match message.message_type {
            MessageType::CertPoll => {
                message.issuer_and_subject(&plain)?;
                return Ok(Opened::Poll(mirror));
            }
            MessageType::GetCert | MessageType::GetCrl => return Ok(Opened::Fetch(plain, mirror)),
            MessageType::PkcsReq | MessageType::RenewalReq => {}
        }
        let signer = self.classify(&message.signer);
        let ours = matches!(signer, RequestSigner::Ours { .. });
        if message.message_type == MessageType::RenewalReq && !ours {
            return Err(ScepError::RenewalSigner);
        }
        let csr = message.certification_request(&plain, ours, self.profile.legacy_algorithms)?;
        let noted = [
            (csr.algorithm.digest() == Digest::Sha1, Accommodation::LegacyDigest),
            (csr.is_unsorted, Accommodation::UnsortedCsrAttributes),
            (csr.is_challenge_unprintable, Accommodation::ChallengeAlphabet),
            (ours && message.message_type == MessageType::PkcsReq, Accommodation::RenewalAsPkcsReq),
        ];
        noted.into_iter().filter(|(odd, _)| *odd).for_each(|(_, what)| self.note(what));
        self.context.asked = Some(Asked::of(&csr.content));
        self.context.signed_at = message.signing_time;
        let request = EnrollRequest {
            id: self.id,
            protocol: Protocol::Scep,
            profile: self.profile.name.clone(),
            transaction: message.reply_to.transaction.clone(),
            message_digest: self.digest,
            renewal: message.message_type == MessageType::RenewalReq,
            strong_signature: message.reply_to.digest != Digest::Sha1,
            content: csr.content,
            challenge: csr.challenge,
            signer,
            signer_key_digest: message.signer_key.digest,
            received_at: self.server.now(),
        };
        Ok(Opened::Request(Box::new(request), mirror))
    }

    /// By certificate, not by message type. Every certificate that none of our authorities signed counts as self-signed: it
    /// authenticates nothing, and only carries the key that is to be certified.
    pub(super) fn classify(&self, signer: &Certificate) -> RequestSigner {
        match (self.ring.issuer_of(signer), signer.serial()) {
            (Some(authority), Some(serial)) => {
                RequestSigner::Ours { issuer: authority.name().clone(), serial, digest: signer.fingerprint() }
            }
            _ => RequestSigner::SelfSigned,
        }
    }

    async fn poll(&self, message: &PkiMessage, mirror: Mirror) -> Result<Answer, ServerError> {
        let transaction = &message.reply_to.transaction;
        let found =
            self.server.store.find_request_by_transaction(&self.profile.name, transaction, message.signer_key.digest).await?;
        match found {
            Some(record) => {
                let outcome = self.outcome_of(&record).await?;
                tracing::info!(request = %record.id, outcome = outcome.word(), "polled");
                self.reply(message, mirror, &outcome).map(|answer| Answer { request: record.id, ..answer })
            }
            None => {
                let unmatched = ScepError::Attribute { name: "transactionID", problem: "belongs to no request of this key" };
                self.refuse(Some(&message.reply_to), Some(message), &unmatched).await
            }
        }
    }

    pub(super) fn replier(&self) -> Result<Replier<'_>, ServerError> {
        let registration = self.registrations().first();
        let registration = registration
            .ok_or_else(|| ServerError::NotFound { what: "registration certificate of", name: self.authority.to_string() })?;
        Ok(Replier { certificate: &registration.certificate, signer: registration.signer.as_ref() })
    }

    fn reply(&self, message: &PkiMessage, mirror: Mirror, outcome: &Outcome) -> Result<Answer, ServerError> {
        let text = self.profile.fail_info_text;
        let reply = match outcome {
            Outcome::Issued { issuer, der } => {
                let chain = self.ring.chain(issuer);
                let mut certificates: Vec<&[u8]> = vec![der];
                certificates.extend(chain.iter().filter(|c| !c.is_self_issued()).map(|c| c.der()));
                let recipient = &message.signer;
                let reply =
                    CertRep::Success { certificates: &certificates, recipient, recipient_key: &message.signer_key, mirror };
                encode(reply, &message.reply_to, self.replier()?)
            }
            Outcome::Pending => encode(CertRep::Pending, &message.reply_to, self.replier()?),
            Outcome::Refused { .. } => {
                encode(CertRep::Failure { fail_info: FailInfo::BadRequest, text }, &message.reply_to, self.replier()?)
            }
        };
        let reply = reply.map_err(|e| ServerError::Conflict(chain(&e)))?;
        let reason = match outcome {
            Outcome::Refused { reason } => Some(reason.clone()),
            Outcome::Issued { .. } | Outcome::Pending => None,
        };
        Ok(Answer { request: self.id, reply: Some(reply), outcome: outcome.word(), reason })
    }

    /// Refuses a message that does not hold as a message: stored, audited, and answered with its failInfo.
    async fn refuse(&self, to: Option<&ReplyTo>, message: Option<&PkiMessage>, error: &ScepError) -> Result<Answer, ServerError> {
        let now = self.server.now();
        let detail = chain(error);
        let record = RequestRecord {
            transaction: to.map(|t| t.transaction.clone()).unwrap_or_default(),
            signer_key_digest: message.map(|m| m.signer_key.digest),
            reason: Some(error.code().to_owned()),
            detail: Some(detail.clone()),
            decided_at: Some(now),
            ..record::unread(self.id, self.profile.name.clone(), self.digest, self.context.clone(), now)
        };
        let audit = AuditEvent {
            reason: Some(error.code().to_owned()),
            detail: Some(detail.clone()),
            ..self.server.request_event(AuditKind::RequestDenied, "scep", self.id)
        };
        // The id is new: nobody else can have decided it.
        self.server.store.save_denied(record, None, Vec::new(), audit).await?;
        tracing::warn!(request = %self.id, reason = error.code(), %detail, "refused");
        let failure = CertRep::Failure { fail_info: error.fail_info(), text: self.profile.fail_info_text };
        let reply = match to {
            Some(to) => Some(encode(failure, to, self.replier()?).map_err(|e| ServerError::Conflict(chain(&e)))?),
            None => None,
        };
        Ok(Answer { request: self.id, reply, outcome: "refused", reason: Some(error.code().to_owned()) })
    }
}

/// What was in the envelope.
enum Opened {
    Poll(Mirror),
    /// The question of a GetCert or GetCRL.
    Fetch(SecretBytes, Mirror),
    Request(Box<EnrollRequest>, Mirror),
}
