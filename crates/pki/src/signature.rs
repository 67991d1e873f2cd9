//! Signature algorithms: identifiers as X.509 and CMS write them.

use lanyard_model::{key::KeyKind, oid::Oid};

use crate::{
    error::PkiError,
    oids,
    tlv::{Reader, tag},
    write,
};

/// Digest algorithms that may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1: verified in legacy profiles only, never made.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// Identifier.
    #[must_use]
    pub const fn oid(self) -> Oid {
        match self {
            Self::Sha1 => oids::SHA1,
            Self::Sha256 => oids::SHA256,
            Self::Sha384 => oids::SHA384,
            Self::Sha512 => oids::SHA512,
        }
    }

    /// From an identifier.
    ///
    /// # Errors
    /// [`PkiError::Unsupported`], also for MD5.
    pub fn from_oid(oid: Oid) -> Result<Self, PkiError> {
        match oid {
            oids::SHA1 => Ok(Self::Sha1),
            oids::SHA256 => Ok(Self::Sha256),
            oids::SHA384 => Ok(Self::Sha384),
            oids::SHA512 => Ok(Self::Sha512),
            oids::MD5 => Err(PkiError::Unsupported { what: "digest", value: "MD5".into() }),
            other => Err(PkiError::Unsupported { what: "digest", value: other.to_string() }),
        }
    }

    /// AlgorithmIdentifier with NULL parameters absent (RFC 5754, section 2).
    #[must_use]
    pub fn identifier(self) -> Vec<u8> {
        write::sequence(&[write::oid(self.oid())])
    }

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

/// Signature algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Digest),
    /// RSASSA-PSS with MGF1 of the same digest and a salt as long as the digest.
    RsaPss(Digest),
    /// ECDSA.
    Ecdsa(Digest),
    /// Ed25519.
    Ed25519,
}

impl SignatureAlgorithm {
    /// What a key of this kind signs certificates with.
    #[must_use]
    pub const fn natural(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa(_) => Self::RsaPkcs1(Digest::Sha256),
            KeyKind::EcP256 => Self::Ecdsa(Digest::Sha256),
            KeyKind::EcP384 => Self::Ecdsa(Digest::Sha384),
            KeyKind::EcP521 => Self::Ecdsa(Digest::Sha512),
            KeyKind::Ed25519 => Self::Ed25519,
        }
    }

    /// The digest inside; Ed25519 counts as SHA-512.
    #[must_use]
    pub const fn digest(self) -> Digest {
        match self {
            Self::RsaPkcs1(d) | Self::RsaPss(d) | Self::Ecdsa(d) => d,
            Self::Ed25519 => Digest::Sha512,
        }
    }

    /// AlgorithmIdentifier as certificates carry it. PSS is verified but never made, so it has no identifier here: it answers
    /// with that of PKCS#1.
    #[must_use]
    pub fn identifier(self) -> Vec<u8> {
        match self {
            Self::RsaPkcs1(d) | Self::RsaPss(d) => {
                let oid = match d {
                    Digest::Sha1 => oids::SHA1_WITH_RSA,
                    Digest::Sha256 => oids::SHA256_WITH_RSA,
                    Digest::Sha384 => oids::SHA384_WITH_RSA,
                    Digest::Sha512 => oids::SHA512_WITH_RSA,
                };
                write::sequence(&[write::oid(oid), write::null()])
            }
            Self::Ecdsa(d) => {
                let oid = match d {
                    Digest::Sha384 => oids::ECDSA_SHA384,
                    Digest::Sha512 => oids::ECDSA_SHA512,
                    Digest::Sha1 | Digest::Sha256 => oids::ECDSA_SHA256,
                };
                write::sequence(&[write::oid(oid)])
            }
            Self::Ed25519 => write::sequence(&[write::oid(oids::ED25519)]),
        }
    }

    /// Reads an AlgorithmIdentifier from the contents of its SEQUENCE. `digest` is the digestAlgorithm beside it in a CMS SignerInfo, which
    /// completes plain rsaEncryption; certificates pass `None`.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Unsupported`].
    pub fn decode(mut reader: Reader<'_>, digest: Option<Digest>) -> Result<Self, PkiError> {
        let oid = reader.oid()?;
        Ok(match oid {
            oids::SHA1_WITH_RSA => Self::RsaPkcs1(Digest::Sha1),
            oids::SHA256_WITH_RSA => Self::RsaPkcs1(Digest::Sha256),
            oids::SHA384_WITH_RSA => Self::RsaPkcs1(Digest::Sha384),
            oids::SHA512_WITH_RSA => Self::RsaPkcs1(Digest::Sha512),
            oids::RSASSA_PSS => Self::RsaPss(pss_digest(&mut reader)?),
            oids::ECDSA_SHA256 => Self::Ecdsa(Digest::Sha256),
            oids::ECDSA_SHA384 => Self::Ecdsa(Digest::Sha384),
            oids::ECDSA_SHA512 => Self::Ecdsa(Digest::Sha512),
            oids::ED25519 => Self::Ed25519,
            oids::RSA_ENCRYPTION => match digest {
                Some(d) => Self::RsaPkcs1(d),
                None => return Err(unsupported(oid)),
            },
            other => return Err(unsupported(other)),
        })
    }
}

fn unsupported(oid: Oid) -> PkiError {
    PkiError::Unsupported { what: "signature algorithm", value: oid.to_string() }
}

/// Reads RSASSA-PSS-params (RFC 8017, appendix A.2.3): both digests alike, the salt as long as the digest.
fn pss_digest(reader: &mut Reader<'_>) -> Result<Digest, PkiError> {
    let refuse = || PkiError::Unsupported { what: "signature algorithm", value: "RSASSA-PSS with these parameters".into() };
    let mut params = reader.sequence()?;
    let hash = match params.optional(tag::context(0))? {
        Some(element) => Digest::from_oid(element.reader("RSASSA-PSS-params").sequence()?.oid()?)?,
        None => Digest::Sha1,
    };
    let mgf_hash = match params.optional(tag::context(1))? {
        Some(element) => {
            let mut mgf = element.reader("RSASSA-PSS-params").sequence()?;
            if mgf.oid()? != oids::MGF1 {
                return Err(refuse());
            }
            Digest::from_oid(mgf.sequence()?.oid()?)?
        }
        None => Digest::Sha1,
    };
    let salt = match params.optional(tag::context(2))? {
        Some(element) => element.reader("RSASSA-PSS-params").small()?,
        None => 20,
    };
    let length = match hash {
        Digest::Sha256 => 32,
        Digest::Sha384 => 48,
        Digest::Sha512 => 64,
        // SHA-1 inside PSS has no use that a newer digest would not serve.
        Digest::Sha1 => return Err(refuse()),
    };
    if hash == mgf_hash && salt == length { Ok(hash) } else { Err(refuse()) }
}
