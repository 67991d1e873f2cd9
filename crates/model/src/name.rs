//! Distinguished names as sets of attributes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::oid::Oid;

/// One attribute of a distinguished name: type and decoded value (the string type on the wire does not count).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NameAttribute {
    /// Attribute type, such as 2.5.4.3 for commonName.
    pub oid: Oid,
    /// Decoded value.
    pub value: String,
}

/// A distinguished name (X.501): its attributes in the order in which they are encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DistinguishedName(pub Vec<NameAttribute>);

/// An attribute type with its short name and upper bound in characters (RFC 5280, appendix A.1).
#[derive(Debug, Clone, Copy)]
pub struct AttributeType {
    /// Short name, as in RFC 4514 and OpenSSL.
    pub short: &'static str,
    /// Identifier.
    pub oid: Oid,
    /// Upper bound of the value in characters.
    pub upper_bound: usize,
}

const fn attribute(short: &'static str, oid: &'static str, upper_bound: usize) -> AttributeType {
    AttributeType { short, oid: Oid::new(oid), upper_bound }
}

/// commonName.
pub const COMMON_NAME: Oid = Oid::new("2.5.4.3");
/// countryName.
pub const COUNTRY: Oid = Oid::new("2.5.4.6");
/// serialNumber of a device (not the certificate's).
pub const DEVICE_SERIAL_NUMBER: Oid = Oid::new("2.5.4.5");
/// emailAddress (PKCS#9).
pub const EMAIL_ADDRESS: Oid = Oid::new("1.2.840.113549.1.9.1");
/// domainComponent.
pub const DOMAIN_COMPONENT: Oid = Oid::new("0.9.2342.19200300.100.1.25");

/// The attribute types Lanyard can put into a name.
pub const ATTRIBUTE_TYPES: &[AttributeType] = &[
    attribute("CN", "2.5.4.3", 64),
    attribute("SN", "2.5.4.4", 64),
    attribute("serialNumber", "2.5.4.5", 64),
    attribute("C", "2.5.4.6", 2),
    attribute("L", "2.5.4.7", 128),
    attribute("ST", "2.5.4.8", 128),
    attribute("street", "2.5.4.9", 128),
    attribute("O", "2.5.4.10", 64),
    attribute("OU", "2.5.4.11", 64),
    attribute("title", "2.5.4.12", 64),
    attribute("GN", "2.5.4.42", 64),
    attribute("UID", "0.9.2342.19200300.100.1.1", 256),
    attribute("DC", "0.9.2342.19200300.100.1.25", 63),
    attribute("emailAddress", "1.2.840.113549.1.9.1", 255),
];

/// Finds an attribute type by its short name (case does not matter) or dotted identifier.
#[must_use]
pub fn attribute_type(name: &str) -> Option<&'static AttributeType> {
    let name = match name {
        n if n.eq_ignore_ascii_case("E") || n.eq_ignore_ascii_case("email") => "emailAddress",
        n if n.eq_ignore_ascii_case("S") => "ST",
        n => n,
    };
    ATTRIBUTE_TYPES.iter().find(|a| a.short.eq_ignore_ascii_case(name) || a.oid.to_string() == name)
}

impl DistinguishedName {
    /// The attributes sorted, as needed for comparing two names as sets: neither the order of RDNs nor their grouping counts.
    #[must_use]
    pub fn as_set(&self) -> Vec<&NameAttribute> {
        let mut attributes: Vec<_> = self.0.iter().collect();
        attributes.sort();
        attributes
    }

    /// Whether both names hold the same attribute types and values, each as often, in any order. Case counts.
    #[must_use]
    pub fn same_set(&self, other: &Self) -> bool {
        self.as_set() == other.as_set()
    }

    /// The first value of an attribute type.
    #[must_use]
    pub fn first(&self, oid: Oid) -> Option<&str> {
        self.0.iter().find(|a| a.oid == oid).map(|a| a.value.as_str())
    }

    /// Whether the name has no attributes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// RFC 4514 style in the order of encoding: `CN=laptop-7,O=Example`, special characters escaped with a backslash.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, attribute) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match ATTRIBUTE_TYPES.iter().find(|t| t.oid == attribute.oid) {
                Some(known) => f.write_str(known.short)?,
                None => write!(f, "{}", attribute.oid)?,
            }
            f.write_str("=")?;
            let last = attribute.value.chars().count().saturating_sub(1);
            for (position, c) in attribute.value.chars().enumerate() {
                let edge_space = c == ' ' && (position == 0 || position == last);
                if edge_space || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') || (c == '#' && position == 0) {
                    write!(f, "\\{c}")?;
                } else if c.is_control() {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        write!(f, "\\{byte:02X}")?;
                    }
                } else {
                    write!(f, "{c}")?;
                }
            }
        }
        Ok(())
    }
}
