//! Any document. What is read can be written, and what was written is read as the same.
#![no_main]

use lanyard_mdm::{
    soap::c14n::canonicalize,
    xml::{Element, Limits, Node, Prefixes, read, write},
};

const PREFIXES: Prefixes<'static> = &[("s", "http://www.w3.org/2003/05/soap-envelope")];

/// Attributes in a namespace need a prefix of the list, which a document from outside does not know.
fn is_writable(element: &Element) -> bool {
    element.attributes.iter().all(|one| one.name.namespace.is_empty() || one.name.namespace.starts_with("http://www.w3.org/"))
        && element.nodes.iter().all(|node| match node {
            Node::Element(child) => is_writable(child),
            Node::Text(_) => true,
        })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(tree) = read(data, &Limits::SYNCML) else { return };
    // Canonical XML is XML that says the same.
    let canonical = canonicalize(&tree);
    assert_eq!(read(canonical.as_bytes(), &Limits { octets: usize::MAX, ..Limits::SYNCML }).unwrap(), sorted(&tree));
    if is_writable(&tree)
        && let Ok(text) = write(&tree, PREFIXES, true)
    {
        assert_eq!(read(text.as_bytes(), &Limits { octets: usize::MAX, ..Limits::SYNCML }).unwrap(), tree);
    }
});

/// Attributes in the order of canonical XML.
fn sorted(element: &Element) -> Element {
    let mut copy = element.clone();
    copy.attributes.sort_by(|a, b| (&*a.name.namespace, &a.name.local).cmp(&(&*b.name.namespace, &b.name.local)));
    for node in &mut copy.nodes {
        if let Node::Element(child) = node {
            *child = sorted(child);
        }
    }
    copy
}
