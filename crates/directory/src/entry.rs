//! One entry.

use lanyard_model::text::hex;
use ldap3::SearchEntry;

/// An entry as found.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Distinguished name.
    pub dn: String,
    inner: SearchEntry,
}

impl Entry {
    pub(crate) fn of(inner: SearchEntry) -> Self {
        Self { dn: inner.dn.clone(), inner }
    }

    /// The first value of an attribute, whose name has no case; binary ones, such as objectGUID, in hexadecimal. An empty one is none.
    #[must_use]
    pub fn value(&self, attribute: &str) -> Option<String> {
        let named = |name: &String| name.eq_ignore_ascii_case(attribute);
        let text = self.inner.attrs.iter().find(|(name, _)| named(name)).and_then(|(_, values)| values.first().cloned());
        text.or_else(|| self.octets_of_binary(attribute).map(hex)).filter(|text| !text.is_empty())
    }

    /// The first value of an attribute, octet by octet.
    #[must_use]
    pub fn octets(&self, attribute: &str) -> Option<Vec<u8>> {
        let named = |name: &String| name.eq_ignore_ascii_case(attribute);
        let text = self.inner.attrs.iter().find(|(name, _)| named(name)).and_then(|(_, values)| values.first());
        text.map(|text| text.clone().into_bytes()).or_else(|| self.octets_of_binary(attribute).map(<[u8]>::to_vec))
    }

    fn octets_of_binary(&self, attribute: &str) -> Option<&[u8]> {
        let found = self.inner.bin_attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.and_then(|(_, values)| values.first()).map(Vec::as_slice)
    }
}
