//! Exclusive XML canonicalisation without comments (W3C xml-exc-c14n, section 3): the octets that a signature is over.

use std::collections::HashMap;

use crate::xml::{Element, Name, Node};

use super::namespace::XML;

/// The canonical form of an element that was read, with everything in it. Only the prefixes that element and attribute names use are
/// declared, which is what the algorithm asks when its InclusiveNamespaces is empty.
#[must_use]
pub fn canonicalize(element: &Element) -> String {
    let mut canonical = Canonical { out: String::new(), rendered: HashMap::new() };
    canonical.element(element);
    canonical.out
}

struct Canonical<'a> {
    out: String,
    /// For each prefix what the enclosing elements declare in the output, innermost last.
    rendered: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Canonical<'a> {
    /// As deep as the document, which is limited.
    fn element(&mut self, element: &'a Element) {
        self.out.push('<');
        self.name(&element.name);
        let declared = self.declarations(element);
        let mut attributes: Vec<_> = element.attributes.iter().collect();
        attributes.sort_by(|a, b| (&*a.name.namespace, &a.name.local).cmp(&(&*b.name.namespace, &b.name.local)));
        for attribute in attributes {
            self.out.push(' ');
            self.name(&attribute.name);
            self.value(&attribute.value);
        }
        self.out.push('>');
        for node in &element.nodes {
            match node {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(text),
            }
        }
        self.out.push_str("</");
        self.name(&element.name);
        self.out.push('>');
        for prefix in declared {
            self.rendered.get_mut(prefix).and_then(Vec::pop);
        }
    }

    /// Writes the declarations that the names of this element need and its ancestors have not written; returns their prefixes.
    fn declarations(&mut self, element: &'a Element) -> Vec<&'a str> {
        let of_attributes = element.attributes.iter().map(|one| &one.name).filter(|name| !name.prefix.is_empty());
        let mut used: Vec<(&str, &str)> =
            std::iter::once(&element.name).chain(of_attributes).map(|name| (&*name.prefix, &*name.namespace)).collect();
        used.sort_unstable();
        used.dedup();
        used.retain(|(prefix, namespace)| {
            let before = self.rendered.get(prefix).and_then(|names| names.last()).copied();
            // Without any declaration the default namespace is none already.
            *namespace != XML && before.unwrap_or_default() != *namespace
        });
        for (prefix, namespace) in &used {
            self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.out.push_str(prefix);
            self.value(namespace);
            self.rendered.entry(prefix).or_default().push(namespace);
        }
        used.into_iter().map(|(prefix, _)| prefix).collect()
    }

    fn name(&mut self, name: &Name) {
        if !name.prefix.is_empty() {
            self.out.push_str(&name.prefix);
            self.out.push(':');
        }
        self.out.push_str(&name.local);
    }

    fn value(&mut self, value: &str) {
        self.out.push_str("=\"");
        for c in value.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '"' => self.out.push_str("&quot;"),
                '\t' => self.out.push_str("&#x9;"),
                '\n' => self.out.push_str("&#xA;"),
                '\r' => self.out.push_str("&#xD;"),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\r' => self.out.push_str("&#xD;"),
                c => self.out.push(c),
            }
        }
    }
}
