//! What the record keeps of a request.

use lanyard_model::{
    enroll::EnrollRequest,
    id::{ProfileName, RequestId},
    request::{RequestContext, RequestRecord, RequestState},
    time::Timestamp,
};

/// A message that could not be read as far as a CSR.
#[must_use]
pub fn unread(id: RequestId, profile: ProfileName, digest: [u8; 32], context: RequestContext, now: Timestamp) -> RequestRecord {
    RequestRecord {
        id,
        protocol: lanyard_model::enroll::Protocol::Scep,
        profile,
        transaction: String::new(),
        message_digest: digest,
        renewal: false,
        signer_key_digest: None,
        key_digest: None,
        claims: None,
        subject: None,
        san: Vec::new(),
        key: None,
        template: None,
        user: None,
        device: None,
        state: RequestState::Denied,
        reason: None,
        detail: None,
        certificate: None,
        renews: None,
        challenge: None,
        context,
        received_at: now,
        decided_at: None,
        decided_by: None,
    }
}

/// A request with a readable CSR; the decision is still open.
#[must_use]
pub fn of(request: &EnrollRequest, context: &RequestContext) -> RequestRecord {
    RequestRecord {
        protocol: request.protocol,
        transaction: request.transaction.clone(),
        renewal: request.renewal,
        signer_key_digest: Some(request.signer_key_digest),
        key_digest: Some(request.content.key.digest),
        subject: Some(request.content.subject.clone()),
        san: request.content.san.clone(),
        key: Some(request.content.key.kind.to_string()),
        ..unread(request.id, request.profile.clone(), request.message_digest, context.clone(), request.received_at)
    }
}
