//! The written messages, and how two messages are compared.

use lanyard_mdm::xml::{Element, Limits, Node, read};

macro_rules! vector {
    ($($name:ident = $file:literal,)+) => {
        $(pub const $name: &[u8] = include_bytes!(concat!("../../testdata/windows-mdm/written/", $file));)+
        pub const ALL: &[(&str, &[u8])] = &[$(($file, $name),)+];
    };
}

vector! {
    DISCOVER = "01-discover-request.xml",
    DISCOVER_ON_PREMISE = "02a-discover-response-onpremise.xml",
    DISCOVER_FEDERATED = "02b-discover-response-federated.xml",
    GET_POLICIES_USERNAME = "03a-getpolicies-request-usernametoken.xml",
    GET_POLICIES_FEDERATED = "03b-getpolicies-request-federated.xml",
    GET_POLICIES_RESPONSE = "04-getpolicies-response.xml",
    ISSUE_USERNAME = "05a-rst-issue-usernametoken.xml",
    ISSUE_FEDERATED = "05b-rst-issue-federated.xml",
    ISSUE_RESPONSE = "06-rstr-issue.xml",
    DOCUMENT_USER = "07a-provisioningdoc-enrol-user.xml",
    DOCUMENT_DEVICE = "07b-provisioningdoc-enrol-device.xml",
    RENEW_MANUAL = "08a-rst-renew-manual.xml",
    RENEW_ROBO = "08b-rst-renew-robo.xml",
    RENEW_RESPONSE = "09-rstr-renew.xml",
    DOCUMENT_RENEWAL = "10-provisioningdoc-renew.xml",
    FAULT_AUTHENTICATION = "11-soap-fault-authentication.xml",
    FAULT_DEVICE_CAP = "12-soap-fault-devicecapreached.xml",
    FAULT_NOT_ELIGIBLE = "13-soap-fault-noteligibletorenew.xml",
}

/// The last page of a sign-in, with its placeholders.
pub const FINAL_PAGE: &[u8] = include_bytes!("../../testdata/windows-mdm/written/02c-federated-final-page.html");

/// The tree of a message.
pub fn tree(octets: &[u8]) -> Element {
    read(octets, &Limits::SOAP).unwrap()
}

/// The tree in a form in which equal messages are equal: attributes sorted, indentation gone, base64 in one line. Prefixes do not count
/// anyway.
pub fn canonical(element: &Element) -> Element {
    let mut copy = Element::new(element.name.namespace.clone(), element.name.local.clone());
    copy.attributes = element.attributes.clone();
    copy.attributes.sort_by_key(|one| (one.name.namespace.to_string(), one.name.local.to_string()));
    let has_children = element.children().next().is_some();
    let is_base64 = element.local() == "BinarySecurityToken";
    for node in &element.nodes {
        match node {
            Node::Element(child) => copy.push(canonical(child)),
            Node::Text(text) if is_base64 => copy.push_text(&text.split_whitespace().collect::<String>()),
            Node::Text(text) if has_children => assert!(text.trim().is_empty(), "text beside elements: {text:?}"),
            Node::Text(text) => copy.push_text(text.trim()),
        }
    }
    copy
}

/// Two messages are equal in structure.
#[track_caller]
pub fn assert_same(ours: &[u8], theirs: &[u8]) {
    let (ours, theirs) = (canonical(&tree(ours)), canonical(&tree(theirs)));
    assert_same_element(&ours, &theirs, "");
}

/// Goes down to the first difference, which a comparison of whole messages would not show.
#[track_caller]
fn assert_same_element(ours: &Element, theirs: &Element, path: &str) {
    assert_eq!(ours.name, theirs.name, "below {path}");
    let path = format!("{path}/{}", ours.local());
    assert_eq!(ours.attributes, theirs.attributes, "at {path}");
    let names = |element: &Element| element.children().map(|child| child.local().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "in {path}");
    assert_eq!(ours.text(), theirs.text(), "at {path}");
    for (ours, theirs) in ours.children().zip(theirs.children()) {
        assert_same_element(ours, theirs, &path);
    }
}

#[test]
fn every_vector_is_read() {
    for (name, octets) in ALL {
        assert!(read(octets, &Limits::SOAP).is_ok(), "{name}");
    }
}
