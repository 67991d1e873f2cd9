//! Certificates as Active Directory names them in `altSecurityIdentities` ([MS-PKCA] section 3.1.5.2.1, KB5014754).
//!
//! Names are written in the order in which they are encoded, which is the reverse of RFC 4514; serial numbers with their octets reversed.

use lanyard_model::{
    name::{COMMON_NAME, COUNTRY, DEVICE_SERIAL_NUMBER, DOMAIN_COMPONENT, DistinguishedName, EMAIL_ADDRESS},
    oid::Oid,
    text::hex,
};
use lanyard_pki::{certificate::Certificate, crypto::digest::sha1, spki::subject_public_key};

use super::facts::Facts;

/// Attribute types with the names that Windows gives them.
const TYPES: [(Oid, &str); 15] = [
    (COMMON_NAME, "CN"),
    (COUNTRY, "C"),
    (DEVICE_SERIAL_NUMBER, "SERIALNUMBER"),
    (DOMAIN_COMPONENT, "DC"),
    (EMAIL_ADDRESS, "E"),
    (Oid::new("2.5.4.4"), "SN"),
    (Oid::new("2.5.4.7"), "L"),
    (Oid::new("2.5.4.8"), "S"),
    (Oid::new("2.5.4.9"), "STREET"),
    (Oid::new("2.5.4.10"), "O"),
    (Oid::new("2.5.4.11"), "OU"),
    (Oid::new("2.5.4.12"), "T"),
    (Oid::new("2.5.4.42"), "G"),
    (Oid::new("2.5.4.43"), "I"),
    (Oid::new("2.5.4.13"), "Description"),
];

/// A name as Windows writes it.
#[must_use]
pub fn name(name: &DistinguishedName) -> String {
    let one = |attribute: &lanyard_model::name::NameAttribute| {
        let known = TYPES.iter().find(|(oid, _)| *oid == attribute.oid).map(|(_, name)| (*name).to_owned());
        format!("{}={}", known.unwrap_or_else(|| format!("OID.{}", attribute.oid)), quoted(&attribute.value))
    };
    name.0.iter().map(one).collect::<Vec<_>>().join(",")
}

fn quoted(value: &str) -> String {
    let special = value.contains([',', '+', '=', '"', '\n', '<', '>', '#', ';']) || value.trim() != value || value.is_empty();
    if special { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
}

/// The values that pin exactly this certificate or key. `<SHA1-PUKEY>` means three things out there; each of them pins.
#[must_use]
pub fn strong(certificate: &Certificate, facts: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(issuer) = certificate.issuer() {
        let issuer = name(&issuer);
        let mut octets = certificate.serial_octets().to_vec();
        octets.reverse();
        out.push(format!("X509:<I>{issuer}<SR>{}", hex(&octets)));
        // The octet that only says that the number is positive is left out by some tools.
        if octets.len() > 1 && octets.last() == Some(&0) {
            octets.pop();
            out.push(format!("X509:<I>{issuer}<SR>{}", hex(&octets)));
        }
        out.extend(facts.sids.iter().map(|sid| format!("X509:<I>{issuer}<SID>{sid}")));
    }
    if let Some(identifier) = certificate.subject_key_identifier() {
        out.push(format!("X509:<SKI>{}", hex(&identifier)));
    }
    let mut hashes = vec![sha1(certificate.der()), sha1(certificate.spki_der())];
    hashes.extend(subject_public_key(certificate.spki_der()).ok().map(sha1));
    out.extend(hashes.iter().map(|hash| format!("X509:<SHA1-PUKEY>{}", hex(hash))));
    out
}

/// The values that go by names, which another certificate may have too.
#[must_use]
pub fn weak(certificate: &Certificate, facts: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    if let (Ok(issuer), Ok(subject)) = (certificate.issuer(), certificate.subject()) {
        out.push(format!("X509:<I>{}<S>{}", name(&issuer), name(&subject)));
        out.push(format!("X509:<S>{}", name(&subject)));
    }
    out.extend(facts.emails.iter().map(|email| format!("X509:<RFC822>{email}")));
    out
}

/// The value that administrators write who forget to reverse the serial number; found, it is told in the log and counts for nothing.
#[must_use]
pub fn not_reversed(certificate: &Certificate) -> Option<String> {
    let issuer = name(&certificate.issuer().ok()?);
    Some(format!("X509:<I>{issuer}<SR>{}", hex(certificate.serial_octets())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kb5014754_names_are_written_as_windows_writes_them() {
        let written = |text: &str| name(&lanyard_pki::name::parse(text).unwrap());
        assert_eq!(written("DC=test,DC=corp,CN=Lab CA"), "DC=test,DC=corp,CN=Lab CA");
        assert_eq!(written("C=DE,ST=BY,emailAddress=a@b.c,UID=7"), "C=DE,S=BY,E=a@b.c,OID.0.9.2342.19200300.100.1.1=7");
        assert_eq!(written("O=Example\\, Inc.,CN=a\\\"b"), "O=\"Example, Inc.\",CN=\"a\"\"b\"");
    }
}
