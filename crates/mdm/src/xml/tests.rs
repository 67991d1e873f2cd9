//! Documents that are read, and documents that attack.

use proptest::prelude::*;

use super::{Element, Limits, Node, read, write};
use crate::error::MdmError;

fn parse(text: &str) -> Result<Element, MdmError> {
    read(text.as_bytes(), &Limits::SOAP)
}

fn code(text: &str) -> &'static str {
    parse(text).unwrap_err().code()
}

#[test]
fn namespaces_6_scope_and_defaults() {
    let root = parse("<a xmlns='u:1' xmlns:p='u:2'><p:b x='1' p:x='2'/><c xmlns=''><d/></c><e/></a>").unwrap();
    assert!(root.is("u:1", "a"));
    let b = root.require("u:2", "b").unwrap();
    assert_eq!((b.attribute("", "x"), b.attribute("u:2", "x")), (Some("1"), Some("2")));
    assert!(root.require("", "c").unwrap().find("", "d").unwrap().is_some());
    assert!(root.find("u:1", "e").unwrap().is_some());
    // The same attribute by two prefixes, which no comparison of the written names would find.
    assert_eq!(code("<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>"), "mdm.xml");
}

#[test]
fn xml10_2_11_and_3_3_3_ends_of_lines_and_references() {
    let root = parse("<a x='1\r\n2&#10;3\t4'>\r\n &lt;&#x41;<![CDATA[<&]]>\r</a>").unwrap();
    assert_eq!(root.attribute("", "x"), Some("1 2\n3 4"));
    assert_eq!(root.text(), "\n <A<&\n");
    assert_eq!(root.simple_text().unwrap(), "<A<&");
    assert_eq!(root.nodes.len(), 1, "{:?}", root.nodes);
}

#[test]
fn utf_16_and_byte_order_marks() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>ö😀</a>";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, octets) in [(vec![], &little), (vec![0xFF, 0xFE], &little), (vec![0xFE, 0xFF], &big), (vec![], &big)] {
        let octets = [mark.as_slice(), octets].concat();
        assert_eq!(read(&octets, &Limits::SOAP).unwrap().text(), "ö😀");
        let cut = octets.len() - 1;
        assert_eq!(read(&octets[..cut], &Limits::SOAP).unwrap_err().code(), "mdm.encoding");
    }
    assert_eq!(read(b"\xEF\xBB\xBF<a/>", &Limits::SOAP).unwrap().local(), "a");
    // It says something else than it is.
    assert_eq!(code(text), "mdm.encoding");
    let silent: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&silent, &Limits::SOAP).unwrap_err().code(), "mdm.encoding");
    assert_eq!(code("<?xml version='1.0' encoding='iso-8859-1'?><a/>"), "mdm.encoding");
    let lone: Vec<u8> = [0xFEFF_u16, 0x3C, 0xD800, 0x3E].iter().flat_map(|unit| unit.to_be_bytes()).collect();
    assert_eq!(read(&lone, &Limits::SOAP).unwrap_err().code(), "mdm.encoding");
}

#[test]
fn entities_and_document_types_are_refused() {
    let laughs = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><l>&b;</l>";
    let external = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
    let parameter = "<!DOCTYPE a [<!ENTITY % d SYSTEM 'http://192.0.2.1/evil.dtd'> %d;]><a/>";
    let remote = "<?xml version='1.0'?><!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'><a/>";
    for text in [laughs, external, parameter, remote, "<!DOCTYPE a><a/>", "<a>&nbsp;</a>", "<a x='&nbsp;'/>"] {
        assert_eq!(code(text), "mdm.xml-forbidden", "{text}");
    }
    for text in ["<?php x?><a/>", "<a><?x y?></a>", "<?xml-stylesheet href='x'?><a/>"] {
        assert_eq!(code(text), "mdm.xml-forbidden", "{text}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        " ",
        "a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a x='1' x='2'/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<p:a/>",
        "<a p:x='1'/>",
        "<a:b:c xmlns:a='u'/>",
        "<:a/>",
        "<a:/>",
        "<1/>",
        "<a 1='x'/>",
        "<a x='<'/>",
        "<a x=1/>",
        "<a x/>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#+65;</a>",
        "<a>&#;</a>",
        "<a x='&#0;'/>",
        "<a>\0</a>",
        "<a>\u{1}</a>",
        "<a>\u{FFFE}</a>",
        "<a>]]></a>",
        "<a><![CDATA[</a>",
        "<!-- -- --><a/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<?xml version='1.1'?><a/>",
        "<?xml?><a/>",
        "<a/><?xml version='1.0'?>",
        "<a x='1'",
    ] {
        assert_eq!(code(text), "mdm.xml", "{text:?}");
    }
    assert_eq!(read(b"<a>\xC0\xAF</a>", &Limits::SOAP).unwrap_err().code(), "mdm.encoding");
    assert_eq!(read(b"<a>\xED\xA0\x80</a>", &Limits::SOAP).unwrap_err().code(), "mdm.encoding");
}

#[test]
fn limits_hold_at_the_limit_and_not_one_further() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    parse(&deep(64)).unwrap();
    assert_eq!(code(&deep(65)), "mdm.xml-limit");
    assert_eq!(code(&"<a>".repeat(50_000)), "mdm.xml-limit");
    let attributes = |n: usize| format!("<a {}/>", (0..n).map(|i| format!("a{i}='' ")).collect::<String>());
    parse(&attributes(64)).unwrap();
    assert_eq!(code(&attributes(65)), "mdm.xml-limit");
    let namespaces = |n: usize| format!("<a {}/>", (0..n).map(|i| format!("xmlns:a{i}='u' ")).collect::<String>());
    parse(&namespaces(32)).unwrap();
    assert_eq!(code(&namespaces(33)), "mdm.xml-limit");
    let many = |n: usize| format!("<a>{}</a>", "<b/>".repeat(n));
    parse(&many(4095)).unwrap();
    assert_eq!(code(&many(4096)), "mdm.xml-limit");
    assert_eq!(code(&format!("<a>{}</a>", " ".repeat(256 * 1024))), "mdm.too-large");
}

#[test]
fn errors_tell_the_path() {
    let root = parse("<Body><Fault/><Fault/><Code> </Code></Body>").unwrap();
    assert_eq!(root.require("", "Reason").unwrap_err(), MdmError::Missing { path: "Body/Reason".into(), at: 0 });
    assert_eq!(root.find("", "Fault").unwrap_err(), MdmError::Repeated { path: "Body/Fault".into(), at: 14 });
    assert_eq!(root.require_text("", "Code").unwrap_err().code(), "mdm.missing");
    assert_eq!(root.simple_text().unwrap_err().code(), "mdm.value");
}

#[test]
fn prefixes_are_written_as_chosen() {
    let tree = Element::new("u:1", "a")
        .with_attribute("u:2", "x", "<\"\n")
        .child(Element::new("u:2", "b").with_text("&\r"))
        .child(Element::new("u:3", "c").leaf("d", "").child(Element::new("u:1", "e")).child(Element::new("", "f")));
    let text = write(&tree, &[("", "u:1"), ("p", "u:2")], true).unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a xmlns=\"u:1\" xmlns:p=\"u:2\" p:x=\"&lt;&quot;&#10;\"><p:b>&amp;&#13;</p:b>\
         <c xmlns=\"u:3\"><d/><e xmlns=\"u:1\"/><f xmlns=\"\"/></c></a>"
    );
    assert_eq!(parse(&text).unwrap(), tree);
    assert_eq!(write(&tree, &[], false).unwrap_err().code(), "mdm.unwritable");
    assert_eq!(write(&Element::new("", "a").with_text("\0"), &[], false).unwrap_err().code(), "mdm.unwritable");
    assert_eq!(write(&Element::new("", "a b"), &[], false).unwrap_err().code(), "mdm.unwritable");
}

fn tree() -> impl Strategy<Value = Element> {
    let name = || ("(|u:1|u:2|u:3)", "[a-z_][a-zA-Z0-9.-]{0,5}");
    let leaf = (name(), "[ -~\\t\\n\\r\\u{80}-\\u{D7FF}😀]{0,12}")
        .prop_map(|((namespace, local), text)| own(namespace, local).with_text(text));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (name(), prop::collection::vec(inner, 0..4), prop::option::of("[ -~\\t\\n\\r]{0,8}")).prop_map(
            |((namespace, local), children, value)| {
                let element = own(namespace, local).children_of(children);
                match value {
                    Some(value) => element.with("x", value.clone()).with_attribute("u:1", "x", value),
                    None => element,
                }
            },
        )
    })
}

fn own(namespace: String, local: String) -> Element {
    Element::new(super::Namespace::Read(namespace.into()), local)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(tree in tree(), default in "(|u:1|u:2)") {
        let prefixes = [("", default.as_str()), ("p", "u:1"), ("q", "u:3")];
        let text = write(&tree, &prefixes, true).unwrap();
        prop_assert_eq!(parse(&text).unwrap(), tree);
    }

    #[test]
    fn nothing_makes_it_panic(text in "[<>a/&;'\"= x:!\\[\\]?#-]{0,60}") {
        if let Ok(root) = parse(&text) {
            prop_assert!(root.nodes.iter().all(|node| !matches!(node, Node::Text(text) if text.is_empty())));
        }
    }
}
