//! Private keys in memory.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeySize, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey},
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair,
    },
};
use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::SecretBytes,
};

use super::transport::oaep;
use crate::{
    cms::enveloped::KeyTransport,
    error::PkiError,
    key::{Decrypter, Signer},
    oids,
    signature::{Digest, SignatureAlgorithm},
    spki,
    tlv::Reader,
};

const WHAT: &str = "private";

const fn fault(problem: &'static str) -> PkiError {
    PkiError::Key { what: WHAT, problem }
}

/// Makes a key: PKCS#8, DER. RSA takes 30 to 400 ms.
///
/// # Errors
/// [`PkiError::Unsupported`] for an RSA length other than 2048, 3072 or 4096; [`PkiError::Key`] when the generator fails.
pub fn generate(kind: KeyKind) -> Result<SecretBytes, PkiError> {
    let failed = || fault("generation failed");
    let ec = |algorithm: &'static EcdsaSigningAlgorithm| {
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).map_err(|_| failed())?;
        Ok(SecretBytes::new(document.as_ref().to_vec()))
    };
    match kind {
        KeyKind::Rsa(bits) => {
            let size = match bits {
                2048 => KeySize::Rsa2048,
                3072 => KeySize::Rsa3072,
                4096 => KeySize::Rsa4096,
                other => return Err(PkiError::Unsupported { what: "RSA key length", value: other.to_string() }),
            };
            let key = PrivateDecryptingKey::generate(size).map_err(|_| failed())?;
            Ok(SecretBytes::new(key.as_der().map_err(|_| failed())?.as_ref().to_vec()))
        }
        KeyKind::EcP256 => ec(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyKind::EcP384 => ec(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyKind::EcP521 => ec(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeyKind::Ed25519 => {
            let document = Ed25519KeyPair::generate().and_then(|k| k.to_pkcs8v1()).map_err(|_| failed())?;
            Ok(SecretBytes::new(document.as_ref().to_vec()))
        }
    }
}

enum Inner {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A signing key in memory.
pub struct SoftwareSigner {
    inner: Inner,
    public: PublicKey,
}

impl SoftwareSigner {
    /// From PKCS#8, DER.
    ///
    /// # Errors
    /// [`PkiError::Key`], [`PkiError::Unsupported`].
    pub fn from_pkcs8(pkcs8: &SecretBytes) -> Result<Self, PkiError> {
        let bytes = pkcs8.expose();
        let mut reader = Reader::sequence_of(bytes, "private key")?;
        reader.small()?;
        let mut algorithm = reader.sequence()?;
        let unreadable = |_| fault("it cannot be read");
        let inner = match algorithm.oid()? {
            oids::RSA_ENCRYPTION => Inner::Rsa(RsaKeyPair::from_pkcs8(bytes).map_err(unreadable)?),
            oids::EC_PUBLIC_KEY => {
                let signing = match algorithm.oid()? {
                    oids::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
                    oids::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
                    oids::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
                    other => return Err(PkiError::Unsupported { what: "curve", value: other.to_string() }),
                };
                Inner::Ec(EcdsaKeyPair::from_pkcs8(signing, bytes).map_err(unreadable)?)
            }
            oids::ED25519 => Inner::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(unreadable)?),
            other => return Err(PkiError::Unsupported { what: "private key algorithm", value: other.to_string() }),
        };
        let unreadable = |_| fault("its public half cannot be written");
        let spki = match &inner {
            Inner::Rsa(key) => key.public_key().as_der().map_err(unreadable)?.as_ref().to_vec(),
            Inner::Ec(key) => key.public_key().as_der().map_err(unreadable)?.as_ref().to_vec(),
            Inner::Ed25519(key) => key.public_key().as_der().map_err(unreadable)?.as_ref().to_vec(),
        };
        Ok(Self { inner, public: spki::decode(&spki)? })
    }
}

impl Signer for SoftwareSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let failed = |_| fault("signing failed");
        match (&self.inner, algorithm) {
            (Inner::Rsa(key), SignatureAlgorithm::RsaPkcs1(digest)) => {
                let encoding = match digest {
                    Digest::Sha256 => &RSA_PKCS1_SHA256,
                    Digest::Sha384 => &RSA_PKCS1_SHA384,
                    Digest::Sha512 => &RSA_PKCS1_SHA512,
                    Digest::Sha1 => return Err(fault("SHA-1 signatures are not made")),
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            (Inner::Ec(key), SignatureAlgorithm::Ecdsa(_)) if algorithm == SignatureAlgorithm::natural(self.public.kind) => {
                Ok(key.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            (Inner::Ed25519(key), SignatureAlgorithm::Ed25519) => Ok(key.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            _ => Err(fault("it does not sign with this algorithm")),
        }
    }
}

/// An RSA decryption key in memory.
pub struct SoftwareDecrypter {
    pkcs1: Pkcs1PrivateDecryptingKey,
    oaep: OaepPrivateDecryptingKey,
    public: PublicKey,
}

impl SoftwareDecrypter {
    /// From PKCS#8, DER.
    ///
    /// # Errors
    /// [`PkiError::Key`] when it is not an RSA key.
    pub fn from_pkcs8(pkcs8: &SecretBytes) -> Result<Self, PkiError> {
        let unreadable = || fault("it is not a readable RSA key");
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8.expose()).map_err(|_| unreadable())?;
        let spki = key.public_key().as_der().map_err(|_| unreadable())?.as_ref().to_vec();
        Ok(Self {
            pkcs1: Pkcs1PrivateDecryptingKey::new(key.clone()).map_err(|_| unreadable())?,
            oaep: OaepPrivateDecryptingKey::new(key).map_err(|_| unreadable())?,
            public: spki::decode(&spki)?,
        })
    }
}

impl Decrypter for SoftwareDecrypter {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn unwrap_key(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<SecretBytes, PkiError> {
        let mut out = vec![0; self.pkcs1.min_output_size()];
        let length = match transport {
            KeyTransport::Pkcs1 => self.pkcs1.decrypt(encrypted, &mut out).map_err(|_| PkiError::Decrypt)?.len(),
            KeyTransport::Oaep(digest) => {
                self.oaep.decrypt(oaep(digest), encrypted, &mut out, None).map_err(|_| PkiError::Decrypt)?.len()
            }
        };
        out.truncate(length);
        Ok(SecretBytes::new(out))
    }
}
