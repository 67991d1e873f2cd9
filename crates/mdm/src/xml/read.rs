//! From octets to a tree, in one pass and with a stack of our own.

use std::{collections::HashMap, sync::Arc};

use quick_xml::{
    Reader,
    events::{BytesDecl, BytesStart, Event},
};

use super::{
    Attribute, Element, Limits, Name, Namespace, Node,
    encoding::{self, Encoding},
    names,
};
use crate::error::MdmError;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Reads a document. Comments are left out; everything else that is not an element or text is refused: document types, processing
/// instructions, and references to anything but characters and the five predefined entities.
///
/// # Errors
/// [`MdmError::TooLarge`], [`MdmError::Encoding`], [`MdmError::Xml`], [`MdmError::XmlForbidden`], [`MdmError::XmlLimit`].
pub fn read(octets: &[u8], limits: &Limits) -> Result<Element, MdmError> {
    if octets.len() > limits.octets {
        return Err(MdmError::TooLarge { limit: limits.octets });
    }
    let (text, encoding) = encoding::decode(octets)?;
    if let Some(at) = text.find(|c| !names::is_char(c)) {
        return Err(malformed(at, "has a character that no document may contain"));
    }
    let mut tree = Tree { limits, scope: Scope::default(), open: Vec::new(), root: None, elements: 0 };
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut first = true;
    loop {
        let at = offset(reader.buffer_position());
        let event = reader.read_event().map_err(|error| MdmError::Xml { at, problem: error.to_string() })?;
        match event {
            Event::Decl(declaration) if first => check_declaration(&declaration, encoding)?,
            _ if first && !encoding.agrees(None) => {
                return Err(MdmError::Encoding("it is UTF-16 and does not say so"));
            }
            Event::Decl(_) => return Err(malformed(at, "has a second declaration")),
            Event::Start(start) => tree.start(&start, at)?,
            Event::End(_) | Event::Empty(_) => tree.end(at)?,
            Event::Text(text) => tree.text(&text.xml10_content(), at)?,
            Event::CData(text) => tree.cdata(&text.xml10_content(), at)?,
            Event::GeneralRef(reference) => tree.cdata(resolve(&reference, at)?.encode_utf8(&mut [0; 4]), at)?,
            Event::Comment(_) => {}
            Event::DocType(_) => return Err(MdmError::XmlForbidden { what: "a document type", at }),
            Event::PI(_) => return Err(MdmError::XmlForbidden { what: "a processing instruction", at }),
            Event::Eof => break,
        }
        first = false;
    }
    if !tree.open.is_empty() {
        return Err(malformed(text.len(), "ends within an element"));
    }
    tree.root.ok_or_else(|| malformed(0, "has no element"))
}

fn malformed(at: usize, problem: &str) -> MdmError {
    MdmError::Xml { at, problem: format!("it {problem}") }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn check_declaration(declaration: &BytesDecl<'_>, encoding: Encoding) -> Result<(), MdmError> {
    let wrong = || malformed(0, "has a declaration that cannot be read");
    if declaration.version().map_err(|_| wrong())? != "1.0" {
        return Err(malformed(0, "is not XML 1.0"));
    }
    let declared = declaration.encoding().transpose().map_err(|_| wrong())?;
    if encoding.agrees(declared.as_deref()) { Ok(()) } else { Err(MdmError::Encoding("it is in another encoding than it says")) }
}

/// The document as far as it was read.
struct Tree<'a> {
    limits: &'a Limits,
    scope: Scope,
    open: Vec<(Element, Vec<Box<str>>)>,
    root: Option<Element>,
    elements: usize,
}

impl Tree<'_> {
    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), MdmError> {
        let limit = |what, limit| MdmError::XmlLimit { what, limit, at };
        if self.open.is_empty() && self.root.is_some() {
            return Err(malformed(at, "has a second root"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(limit("elements within each other", self.limits.depth));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(limit("elements", self.limits.elements));
        }
        let mut declared: Vec<Box<str>> = Vec::new();
        let mut plain: Vec<(&str, &str, String)> = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| MdmError::Xml { at, problem: error.to_string() })?;
            let value = attribute_value(&attribute.value, at)?;
            let name = attribute.key.into_inner();
            let (prefix, local) = names::split(name).ok_or_else(|| malformed(at, "has an attribute with an impossible name"))?;
            let declares = if prefix == "xmlns" { Some(local) } else { (prefix.is_empty() && local == "xmlns").then_some("") };
            if let Some(declares) = declares {
                if declared.len() >= self.limits.namespaces {
                    return Err(limit("namespace declarations of an element", self.limits.namespaces));
                }
                if declared.iter().any(|one| **one == *declares) {
                    return Err(malformed(at, "declares a prefix twice in one element"));
                }
                self.scope.declare(declares, value, at)?;
                declared.push(declares.into());
            } else {
                if plain.len() >= self.limits.attributes {
                    return Err(limit("attributes of an element", self.limits.attributes));
                }
                plain.push((prefix, local, value));
            }
        }
        let name = start.name().into_inner();
        let (prefix, local) = names::split(name).ok_or_else(|| malformed(at, "has an element with an impossible name"))?;
        let mut element = Element {
            name: Name { namespace: self.scope.find(prefix, at)?, local: local.to_owned().into(), prefix: prefix.into() },
            attributes: Vec::with_capacity(plain.len()),
            nodes: Vec::new(),
            at,
        };
        for (prefix, local, value) in plain {
            // Without a prefix an attribute is in no namespace, whatever the default is.
            let namespace = if prefix.is_empty() { Namespace::Known("") } else { self.scope.find(prefix, at)? };
            let name = Name { namespace, local: local.to_owned().into(), prefix: prefix.into() };
            if element.attributes.iter().any(|other| other.name == name) {
                return Err(malformed(at, "has an element with the same attribute twice"));
            }
            element.attributes.push(Attribute { name, value });
        }
        self.open.push((element, declared));
        Ok(())
    }

    fn end(&mut self, at: usize) -> Result<(), MdmError> {
        // The tokeniser has compared the names already.
        let (element, declared) = self.open.pop().ok_or_else(|| malformed(at, "ends an element that did not begin"))?;
        self.scope.forget(&declared);
        match self.open.last_mut() {
            Some((parent, _)) => parent.nodes.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), MdmError> {
        if text.contains("]]>") {
            return Err(malformed(at, "has the end of a CDATA section without its beginning"));
        }
        if self.open.is_empty() && text.chars().all(names::is_space) {
            return Ok(());
        }
        self.cdata(text, at)
    }

    fn cdata(&mut self, text: &str, at: usize) -> Result<(), MdmError> {
        let (element, _) = self.open.last_mut().ok_or_else(|| malformed(at, "has text outside its root"))?;
        element.push_text(text);
        Ok(())
    }
}

/// What each prefix means at this place. One lookup is one step, however many declarations enclose it.
#[derive(Default)]
struct Scope(HashMap<Box<str>, Vec<Namespace>>);

impl Scope {
    fn declare(&mut self, prefix: &str, name: String, at: usize) -> Result<(), MdmError> {
        let reserved = prefix == "xmlns" || name == XMLNS || (prefix == "xml") != (name == XML);
        if reserved || (name.is_empty() && !prefix.is_empty()) {
            return Err(malformed(at, "declares a namespace that may not be declared"));
        }
        self.0.entry(prefix.into()).or_default().push(Namespace::Read(Arc::from(name)));
        Ok(())
    }

    fn find(&self, prefix: &str, at: usize) -> Result<Namespace, MdmError> {
        if prefix == "xml" {
            return Ok(Namespace::Known(XML));
        }
        match self.0.get(prefix).and_then(|names| names.last()) {
            Some(name) => Ok(name.clone()),
            None if prefix.is_empty() => Ok(Namespace::Known("")),
            None => Err(malformed(at, "uses a prefix that is not declared")),
        }
    }

    fn forget(&mut self, declared: &[Box<str>]) {
        for prefix in declared {
            self.0.get_mut(prefix).and_then(Vec::pop);
        }
    }
}

/// Resolves the references of an attribute value and normalises its white space (XML 1.0, section 3.3.3).
fn attribute_value(raw: &str, at: usize) -> Result<String, MdmError> {
    if raw.contains('<') {
        return Err(malformed(at, "has '<' in an attribute"));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.find(['&', '\t', '\n', '\r']) {
        let (before, special) = rest.split_at(place);
        value.push_str(before);
        rest = if let Some(reference) = special.strip_prefix('&') {
            let (name, rest) = reference.split_once(';').ok_or_else(|| malformed(at, "has '&' that begins no reference"))?;
            value.push(resolve(name, at)?);
            rest
        } else {
            value.push(' ');
            special.strip_prefix("\r\n").or_else(|| special.get(1..)).unwrap_or_default()
        };
    }
    value.push_str(rest);
    Ok(value)
}

/// The character that a reference stands for; `name` is what stands between `&` and `;`.
fn resolve(name: &str, at: usize) -> Result<char, MdmError> {
    let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    });
    let character = match (number, name) {
        // `from_str_radix` would take a sign.
        (Some((digits, radix)), _) if digits.starts_with(|c: char| c.is_digit(radix)) => {
            u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(|c| names::is_char(*c))
        }
        (None, "amp") => Some('&'),
        (None, "lt") => Some('<'),
        (None, "gt") => Some('>'),
        (None, "quot") => Some('"'),
        (None, "apos") => Some('\''),
        (None, _) => return Err(MdmError::XmlForbidden { what: "a reference to an entity", at }),
        _ => None,
    };
    character.ok_or_else(|| malformed(at, "has a reference to a character that no document may contain"))
}
