//! Verifying signatures.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use lanyard_model::key::{KeyKind, PublicKey};

use crate::{
    error::PkiError,
    signature::{Digest, SignatureAlgorithm},
    spki,
};

/// Verifies a signature over a message.
///
/// # Errors
/// [`PkiError::BadSignature`]; [`PkiError::Unsupported`] when key and algorithm do not go together.
pub fn verify(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
    what: &'static str,
) -> Result<(), PkiError> {
    let verifier: &'static dyn VerificationAlgorithm = match (key.kind, algorithm) {
        (KeyKind::Rsa(_), SignatureAlgorithm::RsaPkcs1(digest)) => match digest {
            Digest::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Digest::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Digest::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        },
        (KeyKind::Rsa(_), SignatureAlgorithm::RsaPss(Digest::Sha256)) => &RSA_PSS_2048_8192_SHA256,
        (KeyKind::Rsa(_), SignatureAlgorithm::RsaPss(Digest::Sha384)) => &RSA_PSS_2048_8192_SHA384,
        (KeyKind::Rsa(_), SignatureAlgorithm::RsaPss(Digest::Sha512)) => &RSA_PSS_2048_8192_SHA512,
        (KeyKind::EcP256, SignatureAlgorithm::Ecdsa(Digest::Sha256)) => &ECDSA_P256_SHA256_ASN1,
        (KeyKind::EcP256, SignatureAlgorithm::Ecdsa(Digest::Sha384)) => &ECDSA_P256_SHA384_ASN1,
        (KeyKind::EcP256, SignatureAlgorithm::Ecdsa(Digest::Sha512)) => &ECDSA_P256_SHA512_ASN1,
        (KeyKind::EcP384, SignatureAlgorithm::Ecdsa(Digest::Sha256)) => &ECDSA_P384_SHA256_ASN1,
        (KeyKind::EcP384, SignatureAlgorithm::Ecdsa(Digest::Sha384)) => &ECDSA_P384_SHA384_ASN1,
        (KeyKind::EcP384, SignatureAlgorithm::Ecdsa(Digest::Sha512)) => &ECDSA_P384_SHA512_ASN1,
        (KeyKind::EcP521, SignatureAlgorithm::Ecdsa(Digest::Sha256)) => &ECDSA_P521_SHA256_ASN1,
        (KeyKind::EcP521, SignatureAlgorithm::Ecdsa(Digest::Sha384)) => &ECDSA_P521_SHA384_ASN1,
        (KeyKind::EcP521, SignatureAlgorithm::Ecdsa(Digest::Sha512)) => &ECDSA_P521_SHA512_ASN1,
        (KeyKind::Ed25519, SignatureAlgorithm::Ed25519) => &ED25519,
        _ => return Err(PkiError::Unsupported { what: "signature algorithm", value: format!("for a key {}", key.kind) }),
    };
    let inner = spki::subject_public_key(&key.spki)?;
    UnparsedPublicKey::new(verifier, inner).verify(message, signature).map_err(|_| PkiError::BadSignature { what })
}
