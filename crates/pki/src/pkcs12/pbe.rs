//! Encryption under a password: PBES2 (RFC 8018, section 6.2) and the older schemes of PKCS#12 (RFC 7292, appendix C).

use std::num::NonZeroU32;

use lanyard_model::secret::{SecretBytes, SecretText};

use crate::{
    ber,
    crypto::{
        cipher::{ContentCipher, decrypt, encrypt_with},
        legacy::{Rc2, rc2_decrypt},
        password::{Purpose, pbkdf2, pkcs12},
        random::random,
    },
    error::PkiError,
    oids,
    signature::Digest,
    tlv::{Reader, tag},
    write,
};

const WHAT: &str = "password-based encryption";

/// A password in the two forms that derivations take.
pub struct Password {
    /// As PBES2 takes it.
    pub(super) utf8: SecretBytes,
    /// As PKCS#12's own derivation takes it: a BMPString with its two closing zeros.
    pub(super) bmp: SecretBytes,
}

impl Password {
    /// Of this text.
    #[must_use]
    pub fn new(text: &SecretText) -> Self {
        let bmp = text.expose().encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        Self { utf8: SecretBytes::new(text.expose().as_bytes().to_vec()), bmp: SecretBytes::new(bmp) }
    }

    /// Its octets, as derivations of before PKCS#12 take it.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.utf8.expose()
    }

    /// None at all. Some programs take that for the password of a file without one, others an empty text.
    #[must_use]
    pub const fn none() -> Self {
        Self { utf8: SecretBytes::new(Vec::new()), bmp: SecretBytes::new(Vec::new()) }
    }
}

/// How something is encrypted under a password.
pub struct Scheme {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    kind: Kind,
}

enum Kind {
    /// pbeWithSHAAnd3-KeyTripleDES-CBC.
    TripleDes,
    /// pbeWithSHAAnd40BitRC2-CBC and pbeWithSHAAnd128BitRC2-CBC.
    Rc2(Rc2),
    /// PBES2 with PBKDF2.
    Pbes2 { prf: Digest, cipher: ContentCipher, iv: Vec<u8> },
}

impl Scheme {
    /// Reads an AlgorithmIdentifier.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Unsupported`]; [`PkiError::Text`] for no iterations at all.
    pub fn read(mut algorithm: Reader<'_>) -> Result<Self, PkiError> {
        let kind = match algorithm.oid()? {
            oids::PBES2 => return Self::read_pbes2(algorithm.sequence()?),
            oids::PBE_SHA1_3DES => Kind::TripleDes,
            oids::PBE_SHA1_RC2_128 => Kind::Rc2(Rc2::Bits128),
            oids::PBE_SHA1_RC2_40 => Kind::Rc2(Rc2::Bits40),
            other => return Err(PkiError::Unsupported { what: WHAT, value: other.to_string() }),
        };
        let mut parameters = algorithm.sequence()?;
        let salt = parameters.expect(tag::OCTET_STRING)?.contents.to_vec();
        Ok(Self { salt, iterations: iterations(&mut parameters)?, kind })
    }

    fn read_pbes2(mut parameters: Reader<'_>) -> Result<Self, PkiError> {
        let mut derivation = parameters.sequence()?;
        let named = derivation.oid()?;
        if named != oids::PBKDF2 {
            return Err(PkiError::Unsupported { what: "key derivation", value: named.to_string() });
        }
        let mut derivation = derivation.sequence()?;
        let salt = derivation.expect(tag::OCTET_STRING)?.contents.to_vec();
        let iterations = iterations(&mut derivation)?;
        derivation.optional(tag::INTEGER)?;
        let prf = match derivation.optional(tag::SEQUENCE)? {
            None => Digest::Sha1,
            Some(prf) => match prf.reader(WHAT).oid()? {
                oids::HMAC_SHA1 => Digest::Sha1,
                oids::HMAC_SHA256 => Digest::Sha256,
                oids::HMAC_SHA384 => Digest::Sha384,
                oids::HMAC_SHA512 => Digest::Sha512,
                other => return Err(PkiError::Unsupported { what: "key derivation", value: other.to_string() }),
            },
        };
        let mut encryption = parameters.sequence()?;
        let cipher = ContentCipher::from_oid(encryption.oid()?)?;
        let iv = encryption.expect(tag::OCTET_STRING)?.contents.to_vec();
        Ok(Self { salt, iterations, kind: Kind::Pbes2 { prf, cipher, iv } })
    }

    /// PBES2 with AES-256 and HMAC-SHA-256, salt and initialisation vector fresh.
    ///
    /// # Errors
    /// [`PkiError::Key`] when the generator fails.
    pub fn modern(iterations: NonZeroU32) -> Result<Self, PkiError> {
        let kind = Kind::Pbes2 { prf: Digest::Sha256, cipher: ContentCipher::Aes256, iv: random::<16>()?.to_vec() };
        Ok(Self { salt: random::<16>()?.to_vec(), iterations, kind })
    }

    /// pbeWithSHAAnd3-KeyTripleDES-CBC, for programs that know nothing else; the salt fresh.
    ///
    /// # Errors
    /// [`PkiError::Key`] when the generator fails.
    pub fn old(iterations: NonZeroU32) -> Result<Self, PkiError> {
        Ok(Self { salt: random::<8>()?.to_vec(), iterations, kind: Kind::TripleDes })
    }

    /// The AlgorithmIdentifier; of those that [`Self::modern`] and [`Self::old`] make.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let iterations = write::integer(u64::from(self.iterations.get()));
        let salt = write::octet_string(&self.salt);
        match &self.kind {
            Kind::TripleDes => write::sequence(&[write::oid(oids::PBE_SHA1_3DES), write::sequence(&[salt, iterations])]),
            Kind::Rc2(_) => Vec::new(),
            Kind::Pbes2 { cipher, iv, .. } => {
                let prf = write::sequence(&[write::oid(oids::HMAC_SHA256), write::null()]);
                let derivation = write::sequence(&[write::oid(oids::PBKDF2), write::sequence(&[salt, iterations, prf])]);
                let encryption = write::sequence(&[write::oid(cipher.oid()), write::octet_string(iv)]);
                write::sequence(&[write::oid(oids::PBES2), write::sequence(&[derivation, encryption])])
            }
        }
    }

    /// Rounds of derivation that [`Self::decrypt`] takes.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match self.kind {
            // The key and the initialisation vector are derived apart.
            Kind::TripleDes | Kind::Rc2(_) => self.iterations.get().saturating_mul(2),
            Kind::Pbes2 { .. } => self.iterations.get(),
        }
    }

    fn old_key(&self, password: &Password, length: usize) -> (SecretBytes, SecretBytes) {
        let derive = |purpose, length| pkcs12(Digest::Sha1, purpose, password.bmp.expose(), &self.salt, self.iterations, length);
        (derive(Purpose::Key, length), derive(Purpose::InitialisationVector, 8))
    }

    /// Decrypts. What it costs is for the caller to judge beforehand, by [`Self::cost`].
    ///
    /// # Errors
    /// [`PkiError::Decrypt`].
    pub fn decrypt(&self, password: &Password, octets: &[u8]) -> Result<SecretBytes, PkiError> {
        match &self.kind {
            Kind::TripleDes => {
                let (key, iv) = self.old_key(password, 24);
                decrypt(ContentCipher::TripleDes, &key, iv.expose(), octets)
            }
            Kind::Rc2(bits) => {
                let (key, iv) = self.old_key(password, bits.key_length());
                rc2_decrypt(*bits, &key, iv.expose(), octets)
            }
            Kind::Pbes2 { prf, cipher, iv } => {
                let key = pbkdf2(*prf, password.utf8.expose(), &self.salt, self.iterations, cipher.key_length());
                decrypt(*cipher, &key, iv, octets)
            }
        }
    }

    /// Encrypts.
    ///
    /// # Errors
    /// [`PkiError::Key`]; [`PkiError::Unsupported`] for RC2.
    pub fn encrypt(&self, password: &Password, plain: &[u8]) -> Result<Vec<u8>, PkiError> {
        match &self.kind {
            Kind::TripleDes => {
                let (key, iv) = self.old_key(password, 24);
                encrypt_with(ContentCipher::TripleDes, &key, iv.expose(), plain)
            }
            Kind::Rc2(_) => Err(PkiError::Unsupported { what: WHAT, value: "RC2".into() }),
            Kind::Pbes2 { prf, cipher, iv } => {
                let key = pbkdf2(*prf, password.utf8.expose(), &self.salt, self.iterations, cipher.key_length());
                encrypt_with(*cipher, &key, iv, plain)
            }
        }
    }
}

/// Decrypts an EncryptedPrivateKeyInfo (RFC 5958, section 3) at a cost of at most `rounds`: PKCS#8, and what it cost.
///
/// # Errors
/// [`PkiError::Decrypt`], [`PkiError::Limit`], [`PkiError::Malformed`], [`PkiError::Unsupported`].
pub fn open_private_key(der: &[u8], password: &Password, rounds: u32) -> Result<(SecretBytes, u32), PkiError> {
    let der = ber::normalise(der)?;
    let mut reader = Reader::sequence_of(&der, "EncryptedPrivateKeyInfo")?;
    let scheme = Scheme::read(reader.sequence()?)?;
    if scheme.cost() > rounds {
        let limit = usize::try_from(rounds).unwrap_or(usize::MAX);
        return Err(PkiError::Limit { what: "rounds of derivation of an encrypted key", limit });
    }
    let octets = reader.expect(tag::OCTET_STRING)?.contents;
    reader.finish()?;
    Ok((scheme.decrypt(password, octets)?, scheme.cost()))
}

/// The number of rounds that stands next.
pub(super) fn iterations(reader: &mut Reader<'_>) -> Result<NonZeroU32, PkiError> {
    NonZeroU32::new(reader.small()?).ok_or_else(|| PkiError::Text("keys are derived in no rounds at all".into()))
}
