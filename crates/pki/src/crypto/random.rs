//! Random octets.

use aws_lc_rs::rand;

use crate::error::PkiError;

/// Octets from the operating system's generator.
///
/// # Errors
/// [`PkiError::Key`] when the generator fails; nothing may be made then.
pub fn random<const N: usize>() -> Result<[u8; N], PkiError> {
    let mut out = [0; N];
    rand::fill(&mut out).map_err(|_| PkiError::Key { what: "random", problem: "the random generator failed" })?;
    Ok(out)
}
