//! Certificate extensions (RFC 5280, section 4.2).

use lanyard_model::{
    oid::Oid,
    usage::{ExtendedKeyUsage, ExtendedKeyUsages, KeyUsage, KeyUsages},
};

use crate::{
    error::PkiError,
    oids,
    tlv::{Reader, tag},
    write,
};

/// Most extensions a certificate or request may have.
pub const MAX_EXTENSIONS: usize = 32;

/// One extension: identifier, criticality, and the DER inside its OCTET STRING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Identifier.
    pub oid: Oid,
    /// Whether whoever does not know it must refuse the certificate.
    pub critical: bool,
    /// Contents of extnValue.
    pub value: Vec<u8>,
}

impl Extension {
    /// A critical extension.
    #[must_use]
    pub const fn critical(oid: Oid, value: Vec<u8>) -> Self {
        Self { oid, critical: true, value }
    }

    /// An extension that is not critical.
    #[must_use]
    pub const fn plain(oid: Oid, value: Vec<u8>) -> Self {
        Self { oid, critical: false, value }
    }

    /// DER.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut parts = vec![write::oid(self.oid)];
        if self.critical {
            parts.push(write::boolean_true());
        }
        parts.push(write::octet_string(&self.value));
        write::sequence(&parts)
    }
}

/// Reads Extensions from the contents of their SEQUENCE.
///
/// # Errors
/// [`PkiError::Malformed`], also for a repeated extension; [`PkiError::Limit`] above [`MAX_EXTENSIONS`].
pub fn decode_all(mut reader: Reader<'_>) -> Result<Vec<Extension>, PkiError> {
    let mut extensions: Vec<Extension> = Vec::new();
    while !reader.is_empty() {
        if extensions.len() == MAX_EXTENSIONS {
            return Err(PkiError::Limit { what: "number of extensions", limit: MAX_EXTENSIONS });
        }
        let element = reader.expect(tag::SEQUENCE)?;
        let mut one = element.reader("extension");
        let oid = one.oid()?;
        let critical = one.optional(tag::BOOLEAN)?.is_some_and(|b| b.contents.iter().any(|octet| *octet != 0));
        let value = one.expect(tag::OCTET_STRING)?.contents.to_vec();
        one.finish()?;
        if extensions.iter().any(|e| e.oid == oid) {
            return Err(PkiError::Malformed { what: "extensions (one is repeated)", at: element.at });
        }
        extensions.push(Extension { oid, critical, value });
    }
    Ok(extensions)
}

/// Finds an extension.
#[must_use]
pub fn find(extensions: &[Extension], oid: Oid) -> Option<&Extension> {
    extensions.iter().find(|e| e.oid == oid)
}

/// Value of keyUsage.
#[must_use]
pub fn encode_key_usage(usages: &KeyUsages) -> Vec<u8> {
    write::named_bits(usages.iter().map(|u| u.bit()))
}

/// Reads a value of keyUsage.
///
/// # Errors
/// [`PkiError::Malformed`].
pub fn decode_key_usage(value: &[u8]) -> Result<KeyUsages, PkiError> {
    let mut reader = Reader::new(value, "keyUsage");
    let element = reader.expect(tag::BIT_STRING)?;
    reader.finish()?;
    let malformed = PkiError::Malformed { what: "keyUsage", at: element.at };
    let [unused @ 0..=7, bits @ ..] = element.contents else { return Err(malformed) };
    if bits.len() > 2 || (bits.is_empty() && *unused != 0) {
        return Err(malformed);
    }
    let set = |usage: &KeyUsage| {
        let octet = usize::try_from(usage.bit() / 8).ok().and_then(|i| bits.get(i));
        octet.is_some_and(|o| o & (0x80 >> (usage.bit() % 8)) != 0)
    };
    Ok(KeyUsage::ALL.into_iter().filter(set).collect())
}

/// Value of extKeyUsage.
#[must_use]
pub fn encode_extended_key_usage(usages: &ExtendedKeyUsages) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = usages.iter().map(|u| write::oid(u.0)).collect();
    write::sequence(&parts)
}

/// Reads a value of extKeyUsage.
///
/// # Errors
/// [`PkiError::Malformed`], [`PkiError::Limit`] above 32 purposes.
pub fn decode_extended_key_usage(value: &[u8]) -> Result<ExtendedKeyUsages, PkiError> {
    let mut reader = Reader::sequence_of(value, "extKeyUsage")?;
    let mut usages = ExtendedKeyUsages::new();
    while !reader.is_empty() {
        if usages.len() == MAX_EXTENSIONS {
            return Err(PkiError::Limit { what: "number of key purposes", limit: MAX_EXTENSIONS });
        }
        usages.insert(ExtendedKeyUsage(reader.oid()?));
    }
    Ok(usages)
}

/// Value of basicConstraints: `Some(path length)` of a CA, empty for an end entity.
#[must_use]
pub fn encode_basic_constraints(ca: Option<Option<u8>>) -> Vec<u8> {
    match ca {
        None => write::sequence::<Vec<u8>>(&[]),
        Some(None) => write::sequence(&[write::boolean_true()]),
        Some(Some(length)) => write::sequence(&[write::boolean_true(), write::integer(u64::from(length))]),
    }
}

/// Whether a value of basicConstraints says cA TRUE.
///
/// # Errors
/// [`PkiError::Malformed`].
pub fn decode_basic_constraints(value: &[u8]) -> Result<bool, PkiError> {
    let mut reader = Reader::sequence_of(value, "basicConstraints")?;
    Ok(reader.optional(tag::BOOLEAN)?.is_some_and(|b| b.contents.iter().any(|octet| *octet != 0)))
}

/// Value of authorityKeyIdentifier with a keyIdentifier alone.
#[must_use]
pub fn encode_authority_key_identifier(key_identifier: &[u8]) -> Vec<u8> {
    write::sequence(&[write::element(tag::context_primitive(0), key_identifier)])
}

/// keyIdentifier of a value of authorityKeyIdentifier, if it has one.
#[must_use]
pub fn decode_authority_key_identifier(value: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::sequence_of(value, "authorityKeyIdentifier").ok()?;
    reader.optional(tag::context_primitive(0)).ok()?.map(|e| e.contents.to_vec())
}

/// Value of cRLDistributionPoints with one full name.
#[must_use]
pub fn encode_crl_distribution_points(url: &str) -> Vec<u8> {
    let full_name = write::element(tag::context(0), &write::element(0x86, url.as_bytes()));
    write::sequence(&[write::sequence(&[write::element(tag::context(0), &full_name)])])
}

/// Value of authorityInfoAccess with one caIssuers location.
#[must_use]
pub fn encode_ca_issuers(url: &str) -> Vec<u8> {
    write::sequence(&[write::sequence(&[write::oid(oids::CA_ISSUERS), write::element(0x86, url.as_bytes())])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usages_read_what_they_write() {
        for usages in [
            KeyUsages::new(),
            KeyUsages::from([KeyUsage::DigitalSignature]),
            KeyUsages::from([KeyUsage::KeyCertSign, KeyUsage::CrlSign]),
            KeyUsage::ALL.into_iter().collect(),
        ] {
            assert_eq!(decode_key_usage(&encode_key_usage(&usages)).unwrap(), usages);
        }
    }

    #[test]
    fn rfc5280_4_2_a_repeated_extension_is_refused() {
        let extension = Extension::plain(oids::KEY_USAGE, encode_key_usage(&KeyUsages::new())).encode();
        let twice = write::sequence(&[extension.clone(), extension]);
        assert!(decode_all(Reader::sequence_of(&twice, "extensions").unwrap()).is_err());
    }
}
