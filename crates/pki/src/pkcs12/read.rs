//! Reading PKCS#12 files.
//!
//! Every parameter that costs time is known before the first derivation that is outside of encryption, and those inside count on
//! the same budget, so that a small file cannot occupy a processor for long.

use std::num::NonZeroU32;

use lanyard_model::secret::{SecretBytes, SecretText};

use super::pbe::{Password, Scheme, iterations};
use crate::{
    ber,
    certificate::Certificate,
    crypto::{
        password::{Purpose, is_hmac, pkcs12},
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

/// A private key of a file.
#[derive(Debug)]
pub struct PrivateKey {
    /// The key, PKCS#8.
    pub pkcs8: SecretBytes,
    /// friendlyName (RFC 2985, section 5.5.1), where the file gives it.
    pub name: Option<String>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Pkcs12 {
    /// Private keys.
    pub keys: Vec<PrivateKey>,
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

/// The work on a file: what it may still cost, and the password.
struct Opener<'a> {
    password: &'a Password,
    rounds: u32,
    bags: usize,
}

impl Pkcs12 {
    /// Reads a file whose integrity the password proves. RC2 and 3DES with SHA-1 are read as well as PBES2 with AES.
    ///
    /// # Errors
    /// [`PkiError::Decrypt`] for a wrong password; [`PkiError::Limit`]; [`PkiError::Malformed`]; [`PkiError::Unsupported`].
    pub fn decode(octets: &[u8], password: &SecretText) -> Result<Self, PkiError> {
        if octets.len() > MAX_SIZE {
            return Err(PkiError::Limit { what: "size of a PKCS#12 file", limit: MAX_SIZE });
        }
        let der = ber::normalise(octets)?;
        match Self::open(&der, &Password::new(password)) {
            // QUIRK(Java keytool, GnuTLS): no password at all instead of an empty text.
            Err(PkiError::Decrypt) if password.expose().is_empty() => Self::open(&der, &Password::none()),
            other => other,
        }
    }

    fn open(der: &[u8], password: &Password) -> Result<Self, PkiError> {
        let mut pfx = Reader::sequence_of(der, WHAT)?;
        if pfx.small()? != 3 {
            return Err(PkiError::Unsupported { what: "version of a PKCS#12 file", value: "other than 3".into() });
        }
        let safe = data(pfx.sequence()?)?;
        let Some(mac) = pfx.optional(tag::SEQUENCE)? else {
            return Err(PkiError::Unsupported { what: "PKCS#12 file", value: "without a MAC".into() });
        };
        pfx.finish()?;
        let mut opener = Opener { password, rounds: MAX_ITERATIONS, bags: 0 };
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
                Part::Encrypted(scheme, contents) => scheme.decrypt(password, &contents)?,
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
        let key = key.pkcs8;
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

impl Opener<'_> {
    /// Takes rounds from the budget.
    fn spend(&mut self, rounds: u32) -> Result<(), PkiError> {
        let limit = usize::try_from(MAX_ITERATIONS).unwrap_or(usize::MAX);
        self.rounds =
            self.rounds.checked_sub(rounds).ok_or(PkiError::Limit { what: "rounds of derivation in a PKCS#12 file", limit })?;
        Ok(())
    }

    fn check_mac(&mut self, mut mac: Reader<'_>, safe: &[u8], parts: &[Part]) -> Result<(), PkiError> {
        let mut info = mac.sequence()?;
        let digest = Digest::from_oid(info.sequence()?.oid()?)?;
        let value = info.expect(tag::OCTET_STRING)?.contents;
        let salt = mac.expect(tag::OCTET_STRING)?.contents;
        let iterations = if mac.is_empty() { NonZeroU32::MIN } else { iterations(&mut mac)? };
        self.spend(iterations.get())?;
        for part in parts {
            if let Part::Encrypted(scheme, _) = part {
                self.spend(scheme.cost())?;
            }
        }
        let length = match digest {
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
            Digest::Sha384 => 48,
            Digest::Sha512 => 64,
        };
        let key = pkcs12(digest, Purpose::Mac, self.password.bmp.expose(), salt, iterations, length);
        if is_hmac(digest, &key, safe, value) { Ok(()) } else { Err(PkiError::Decrypt) }
    }

    fn bag(&mut self, mut bag: Reader<'_>, found: &mut Pkcs12) -> Result<(), PkiError> {
        self.bags += 1;
        if self.bags > MAX_BAGS {
            return Err(PkiError::Limit { what: "bags in a PKCS#12 file", limit: MAX_BAGS });
        }
        let kind = bag.oid()?;
        let value = bag.expect(tag::context(0))?;
        let name = bag.optional(tag::SET)?.and_then(|attributes| friendly_name(attributes.reader(WHAT)));
        let mut inner = value.reader(WHAT);
        match kind {
            oids::KEY_BAG => found.keys.push(PrivateKey { pkcs8: SecretBytes::new(value.contents.to_vec()), name }),
            oids::SHROUDED_KEY_BAG => {
                let mut shrouded = inner.sequence()?;
                let scheme = Scheme::read(shrouded.sequence()?)?;
                self.spend(scheme.cost())?;
                let pkcs8 = scheme.decrypt(self.password, shrouded.expect(tag::OCTET_STRING)?.contents)?;
                found.keys.push(PrivateKey { pkcs8, name });
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

/// The friendlyName among the attributes of a bag, a BMPString. One that cannot be read is none: it is only for people.
fn friendly_name(mut attributes: Reader<'_>) -> Option<String> {
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence().ok()?;
        if attribute.oid().ok()? == oids::FRIENDLY_NAME {
            let text = attribute.expect(tag::SET).ok()?.reader(WHAT).expect(tag::BMP_STRING).ok()?.contents;
            let units = text.chunks_exact(2).map(|unit| unit.iter().fold(0, |value, octet| value << 8 | u16::from(*octet)));
            return Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect());
        }
    }
    None
}
