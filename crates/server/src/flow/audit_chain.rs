//! Signed heads of the audit chain, so that rewriting or cutting off its end is seen.

use lanyard_model::{
    audit::{AuditHead, ChainVerdict},
    text::hex,
};
use lanyard_pki::crypto::digest::{constant_time_eq, hmac_sha256};

use crate::{api::types::AuditVerdict, error::ServerError, state::Server};

fn signature(server: &Server, sequence: u64, hash: &[u8; 32], at: i64) -> [u8; 32] {
    let parts: [&[u8]; 4] = [b"lanyard-audit-head-v1", &sequence.to_be_bytes(), hash, &at.to_be_bytes()];
    hmac_sha256(server.audit_secret.expose(), &parts)
}

/// Signs the present end of the chain, if it has moved since the last head.
///
/// # Errors
/// Storage errors.
pub async fn sign_head(server: &Server) -> Result<(), ServerError> {
    let (sequence, hash) = server.store.audit_tip().await?;
    let newest = server.store.newest_audit_head().await?;
    if sequence == 0 || newest.is_some_and(|head| head.sequence >= sequence) {
        return Ok(());
    }
    let at = server.now();
    let signature = signature(server, sequence, &hash, at.0).to_vec();
    server.store.save_audit_head(AuditHead { sequence, hash, at, signature }).await?;
    Ok(())
}

/// Follows the chain and checks every signed head against it.
///
/// # Errors
/// Storage errors.
pub async fn verify(server: &Server) -> Result<AuditVerdict, ServerError> {
    let heads = server.store.list_audit_heads().await?;
    let signed_heads = u64::try_from(heads.len()).unwrap_or(u64::MAX);
    let broken = |records: u64, sequence: u64, problem: String| AuditVerdict {
        intact: false,
        records,
        head: None,
        signed_heads,
        first_bad: Some(sequence),
        problem: Some(problem),
    };
    let (records, head) = match server.store.verify_audit().await? {
        ChainVerdict::Broken { sequence, problem } => return Ok(broken(sequence.saturating_sub(1), sequence, problem)),
        ChainVerdict::Intact { records, head } => (records, head),
    };
    for (head, found) in heads {
        let good = constant_time_eq(&head.signature, &signature(server, head.sequence, &head.hash, head.at.0));
        let problem = match found {
            _ if !good => "its signed head was altered",
            None => "it was signed as the head of the chain and is gone",
            Some(hash) if hash != head.hash => "it is not the record that was signed as the head of the chain",
            Some(_) => continue,
        };
        return Ok(broken(records, head.sequence, problem.to_owned()));
    }
    Ok(AuditVerdict { intact: true, records, head: Some(hex(&head)), signed_heads, first_bad: None, problem: None })
}
