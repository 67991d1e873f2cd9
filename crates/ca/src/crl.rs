//! CRLs of an authority.

use lanyard_model::{
    authority::{CrlEntry, CrlRecord},
    time::{Span, Timestamp},
};
use lanyard_pki::crl::{TbsCertList, encode};

use crate::{authority::Authority, error::CaError};

/// How far thisUpdate lies before the present: some devices' clocks are slow, and a CRL from the future is refused.
pub const BACKDATE: Span = Span::from_secs(300);

/// Signs a full CRL. nextUpdate never exceeds the authority's own notAfter.
///
/// # Errors
/// [`CaError::Crypto`] when the key fails.
pub fn issue(
    authority: &Authority,
    number: u64,
    entries: &[CrlEntry],
    lifetime: Span,
    now: Timestamp,
) -> Result<CrlRecord, CaError> {
    let (first, last) = authority.validity();
    let this_update = (now.truncated() - BACKDATE).max(first);
    let next_update = (now.truncated() + lifetime).min(last);
    let list = TbsCertList {
        issuer: authority.certificate().subject_der(),
        authority_key_identifier: authority.key_identifier(),
        this_update,
        next_update,
        number,
        entries,
    };
    let der = encode(&list, authority.signer()).map_err(|source| CaError::Crypto { action: "sign a CRL", source })?;
    Ok(CrlRecord { issuer: authority.name().clone(), number, this_update, next_update, der })
}
