//! From a tree to text.

use super::{Element, Node, names};
use crate::error::MdmError;

/// Prefixes that the root declares: prefix (empty for the default namespace) and namespace name.
///
/// An element in another namespace declares it as default namespace itself; the prefixes of attributes must be here, except `xml`.
/// An attribute in the namespace of `xmlns` declares a prefix for a qualified name in the text of its element, which must not use the
/// prefix otherwise.
pub type Prefixes<'a> = &'a [(&'a str, &'a str)];

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Writes a document in UTF-8, without white space of its own; `declaration` puts the XML declaration before it.
///
/// # Errors
/// [`MdmError::Unwritable`] when the text has a character that no document may contain, when a name is none, or when the namespace of an
/// attribute has no prefix.
pub fn write(root: &Element, prefixes: Prefixes<'_>, declaration: bool) -> Result<String, MdmError> {
    let mut writer = Writer { out: String::with_capacity(1024), prefixes };
    if declaration {
        writer.out.push_str(DECLARATION);
    }
    let default = prefixes.iter().find(|(prefix, _)| prefix.is_empty()).map_or("", |(_, name)| name);
    writer.element(root, default, true)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    prefixes: Prefixes<'a>,
}

impl<'a> Writer<'a> {
    /// As deep as the tree is: that of a document read is within its limits, others are made by this program.
    fn element(&mut self, element: &Element, default: &str, is_root: bool) -> Result<(), MdmError> {
        let namespace = element.namespace();
        // A prefix that was declared for the namespace goes before the default.
        let prefix = if namespace == default { Some("") } else { self.prefix(namespace) };
        self.out.push('<');
        let start = self.out.len();
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.name(element.local())?;
        let name = self.out.get(start..).unwrap_or_default().to_owned();
        let inner = if prefix.is_some() { default } else { namespace };
        if is_root {
            for (prefix, name) in self.prefixes.iter().filter(|(prefix, _)| !prefix.is_empty() || inner == default) {
                self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
                self.out.push_str(prefix);
                self.value(name)?;
            }
        }
        if prefix.is_none() {
            self.out.push_str(" xmlns");
            self.value(namespace)?;
        }
        for attribute in &element.attributes {
            self.out.push(' ');
            if !attribute.name.namespace.is_empty() {
                let prefix = self.prefix(&attribute.name.namespace).ok_or(MdmError::Unwritable("an attribute has no prefix"))?;
                self.out.push_str(prefix);
                self.out.push(':');
            }
            self.name(&attribute.name.local)?;
            self.value(&attribute.value)?;
        }
        if element.nodes.is_empty() {
            self.out.push_str("/>");
            return Ok(());
        }
        self.out.push('>');
        for node in &element.nodes {
            match node {
                Node::Element(child) => self.element(child, inner, false)?,
                Node::Text(text) => self.text(text)?,
            }
        }
        self.out.push_str("</");
        self.out.push_str(&name);
        self.out.push('>');
        Ok(())
    }

    fn prefix(&self, namespace: &str) -> Option<&'a str> {
        match namespace {
            XML => return Some("xml"),
            XMLNS => return Some("xmlns"),
            _ => {}
        }
        self.prefixes.iter().find(|(prefix, name)| !prefix.is_empty() && *name == namespace).map(|(prefix, _)| *prefix)
    }

    fn name(&mut self, name: &str) -> Result<(), MdmError> {
        if !names::is_ncname(name) {
            return Err(MdmError::Unwritable("a name is not one of XML"));
        }
        self.out.push_str(name);
        Ok(())
    }

    fn value(&mut self, value: &str) -> Result<(), MdmError> {
        self.out.push_str("=\"");
        if is_plain(value) {
            self.out.push_str(value);
        } else {
            value.chars().try_for_each(|c| self.quoted(c))?;
        }
        self.out.push('"');
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), MdmError> {
        if is_plain(text) {
            self.out.push_str(text);
            return Ok(());
        }
        text.chars().try_for_each(|c| self.character(c))
    }

    fn quoted(&mut self, c: char) -> Result<(), MdmError> {
        match c {
            '"' => self.out.push_str("&quot;"),
            // Anything else would become a blank.
            '\t' => self.out.push_str("&#9;"),
            '\n' => self.out.push_str("&#10;"),
            c => self.character(c)?,
        }
        Ok(())
    }

    fn character(&mut self, c: char) -> Result<(), MdmError> {
        match c {
            '&' => self.out.push_str("&amp;"),
            '<' => self.out.push_str("&lt;"),
            '>' => self.out.push_str("&gt;"),
            // Written as it is, it would be read as a line feed.
            '\r' => self.out.push_str("&#13;"),
            c if names::is_char(c) => self.out.push(c),
            _ => return Err(MdmError::Unwritable("it has a character that no document may contain")),
        }
        Ok(())
    }
}

/// Whether a text, as nearly all of them, can be written as it is, wherever.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'&' | b'<' | b'>' | b'"'))
}
