//! Reading certification requests.

use lanyard_model::{enroll::RequestedContent, secret::SecretText};

use crate::{
    crypto::{digest::sha256, verify::verify},
    error::PkiError,
    extension, general_name, name, oids,
    signature::{Digest, SignatureAlgorithm},
    spki,
    tlv::{Reader, tag},
    write::is_printable_string,
};

/// Largest request in octets.
pub const MAX_SIZE: usize = 16 * 1024;
const MAX_ATTRIBUTES: usize = 32;
const WHAT: &str = "certification request";

/// A request whose signature by its own key has been verified.
#[derive(Debug, Clone)]
pub struct CertificationRequest {
    /// Its claims.
    pub content: RequestedContent,
    /// challengePassword, decoded from whatever string type it came in.
    pub challenge: Option<SecretText>,
    /// Algorithm of its signature.
    pub algorithm: SignatureAlgorithm,
    /// Whether its attributes came in another order than DER's.
    pub is_unsorted: bool,
    /// Whether the challengePassword is a PrintableString with characters that have no place in one.
    pub is_challenge_unprintable: bool,
}

/// Reads a request and verifies its signature. `legacy` accepts SHA-1 in it.
///
/// # Errors
/// [`PkiError::Malformed`], [`PkiError::Limit`], [`PkiError::Unsupported`], [`PkiError::BadSignature`].
pub fn decode(der: &[u8], legacy: bool) -> Result<CertificationRequest, PkiError> {
    if der.len() > MAX_SIZE {
        return Err(PkiError::Limit { what: "size of the certification request", limit: MAX_SIZE });
    }
    let mut outer = Reader::sequence_of(der, WHAT)?;
    let info = outer.expect(tag::SEQUENCE)?;
    let algorithm = SignatureAlgorithm::decode(outer.sequence()?, None)?;
    let signature = outer.octet_aligned_bits()?;
    outer.finish()?;
    if algorithm.digest() == Digest::Sha1 && !legacy {
        return Err(PkiError::Unsupported { what: "digest", value: "SHA-1".into() });
    }

    let mut fields = info.reader(WHAT);
    if fields.small()? != 0 {
        return Err(PkiError::Unsupported { what: "certification request version", value: "other than 1".into() });
    }
    let subject = name::decode(fields.sequence()?)?;
    let key = spki::decode(fields.expect(tag::SEQUENCE)?.raw)?;
    let attributes = fields.optional(tag::context(0))?;
    fields.finish()?;
    // Over the octets as received: some clients do not sort the attributes.
    verify(&key, algorithm, info.raw, signature, WHAT)?;

    let mut content = RequestedContent {
        csr: der.to_vec(),
        csr_digest: sha256(der),
        subject,
        san: Vec::new(),
        key_usage: None,
        extended_key_usage: None,
        wants_ca: false,
        other_extensions: Vec::new(),
        key,
    };
    let mut challenge = None;
    let mut is_unsorted = false;
    if let Some(attributes) = attributes {
        is_unsorted = !attributes.reader(WHAT).is_sorted();
        read_attributes(attributes.reader(WHAT), &mut content, &mut challenge)?;
    }
    let is_challenge_unprintable =
        challenge.as_ref().is_some_and(|(text, tag)| *tag == tag::PRINTABLE_STRING && !is_printable_string(text.expose()));
    let challenge = challenge.map(|(text, _)| text);
    Ok(CertificationRequest { content, challenge, algorithm, is_unsorted, is_challenge_unprintable })
}

fn read_attributes(
    mut reader: Reader<'_>,
    content: &mut RequestedContent,
    challenge: &mut Option<(SecretText, u8)>,
) -> Result<(), PkiError> {
    let mut seen = Vec::new();
    while !reader.is_empty() {
        if seen.len() == MAX_ATTRIBUTES {
            return Err(PkiError::Limit { what: "number of request attributes", limit: MAX_ATTRIBUTES });
        }
        let element = reader.expect(tag::SEQUENCE)?;
        let mut attribute = element.reader(WHAT);
        let oid = attribute.oid()?;
        let mut values = attribute.expect(tag::SET)?.reader(WHAT);
        attribute.finish()?;
        if seen.contains(&oid) {
            return Err(PkiError::Malformed { what: "certification request (an attribute is repeated)", at: element.at });
        }
        seen.push(oid);
        match oid {
            oids::CHALLENGE_PASSWORD => {
                let value = values.any()?;
                values.finish()?;
                *challenge = Some((SecretText::new(name::string(&value, "challengePassword")?), value.tag));
            }
            oids::EXTENSION_REQUEST | oids::MS_EXTENSION_REQUEST => {
                if seen.contains(&oids::EXTENSION_REQUEST) && seen.contains(&oids::MS_EXTENSION_REQUEST) {
                    return Err(PkiError::Malformed { what: "certification request (two extension requests)", at: element.at });
                }
                let extensions = extension::decode_all(values.sequence()?)?;
                values.finish()?;
                for extension in extensions {
                    read_extension(&extension, content)?;
                }
            }
            // Client information, CSP names, friendly names: of no meaning here.
            _ => {}
        }
    }
    Ok(())
}

fn read_extension(extension: &extension::Extension, content: &mut RequestedContent) -> Result<(), PkiError> {
    match extension.oid {
        oids::SUBJECT_ALT_NAME => content.san = general_name::decode(&extension.value)?,
        oids::KEY_USAGE => content.key_usage = Some(extension::decode_key_usage(&extension.value)?),
        oids::EXTENDED_KEY_USAGE => content.extended_key_usage = Some(extension::decode_extended_key_usage(&extension.value)?),
        oids::BASIC_CONSTRAINTS => content.wants_ca = extension::decode_basic_constraints(&extension.value)?,
        oids::SUBJECT_KEY_IDENTIFIER => {}
        other => content.other_extensions.push(other),
    }
    Ok(())
}
