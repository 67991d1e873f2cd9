//! Distinguished names: DER to [`DistinguishedName`] and back, and the text that administrators write.

use lanyard_model::{
    name::{COUNTRY, DEVICE_SERIAL_NUMBER, DOMAIN_COMPONENT, DistinguishedName, EMAIL_ADDRESS, NameAttribute, attribute_type},
    oid::Oid,
};

use crate::{
    error::PkiError,
    tlv::{Element, Reader, tag},
    write,
};

/// Most attributes a name may have.
pub const MAX_ATTRIBUTES: usize = 100;

/// Reads a Name (RFC 5280, section 4.1.2.4) from the contents of its SEQUENCE.
///
/// # Errors
/// [`PkiError::Malformed`], [`PkiError::Limit`] above [`MAX_ATTRIBUTES`].
pub fn decode(mut rdns: Reader<'_>) -> Result<DistinguishedName, PkiError> {
    let mut attributes = Vec::new();
    while !rdns.is_empty() {
        let mut rdn = rdns.expect(tag::SET)?.reader("name");
        while !rdn.is_empty() {
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(PkiError::Limit { what: "number of name attributes", limit: MAX_ATTRIBUTES });
            }
            let mut attribute = rdn.sequence()?;
            let oid = attribute.oid()?;
            let value = string(&attribute.any()?, "name")?;
            attribute.finish()?;
            attributes.push(NameAttribute { oid, value });
        }
    }
    Ok(DistinguishedName(attributes))
}

/// Reads a directory string, or one of the older string types that stand in names and attributes.
///
/// # Errors
/// [`PkiError::Malformed`] when it is no string or its octets do not fit its type.
pub fn string(element: &Element<'_>, what: &'static str) -> Result<String, PkiError> {
    let malformed = || PkiError::Malformed { what, at: element.at };
    let octets = element.contents;
    match element.tag {
        tag::UTF8_STRING => std::str::from_utf8(octets).map(str::to_owned).map_err(|_| malformed()),
        // QUIRK(certmonger 0.79): sends characters outside the alphabet as PrintableString; read as ASCII.
        tag::PRINTABLE_STRING | tag::IA5_STRING | tag::NUMERIC_STRING | tag::VISIBLE_STRING => {
            if octets.is_ascii() {
                Ok(octets.iter().map(|b| char::from(*b)).collect())
            } else {
                Err(malformed())
            }
        }
        // Everybody means Latin-1 by TeletexString.
        tag::TELETEX_STRING => Ok(octets.iter().map(|b| char::from(*b)).collect()),
        tag::BMP_STRING => {
            if !octets.len().is_multiple_of(2) {
                return Err(malformed());
            }
            let units = octets.chunks_exact(2).map(|pair| pair.iter().fold(0u16, |acc, b| acc << 8 | u16::from(*b)));
            char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| malformed())
        }
        tag::UNIVERSAL_STRING => {
            if !octets.len().is_multiple_of(4) {
                return Err(malformed());
            }
            let scalars = octets.chunks_exact(4).map(|quad| quad.iter().fold(0u32, |acc, b| acc << 8 | u32::from(*b)));
            scalars.map(char::from_u32).collect::<Option<String>>().ok_or_else(malformed)
        }
        _ => Err(malformed()),
    }
}

/// Writes a Name, one attribute per RDN: countryName and serialNumber as PrintableString, emailAddress and domainComponent as
/// IA5String, all others as UTF8String.
#[must_use]
pub fn encode(name: &DistinguishedName) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = name
        .0
        .iter()
        .map(|attribute| {
            let value = match attribute.oid {
                COUNTRY | DEVICE_SERIAL_NUMBER => write::printable_string(&attribute.value),
                EMAIL_ADDRESS | DOMAIN_COMPONENT => write::ia5_string(&attribute.value),
                _ => write::utf8_string(&attribute.value),
            };
            write::set_of(vec![write::sequence(&[write::oid(attribute.oid), value])])
        })
        .collect();
    write::sequence(&rdns)
}

/// Checks that every value fits its type: not empty, within the upper bound of RFC 5280, the right alphabet, no control characters.
///
/// # Errors
/// [`PkiError::Text`] naming the attribute and its fault.
pub fn check(name: &DistinguishedName) -> Result<(), PkiError> {
    for NameAttribute { oid, value } in &name.0 {
        let oid_text = oid.to_string();
        let Some(known) = attribute_type(&oid_text) else {
            return Err(PkiError::Text(format!("the name attribute {oid_text} is not known")));
        };
        let fault = |problem: &str| PkiError::Text(format!("{} in the name {problem}", known.short));
        let length = value.chars().count();
        if length == 0 {
            return Err(fault("is empty"));
        }
        if length > known.upper_bound {
            return Err(fault(&format!("is longer than {} characters", known.upper_bound)));
        }
        if value.chars().any(char::is_control) {
            return Err(fault("has control characters"));
        }
        let alphabet = match *oid {
            COUNTRY => length == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()),
            DEVICE_SERIAL_NUMBER => write::is_printable_string(value),
            EMAIL_ADDRESS | DOMAIN_COMPONENT => value.is_ascii(),
            _ => true,
        };
        if !alphabet {
            return Err(fault("has characters that its type does not allow"));
        }
    }
    Ok(())
}

/// Reads a name as people write it (RFC 4514 escapes), in the order of encoding: `CN=laptop-7,O=Example`. Also accepts `+`
/// between attributes and OpenSSL's `/CN=…/O=…`.
///
/// # Errors
/// [`PkiError::Text`].
pub fn parse(text: &str) -> Result<DistinguishedName, PkiError> {
    let (text, slash) = match text.strip_prefix('/') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut attributes = Vec::new();
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let mut name = String::new();
        loop {
            match chars.next() {
                Some('=') => break,
                Some(c) if c.is_ascii_alphanumeric() || c == '.' => name.push(c),
                Some(' ') if name.is_empty() => {}
                _ => return Err(PkiError::Text(format!("'{text}' is not a name such as CN=laptop-7,O=Example"))),
            }
        }
        let oid = resolve(&name)?;
        let value = value(&mut chars, slash)?;
        attributes.push(NameAttribute { oid, value });
    }
    let name = DistinguishedName(attributes);
    check(&name)?;
    Ok(name)
}

/// The attribute type of a short name or dotted identifier.
///
/// # Errors
/// [`PkiError::Text`] when Lanyard does not know it.
pub fn resolve(name: &str) -> Result<Oid, PkiError> {
    attribute_type(name).map(|t| t.oid).ok_or_else(|| {
        PkiError::Text(format!("'{name}' is not a known name attribute: use CN, O, OU, C, ST, L, DC, UID, GN, SN, serialNumber, emailAddress, title or street"))
    })
}

/// Reads a value up to the next unescaped separator, which is consumed.
fn value(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, slash: bool) -> Result<String, PkiError> {
    let mut octets: Vec<u8> = Vec::new();
    let mut keep = 0;
    while let Some(c) = chars.next() {
        let separator = if slash { c == '/' } else { matches!(c, ',' | '+' | ';') };
        if separator {
            break;
        }
        if c == '\\' {
            let escaped = chars.next().ok_or_else(|| PkiError::Text("a name ends in a backslash".into()))?;
            match (escaped.to_digit(16), chars.peek().and_then(|n| n.to_digit(16))) {
                (Some(high), Some(low)) => {
                    chars.next();
                    octets.push(u8::try_from(high << 4 | low).unwrap_or_default());
                }
                _ => octets.extend(escaped.encode_utf8(&mut [0; 4]).bytes()),
            }
            keep = octets.len();
        } else if !(c == ' ' && octets.is_empty()) {
            octets.extend(c.encode_utf8(&mut [0; 4]).bytes());
            if c != ' ' {
                keep = octets.len();
            }
        }
    }
    octets.truncate(keep);
    String::from_utf8(octets).map_err(|_| PkiError::Text("an escaped value in a name is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4514_text_reads_what_it_writes() {
        for text in ["CN=laptop-7,O=Example", "CN=a\\,b\\+c\\\\d,OU=\\ edge\\ ", "CN=Zoë,C=DE", "DC=org,DC=example,UID=jo"] {
            let name = parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            let der = encode(&name);
            assert_eq!(decode(Reader::sequence_of(&der, "name").unwrap()).unwrap(), name);
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let name = parse("CN=laptop-7,O=Example").unwrap();
        for same in
            ["/CN=laptop-7/O=Example", "cn=laptop-7, o=Example", "2.5.4.3=laptop-7,2.5.4.10=Example", "CN=laptop\\2D7+O=Example"]
        {
            assert_eq!(parse(same).unwrap(), name, "{same}");
        }
    }

    #[test]
    fn impossible_names_are_refused_with_the_reason() {
        for (text, reason) in [
            ("CN=", "is empty"),
            ("laptop", "is not a name"),
            ("XX=1", "not a known name attribute"),
            ("C=Germany", "longer than 2"),
            ("C=1!", "type does not allow"),
            ("CN=a\\00b", "control characters"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn string_types_decode_to_the_same_text() {
        for (tag, octets) in [
            (tag::UTF8_STRING, "Zoë".as_bytes().to_vec()),
            (tag::TELETEX_STRING, vec![b'Z', b'o', 0xeb]),
            (tag::BMP_STRING, vec![0, b'Z', 0, b'o', 0, 0xeb]),
            (tag::UNIVERSAL_STRING, vec![0, 0, 0, b'Z', 0, 0, 0, b'o', 0, 0, 0, 0xeb]),
        ] {
            let der = write::element(tag, &octets);
            assert_eq!(string(&Reader::new(&der, "s").any().unwrap(), "s").unwrap(), "Zoë");
        }
    }
}
