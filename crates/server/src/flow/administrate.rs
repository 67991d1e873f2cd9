//! Certificates that an administrator orders directly with a CSR.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner},
    id::{DeviceId, RequestId, UserName},
    request::RequestContext,
};
use lanyard_pki::{crypto::digest::sha256, csr::decode::decode};
use lanyard_ra::{
    decide::{Facts, decide_administrator},
    order::ChallengeOrder,
};

use super::{challenge::with_records, enroll::carry_out, outcome::Outcome};
use crate::{error::ServerError, state::Server};

/// Issues to a CSR whose every field agrees with the order.
///
/// # Errors
/// [`ServerError::Pki`] for an unreadable CSR; [`ServerError::NotFound`].
pub async fn issue(
    server: &Server,
    order: ChallengeOrder,
    user: Option<UserName>,
    device: Option<DeviceId>,
    csr: &[u8],
    by: &str,
) -> Result<(RequestId, Outcome), ServerError> {
    let order = with_records(server, order, user, device).await?;
    let content = decode(csr, false)?.content;
    let now = server.now();
    let request = EnrollRequest {
        id: RequestId::generate(now),
        protocol: Protocol::Api,
        profile: order.profile.clone(),
        transaction: String::new(),
        message_digest: sha256(csr),
        renewal: false,
        strong_signature: true,
        signer_key_digest: content.key.digest,
        content,
        challenge: None,
        signer: RequestSigner::Administrator(by.to_owned()),
        received_at: now,
    };
    let facts =
        Facts { user: order.user.clone(), device: order.device.clone(), groups: order.groups.clone(), ..Facts::default() };
    let decision = decide_administrator(&request, &order, &facts, &server.policy(), now);
    let context = RequestContext { peer: Some(by.to_owned()), ..RequestContext::default() };
    let outcome = carry_out(server, &request, &context, decision, None).await?;
    Ok((request.id, outcome))
}
