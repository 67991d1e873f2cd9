//! WBXML as ActiveSync has it ([MS-ASWBXML]): code pages of tags, inline strings, opaque data; no attributes, no string table.

/// Version 1.3, unknown public identifier, UTF-8, no string table.
const HEADER: [u8; 4] = [0x03, 0x01, 0x6a, 0x00];
const SWITCH_PAGE: u8 = 0x00;
const END: u8 = 0x01;
const STR_I: u8 = 0x03;
const OPAQUE: u8 = 0xc3;
/// A tag that has content.
const CONTENT: u8 = 0x40;
/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;
/// Most elements that are read.
const MAX_ELEMENTS: usize = 20_000;
/// Largest document that is read, in octets.
const MAX_SIZE: usize = 1024 * 1024;

/// A tag: code page and token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(pub u8, pub u8);

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its tag.
    pub tag: Tag,
    /// What is in it.
    pub nodes: Vec<Node>,
}

/// What can be in an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text.
    Text(String),
    /// Octets.
    Opaque(Vec<u8>),
}

/// A document that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no WBXML of ActiveSync: {problem} at octet {at}")]
pub struct WbxmlError {
    problem: &'static str,
    at: usize,
}

impl Element {
    /// An element with others in it.
    #[must_use]
    pub fn with(tag: Tag, inner: Vec<Self>) -> Self {
        Self { tag, nodes: inner.into_iter().map(Node::Element).collect() }
    }

    /// An element with text.
    #[must_use]
    pub fn text(tag: Tag, text: &str) -> Self {
        Self { tag, nodes: vec![Node::Text(text.to_owned())] }
    }

    /// The elements in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| if let Node::Element(element) = node { Some(element) } else { None })
    }

    /// The first element with this tag in it.
    #[must_use]
    pub fn child(&self, tag: Tag) -> Option<&Self> {
        self.children().find(|child| child.tag == tag)
    }

    /// The first element with this tag in it, however deep, itself included.
    #[must_use]
    pub fn find(&self, tag: Tag) -> Option<&Self> {
        // As deep as the limit of reading.
        if self.tag == tag { Some(self) } else { self.children().find_map(|child| child.find(tag)) }
    }

    /// Its text.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.nodes.iter().find_map(|node| if let Node::Text(text) = node { Some(text.as_str()) } else { None })
    }

    /// The text of the first element with this tag in it.
    #[must_use]
    pub fn value_of(&self, tag: Tag) -> Option<&str> {
        self.child(tag).and_then(Self::value)
    }
}

/// Writes a document.
#[must_use]
pub fn encode(root: &Element) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    let mut page = 0;
    write(root, &mut page, &mut out);
    out
}

fn write(element: &Element, page: &mut u8, out: &mut Vec<u8>) {
    if element.tag.0 != *page {
        *page = element.tag.0;
        out.extend_from_slice(&[SWITCH_PAGE, *page]);
    }
    if element.nodes.is_empty() {
        out.push(element.tag.1);
        return;
    }
    out.push(element.tag.1 | CONTENT);
    for node in &element.nodes {
        match node {
            Node::Element(inner) => write(inner, page, out),
            Node::Text(text) => {
                out.push(STR_I);
                // A zero ends the string.
                out.extend(text.bytes().filter(|octet| *octet != 0));
                out.push(0);
            }
            Node::Opaque(octets) => {
                out.push(OPAQUE);
                write_count(octets.len(), out);
                out.extend_from_slice(octets);
            }
        }
    }
    out.push(END);
}

/// Seven bits an octet, the highest first, all but the last with the eighth bit set.
fn write_count(count: usize, out: &mut Vec<u8>) {
    for shift in (1..=9).rev().map(|septets| septets * 7) {
        if count >> shift != 0 {
            out.push(u8::try_from(count >> shift & 0x7f).unwrap_or(0x7f) | 0x80);
        }
    }
    out.push(u8::try_from(count & 0x7f).unwrap_or(0x7f));
}

/// Reads a document.
///
/// # Errors
/// [`WbxmlError`].
pub fn decode(octets: &[u8]) -> Result<Element, WbxmlError> {
    if octets.len() > MAX_SIZE {
        return Err(WbxmlError { problem: "too large", at: 0 });
    }
    let mut reader = Reader { octets, at: 0, page: 0, elements: 0 };
    // Servers differ in the public identifier; the rest is fixed.
    match octets {
        [1..=3, _, 0x6a, 0, ..] => reader.at = 4,
        _ => return Err(reader.error("another header")),
    }
    let root = reader.token()?;
    let root = reader.element(root, 0)?;
    if reader.at == octets.len() { Ok(root) } else { Err(reader.error("more than one document")) }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    page: u8,
    elements: usize,
}

impl Reader<'_> {
    fn error(&self, problem: &'static str) -> WbxmlError {
        WbxmlError { problem, at: self.at }
    }

    fn octet(&mut self) -> Result<u8, WbxmlError> {
        let octet = self.octets.get(self.at).copied().ok_or_else(|| self.error("it ends too early"))?;
        self.at += 1;
        Ok(octet)
    }

    /// The next token that is no switch of pages.
    fn token(&mut self) -> Result<u8, WbxmlError> {
        loop {
            match self.octet()? {
                SWITCH_PAGE => self.page = self.octet()?,
                token => return Ok(token),
            }
        }
    }

    fn element(&mut self, token: u8, depth: usize) -> Result<Element, WbxmlError> {
        self.elements += 1;
        if depth >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(self.error("too deep or too many elements"));
        }
        let code = token & 0x3f;
        if code < 5 || token & 0x80 != 0 {
            return Err(self.error("a token that ActiveSync does not use"));
        }
        let mut element = Element { tag: Tag(self.page, code), nodes: Vec::new() };
        if token & CONTENT == 0 {
            return Ok(element);
        }
        loop {
            match self.token()? {
                END => return Ok(element),
                STR_I => element.nodes.push(Node::Text(self.string()?)),
                OPAQUE => element.nodes.push(Node::Opaque(self.opaque()?)),
                token => {
                    let inner = self.element(token, depth + 1)?;
                    element.nodes.push(Node::Element(inner));
                }
            }
        }
    }

    fn string(&mut self) -> Result<String, WbxmlError> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|octet| *octet == 0).ok_or_else(|| self.error("a string without an end"))?;
        let text = rest.get(..end).unwrap_or_default();
        self.at += end + 1;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn opaque(&mut self) -> Result<Vec<u8>, WbxmlError> {
        let mut count = 0_usize;
        loop {
            let octet = self.octet()?;
            count = count << 7 | usize::from(octet & 0x7f);
            if count > MAX_SIZE {
                return Err(self.error("a count that is too large"));
            }
            if octet & 0x80 == 0 {
                break;
            }
        }
        let octets =
            self.octets.get(self.at..).and_then(|rest| rest.get(..count)).ok_or_else(|| self.error("it ends too early"))?;
        self.at += count;
        Ok(octets.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ms_aswbxml_folder_sync_is_written_octet_by_octet() {
        let request = Element::with(Tag(7, 0x16), vec![Element::text(Tag(7, 0x12), "0")]);
        let octets = [0x03, 0x01, 0x6a, 0x00, 0x00, 0x07, 0x56, 0x52, 0x03, 0x30, 0x00, 0x01, 0x01];
        assert_eq!(encode(&request), octets);
        assert_eq!(decode(&octets).unwrap(), request);
    }

    #[test]
    fn damaged_documents_are_errors() {
        let whole =
            encode(&Element::with(Tag(14, 5), vec![Element::text(Tag(18, 0x17), "model"), Element::text(Tag(14, 8), "x")]));
        for cut in 0..whole.len() {
            assert!(decode(&whole[..cut]).is_err(), "{cut}");
        }
        assert!(decode(b"<html>").is_err());
        let deep: Vec<u8> = HEADER.into_iter().chain(std::iter::repeat_n(0x45, 100)).collect();
        assert!(decode(&deep).is_err());
        assert!(decode(&[3, 1, 0x6a, 0, 0x45, OPAQUE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]).is_err());
    }

    fn element() -> impl Strategy<Value = Element> {
        let tag = (0_u8..25, 5_u8..0x40).prop_map(|(page, token)| Tag(page, token));
        let leaf = (
            tag.clone(),
            prop_oneof![
                "[a-zA-Zäß ]{1,40}".prop_map(Node::Text),
                proptest::collection::vec(any::<u8>(), 0..300).prop_map(Node::Opaque)
            ],
        )
            .prop_map(|(tag, node)| Element { tag, nodes: vec![node] });
        leaf.prop_recursive(4, 32, 4, move |inner| {
            (tag.clone(), proptest::collection::vec(inner, 0..4)).prop_map(|(tag, inner)| Element::with(tag, inner))
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(root in element()) {
            prop_assert_eq!(decode(&encode(&root)).unwrap(), root);
        }

        #[test]
        fn nothing_read_panics(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut whole = HEADER.to_vec();
            whole.extend(octets);
            let _ = decode(&whole);
        }
    }
}
