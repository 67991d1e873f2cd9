//! SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).

use lanyard_model::key::{KeyKind, PublicKey};

use crate::{
    crypto::digest::sha256,
    error::PkiError,
    oids,
    tlv::{Reader, tag},
    write,
};

/// Reads a SubjectPublicKeyInfo and checks that the key is one Lanyard may certify or verify with: RSA of 2048 to 4096 bits with an odd
/// exponent from 65537 to below 2^32, P-256, P-384, P-521 or Ed25519.
///
/// # Errors
/// [`PkiError::Malformed`], [`PkiError::Unsupported`].
pub fn decode(spki: &[u8]) -> Result<PublicKey, PkiError> {
    let kind = kind(spki)?;
    Ok(PublicKey { spki: spki.to_vec(), kind, digest: sha256(spki) })
}

fn kind(spki: &[u8]) -> Result<KeyKind, PkiError> {
    let refused = |value: String| PkiError::Unsupported { what: "public key", value };
    let mut reader = Reader::sequence_of(spki, "subjectPublicKeyInfo")?;
    let mut algorithm = reader.sequence()?;
    let oid = algorithm.oid()?;
    let key = reader.octet_aligned_bits()?;
    reader.finish()?;
    match oid {
        oids::RSA_ENCRYPTION => {
            // RFC 3279, section 2.3.1: the parameters are NULL.
            if !algorithm.expect(tag::NULL)?.contents.is_empty() {
                return Err(refused("algorithm parameters".into()));
            }
            algorithm.finish()?;
            let mut rsa = Reader::sequence_of(key, "RSAPublicKey")?;
            let modulus = rsa.unsigned()?;
            let exponent = rsa.unsigned()?;
            rsa.finish()?;
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| usize::try_from(b.leading_zeros()).unwrap_or(0));
            let exponent_value = exponent.iter().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
            let exponent_good = exponent.len() <= 4 && exponent_value % 2 == 1 && exponent_value >= 65_537;
            let modulus_good = (2048..=4096).contains(&bits) && modulus.last().is_some_and(|b| b % 2 == 1);
            match u16::try_from(bits) {
                Ok(bits) if exponent_good && modulus_good => Ok(KeyKind::Rsa(bits)),
                _ => Err(refused(format!("rsa:{bits} with exponent {exponent_value}"))),
            }
        }
        oids::EC_PUBLIC_KEY => {
            let curve = algorithm.oid()?;
            algorithm.finish()?;
            let (kind, octets) = match curve {
                oids::P256 => (KeyKind::EcP256, 65),
                oids::P384 => (KeyKind::EcP384, 97),
                oids::P521 => (KeyKind::EcP521, 133),
                other => return Err(refused(format!("on curve {other}"))),
            };
            if key.len() == octets && key.first() == Some(&4) {
                Ok(kind)
            } else {
                Err(refused(format!("{kind} not as an uncompressed point")))
            }
        }
        oids::ED25519 if key.len() == 32 && algorithm.is_empty() => Ok(KeyKind::Ed25519),
        other => Err(refused(format!("algorithm {other}"))),
    }
}

/// The key inside: RSAPublicKey, uncompressed point, or the 32 octets of Ed25519.
///
/// # Errors
/// [`PkiError::Malformed`].
pub fn subject_public_key(spki: &[u8]) -> Result<&[u8], PkiError> {
    let mut reader = Reader::sequence_of(spki, "subjectPublicKeyInfo")?;
    reader.expect(tag::SEQUENCE)?;
    reader.octet_aligned_bits()
}

/// Key identifier: the leftmost 160 bits of SHA-256 over the subjectPublicKey bits (RFC 7093, section 2, method 1).
///
/// # Errors
/// [`PkiError::Malformed`].
pub fn key_identifier(spki: &[u8]) -> Result<Vec<u8>, PkiError> {
    Ok(sha256(subject_public_key(spki)?).into_iter().take(20).collect())
}

/// Builds a SubjectPublicKeyInfo around the key inside.
#[must_use]
pub fn encode(kind: KeyKind, key: &[u8]) -> Vec<u8> {
    let algorithm = match kind {
        KeyKind::Rsa(_) => write::sequence(&[write::oid(oids::RSA_ENCRYPTION), write::null()]),
        KeyKind::EcP256 => write::sequence(&[write::oid(oids::EC_PUBLIC_KEY), write::oid(oids::P256)]),
        KeyKind::EcP384 => write::sequence(&[write::oid(oids::EC_PUBLIC_KEY), write::oid(oids::P384)]),
        KeyKind::EcP521 => write::sequence(&[write::oid(oids::EC_PUBLIC_KEY), write::oid(oids::P521)]),
        KeyKind::Ed25519 => write::sequence(&[write::oid(oids::ED25519)]),
    };
    write::sequence(&[algorithm, write::bit_string(key)])
}
