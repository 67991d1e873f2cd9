//! Writing PKCS#12 files.

use std::num::NonZeroU32;

use lanyard_model::secret::{SecretBytes, SecretText};

use super::pbe::{Password, Scheme};
use crate::{
    certificate::Certificate,
    crypto::{
        password::{Purpose, hmac, pkcs12},
        random::random,
    },
    error::PkiError,
    oids,
    signature::Digest,
    tlv::tag,
    write,
};

/// Rounds where programs are recent.
const MODERN_ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).expect("it is not zero");
/// Rounds where telephones are old and slow; the passphrase is random there, and rounds add little to it.
const OLD_ROUNDS: NonZeroU32 = NonZeroU32::new(2048).expect("it is not zero");

/// How a file is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// PBES2 with AES-256, PBKDF2 and a MAC with HMAC-SHA-256, 100,000 rounds: OpenSSL from 1.1, Windows from 10 version 1709, macOS from 15, Android from 13.
    Modern,
    /// 3DES and a MAC with HMAC-SHA-1, 2,048 rounds: what older systems can read.
    Old,
}

/// A key with what belongs to it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Private key, PKCS#8.
    pub pkcs8: &'a SecretBytes,
    /// The certificate of that key.
    pub certificate: &'a Certificate,
    /// friendlyName, shown to people.
    pub name: &'a str,
}

impl Protection {
    fn scheme(self) -> Result<Scheme, PkiError> {
        match self {
            Self::Modern => Scheme::modern(MODERN_ROUNDS),
            Self::Old => Scheme::old(OLD_ROUNDS),
        }
    }

    const fn mac(self) -> (Digest, usize, NonZeroU32) {
        match self {
            Self::Modern => (Digest::Sha256, 32, MODERN_ROUNDS),
            Self::Old => (Digest::Sha1, 20, OLD_ROUNDS),
        }
    }

    /// Makes a file of these entries and further certificates, such as issuers.
    ///
    /// # Errors
    /// [`PkiError::Key`] when encryption or the generator fails.
    pub fn encode(self, entries: &[Entry<'_>], others: &[&Certificate], password: &SecretText) -> Result<Vec<u8>, PkiError> {
        let password = Password::new(password);
        let mut keys = Vec::new();
        let mut certificates = Vec::new();
        for entry in entries {
            let scheme = self.scheme()?;
            let shrouded = [scheme.encode(), write::octet_string(&scheme.encrypt(&password, entry.pkcs8.expose())?)];
            keys.push(bag(oids::SHROUDED_KEY_BAG, &write::sequence(&shrouded), Some(entry)));
            certificates.push(certificate_bag(entry.certificate, Some(entry)));
        }
        certificates.extend(others.iter().map(|other| certificate_bag(other, None)));
        let scheme = self.scheme()?;
        let encrypted = scheme.encrypt(&password, &write::sequence(&certificates))?;
        let content =
            write::sequence(&[write::oid(oids::DATA), scheme.encode(), write::element(tag::context_primitive(0), &encrypted)]);
        let encrypted = write::sequence(&[write::integer(0), content]);
        let safe = write::sequence(&[
            write::sequence(&[write::oid(oids::ENCRYPTED_DATA), write::explicit(0, &encrypted)]),
            data(&write::sequence(&keys)),
        ]);
        let mac = self.mac_data(&safe, &password)?;
        Ok(write::sequence(&[write::integer(3), data(&safe), mac]))
    }

    fn mac_data(self, safe: &[u8], password: &Password) -> Result<Vec<u8>, PkiError> {
        let (digest, length, rounds) = self.mac();
        let salt = random::<8>()?;
        let key = pkcs12(digest, Purpose::Mac, password.bmp.expose(), &salt, rounds, length);
        let algorithm = write::sequence(&[write::oid(digest.oid()), write::null()]);
        let info = write::sequence(&[algorithm, write::octet_string(&hmac(digest, &key, safe))]);
        Ok(write::sequence(&[info, write::octet_string(&salt), write::integer(u64::from(rounds.get()))]))
    }
}

/// A ContentInfo of type data.
fn data(octets: &[u8]) -> Vec<u8> {
    write::sequence(&[write::oid(oids::DATA), write::explicit(0, &write::octet_string(octets))])
}

fn certificate_bag(certificate: &Certificate, entry: Option<&Entry<'_>>) -> Vec<u8> {
    let value = [write::oid(oids::X509_CERTIFICATE), write::explicit(0, &write::octet_string(certificate.der()))];
    bag(oids::CERT_BAG, &write::sequence(&value), entry)
}

/// A SafeBag. What belongs to an entry carries its name, and the certificate's SHA-256 as localKeyId, by which readers find pairs.
fn bag(kind: lanyard_model::oid::Oid, value: &[u8], entry: Option<&Entry<'_>>) -> Vec<u8> {
    let mut parts = vec![write::oid(kind), write::explicit(0, value)];
    if let Some(entry) = entry {
        let name: Vec<u8> = entry.name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let attribute = |oid, value: Vec<u8>| write::sequence(&[write::oid(oid), write::set_of(vec![value])]);
        let mut attributes = vec![attribute(oids::LOCAL_KEY_ID, write::octet_string(&entry.certificate.fingerprint()))];
        if !name.is_empty() {
            attributes.push(attribute(oids::FRIENDLY_NAME, write::element(tag::BMP_STRING, &name)));
        }
        parts.push(write::set_of(attributes));
    }
    write::sequence(&parts)
}
