//! PKCS#12 files (RFC 7292): a private key with its certificates, behind a password.
//!
//! Read only. Every parameter that costs time is known before the first derivation that is outside of encryption, and those inside count on
//! the same budget, so that a small file cannot occupy a processor for long.

use std::num::NonZeroU32;

use lanyard_model::secret::{SecretBytes, SecretText};

use crate::{
    ber,
    certificate::Certificate,
    crypto::{
        cipher::{ContentCipher, decrypt},
        password::{Purpose, is_hmac, pbkdf2, pkcs12},
        software::SoftwareSigner,
    },
    error::PkiError,
    key::Signer,
    oids,
    signature::Digest,
    tlv::{Reader, tag},
};

/// Largest file, in octets.
pub const MAX_SIZE: usize = 1024 * 1024;
/// Most rounds of derivation in one file, all together.
pub const MAX_ITERATIONS: u32 = 4_000_000;
/// Most bags in one file.
pub const MAX_BAGS: usize = 64;

const WHAT: &str = "PKCS#12 file";

/// What a file holds.
#[derive(Debug, Default)]
pub struct Pkcs12 {
    /// Private keys, PKCS#8.
    pub keys: Vec<SecretBytes>,
    /// Certificates, in the order of the file.
    pub certificates: Vec<Certificate>,
}

/// A key with its certificate and the others that came along.
#[derive(Debug)]
pub struct KeyAndCertificates {
    /// Private key, PKCS#8.
    pub key: SecretBytes,
    /// The certificate of that key.
    pub certificate: Certificate,
    /// Every other certificate of the file.
    pub others: Vec<Certificate>,
}

/// A derivation: rounds that are still allowed, and the password in both its forms.
struct Opener<'a> {
    /// As PBES2 takes it.
    utf8: &'a [u8],
    /// As PKCS#12's own derivation takes it.
    bmp: SecretBytes,
    rounds: u32,
    bags: usize,
}

impl Pkcs12 {
    /// Reads a file whose integrity the password proves. 3DES with SHA-1 and PBES2 with AES are read; RC2 is not.
    ///
    /// # Errors
    /// [`PkiError::Decrypt`] for a wrong password; [`PkiError::Limit`]; [`PkiError::Malformed`]; [`PkiError::Unsupported`].
    pub fn decode(octets: &[u8], password: &SecretText) -> Result<Self, PkiError> {
        if octets.len() > MAX_SIZE {
            return Err(PkiError::Limit { what: "size of a PKCS#12 file", limit: MAX_SIZE });
        }
        let der = ber::normalise(octets)?;
        let mut pfx = Reader::sequence_of(&der, WHAT)?;
        if pfx.small()? != 3 {
            return Err(PkiError::Unsupported { what: "version of a PKCS#12 file", value: "other than 3".into() });
        }
        let safe = data(pfx.sequence()?)?;
        let Some(mac) = pfx.optional(tag::SEQUENCE)? else {
            return Err(PkiError::Unsupported { what: "PKCS#12 file", value: "without a MAC".into() });
        };
        pfx.finish()?;
        let bmp: Vec<u8> = password.expose().encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        let utf8 = password.expose().as_bytes();
        let mut opener = Opener { utf8, bmp: SecretBytes::new(bmp), rounds: MAX_ITERATIONS, bags: 0 };
        let safe_der = ber::normalise(&safe)?;
        let mut parts = Vec::new();
        let mut reader = Reader::sequence_of(&safe_der, WHAT)?;
        while !reader.is_empty() {
            parts.push(Part::read(reader.sequence()?)?);
        }
        opener.check_mac(mac.reader(WHAT), &safe, &parts)?;
        let mut found = Self::default();
        for part in parts {
            let contents = match part {
                Part::Plain(contents) => SecretBytes::new(contents),
                Part::Encrypted(scheme, contents) => opener.open(&scheme, &contents)?,
            };
            let der = SecretBytes::new(ber::normalise(contents.expose())?);
            let mut bags = Reader::sequence_of(der.expose(), WHAT)?;
            while !bags.is_empty() {
                opener.bag(bags.sequence()?, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The one key, with its certificate.
    ///
    /// # Errors
    /// [`PkiError::Text`] when there is not exactly one key, or no certificate of it; those of reading the key.
    pub fn into_identity(mut self) -> Result<KeyAndCertificates, PkiError> {
        let (Some(key), true) = (self.keys.pop(), self.keys.is_empty()) else {
            return Err(PkiError::Text("the PKCS#12 file must hold exactly one private key".into()));
        };
        let public = SoftwareSigner::from_pkcs8(&key)?.public_key().digest;
        let own = self.certificates.iter().position(|one| one.public_key().is_ok_and(|public_key| public_key.digest == public));
        let own = own.ok_or_else(|| PkiError::Text("the PKCS#12 file holds no certificate of its key".into()))?;
        let certificate = self.certificates.remove(own);
        Ok(KeyAndCertificates { key, certificate, others: self.certificates })
    }
}

/// One part of the safe.
enum Part {
    Plain(Vec<u8>),
    Encrypted(Scheme, Vec<u8>),
}

impl Part {
    fn read(mut info: Reader<'_>) -> Result<Self, PkiError> {
        match info.clone().oid()? {
            oids::DATA => Ok(Self::Plain(data(info)?)),
            oids::ENCRYPTED_DATA => {
                info.oid()?;
                let mut encrypted = info.expect(tag::context(0))?.reader(WHAT).sequence()?;
                encrypted.small()?;
                let mut content = encrypted.sequence()?;
                content.oid()?;
                let scheme = Scheme::read(content.sequence()?)?;
                let octets = content.any()?;
                if octets.tag & 0x1f != 0 {
                    return Err(PkiError::Malformed { what: WHAT, at: octets.at });
                }
                let primitive = octets.tag == tag::context_primitive(0);
                Ok(Self::Encrypted(scheme, ber::join_chunks(primitive, octets.contents, WHAT)?))
            }
            other => Err(PkiError::Unsupported { what: "content of a PKCS#12 file", value: other.to_string() }),
        }
    }
}

/// Contents of a ContentInfo of type data.
fn data(mut info: Reader<'_>) -> Result<Vec<u8>, PkiError> {
    match info.oid()? {
        oids::DATA => Ok(info.expect(tag::context(0))?.reader(WHAT).expect(tag::OCTET_STRING)?.contents.to_vec()),
        other => Err(PkiError::Unsupported { what: "content of a PKCS#12 file", value: other.to_string() }),
    }
}

/// How something is encrypted under the password.
enum Scheme {
    /// pbeWithSHAAnd3-KeyTripleDES-CBC.
    TripleDes { salt: Vec<u8>, iterations: NonZeroU32 },
    /// PBES2 with PBKDF2.
    Pbes2 { prf: Digest, salt: Vec<u8>, iterations: NonZeroU32, cipher: ContentCipher, iv: Vec<u8> },
}

impl Scheme {
    fn read(mut algorithm: Reader<'_>) -> Result<Self, PkiError> {
        match algorithm.oid()? {
            oids::PBE_SHA1_3DES => {
                let mut parameters = algorithm.sequence()?;
                let salt = parameters.expect(tag::OCTET_STRING)?.contents.to_vec();
                Ok(Self::TripleDes { salt, iterations: rounds(&mut parameters)? })
            }
            oids::PBES2 => {
                let mut parameters = algorithm.sequence()?;
                let mut derivation = parameters.sequence()?;
                let named = derivation.oid()?;
                if named != oids::PBKDF2 {
                    return Err(PkiError::Unsupported { what: "key derivation", value: named.to_string() });
                }
                let mut derivation = derivation.sequence()?;
                let salt = derivation.expect(tag::OCTET_STRING)?.contents.to_vec();
                let iterations = rounds(&mut derivation)?;
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
                Ok(Self::Pbes2 { prf, salt, iterations, cipher, iv })
            }
            other => Err(PkiError::Unsupported { what: "password-based encryption", value: other.to_string() }),
        }
    }

    const fn iterations(&self) -> NonZeroU32 {
        match self {
            // The key and the initialisation vector are derived apart.
            Self::TripleDes { iterations, .. } => iterations.saturating_mul(NonZeroU32::MIN.saturating_add(1)),
            Self::Pbes2 { iterations, .. } => *iterations,
        }
    }
}

fn rounds(reader: &mut Reader<'_>) -> Result<NonZeroU32, PkiError> {
    NonZeroU32::new(reader.small()?).ok_or_else(|| PkiError::Text("a PKCS#12 file derives keys in no rounds at all".into()))
}

impl Opener<'_> {
    /// Takes rounds from the budget.
    fn spend(&mut self, rounds: NonZeroU32) -> Result<(), PkiError> {
        let limit = usize::try_from(MAX_ITERATIONS).unwrap_or(usize::MAX);
        self.rounds = self
            .rounds
            .checked_sub(rounds.get())
            .ok_or(PkiError::Limit { what: "rounds of derivation in a PKCS#12 file", limit })?;
        Ok(())
    }

    fn check_mac(&mut self, mut mac: Reader<'_>, safe: &[u8], parts: &[Part]) -> Result<(), PkiError> {
        let mut info = mac.sequence()?;
        let digest = Digest::from_oid(info.sequence()?.oid()?)?;
        let value = info.expect(tag::OCTET_STRING)?.contents;
        let salt = mac.expect(tag::OCTET_STRING)?.contents;
        let iterations = if mac.is_empty() { NonZeroU32::MIN } else { rounds(&mut mac)? };
        self.spend(iterations)?;
        for part in parts {
            if let Part::Encrypted(scheme, _) = part {
                self.spend(scheme.iterations())?;
            }
        }
        let length = match digest {
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
            Digest::Sha384 => 48,
            Digest::Sha512 => 64,
        };
        let key = pkcs12(digest, Purpose::Mac, self.bmp.expose(), salt, iterations, length);
        if is_hmac(digest, &key, safe, value) { Ok(()) } else { Err(PkiError::Decrypt) }
    }

    fn open(&self, scheme: &Scheme, octets: &[u8]) -> Result<SecretBytes, PkiError> {
        match scheme {
            Scheme::TripleDes { salt, iterations } => {
                let derive = |purpose, length| pkcs12(Digest::Sha1, purpose, self.bmp.expose(), salt, *iterations, length);
                let (key, iv) = (derive(Purpose::Key, 24), derive(Purpose::InitialisationVector, 8));
                decrypt(ContentCipher::TripleDes, &key, iv.expose(), octets)
            }
            Scheme::Pbes2 { prf, salt, iterations, cipher, iv } => {
                let key = pbkdf2(*prf, self.utf8, salt, *iterations, cipher.key_length());
                decrypt(*cipher, &key, iv, octets)
            }
        }
    }

    fn bag(&mut self, mut bag: Reader<'_>, found: &mut Pkcs12) -> Result<(), PkiError> {
        self.bags += 1;
        if self.bags > MAX_BAGS {
            return Err(PkiError::Limit { what: "bags in a PKCS#12 file", limit: MAX_BAGS });
        }
        let kind = bag.oid()?;
        let value = bag.expect(tag::context(0))?;
        let mut inner = value.reader(WHAT);
        match kind {
            oids::KEY_BAG => found.keys.push(SecretBytes::new(value.contents.to_vec())),
            oids::SHROUDED_KEY_BAG => {
                let mut shrouded = inner.sequence()?;
                let scheme = Scheme::read(shrouded.sequence()?)?;
                self.spend(scheme.iterations())?;
                found.keys.push(self.open(&scheme, shrouded.expect(tag::OCTET_STRING)?.contents)?);
            }
            oids::CERT_BAG => {
                let mut certificate = inner.sequence()?;
                if certificate.oid()? == oids::X509_CERTIFICATE {
                    let octets = certificate.expect(tag::context(0))?.reader(WHAT).expect(tag::OCTET_STRING)?;
                    found.certificates.push(Certificate::decode(octets.contents)?);
                }
            }
            // CRLs, secrets and nested safes are of no use here.
            _ => {}
        }
        Ok(())
    }
}
