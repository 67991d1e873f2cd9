//! Enrolment with a certificate: canonical XML and the signature over it.

use lanyard_mdm::{
    discovery::Discover,
    soap::{
        Action, Lifetime, Request, Security,
        c14n::canonicalize,
        signature::{sign, verify},
    },
};
use lanyard_model::time::{Span, Timestamp};
use lanyard_pki::crypto::digest::sha256;

use crate::{
    enrolment::header,
    renewal::{Kind, identity},
    vectors::{self, tree},
};

#[test]
fn exc_c14n_declares_what_is_used_where_it_is_used() {
    let canonical = |text: &str| canonicalize(&tree(text.as_bytes()));
    for (text, expected) in [
        ("<a/>", "<a></a>"),
        (
            "<a xmlns='u:1' xmlns:b='u:2'><b:c d='1' b:e='2'/></a>",
            "<a xmlns=\"u:1\"><b:c xmlns:b=\"u:2\" d=\"1\" b:e=\"2\"></b:c></a>",
        ),
        ("<a xmlns='u:1'><b xmlns=''><c xmlns='u:1'/></b></a>", "<a xmlns=\"u:1\"><b xmlns=\"\"><c xmlns=\"u:1\"></c></b></a>"),
        (
            "<p:a xmlns:p='u:1'><p:b xmlns:p='u:2'/><p:c/></p:a>",
            "<p:a xmlns:p=\"u:1\"><p:b xmlns:p=\"u:2\"></p:b><p:c></p:c></p:a>",
        ),
        (
            "<a z='1' y='2' xmlns:q='u:1' xmlns:p='u:2' p:a='3' q:b='4'/>",
            "<a xmlns:p=\"u:2\" xmlns:q=\"u:1\" y=\"2\" z=\"1\" q:b=\"4\" p:a=\"3\"></a>",
        ),
        (
            "<a x='&lt;&quot;&#10;&#13;&#9;>'>&lt;&gt;&amp;&#13;\"<!-- c --><![CDATA[<]]></a>",
            "<a x=\"&lt;&quot;&#xA;&#xD;&#x9;>\">&lt;&gt;&amp;&#xD;\"&lt;</a>",
        ),
        ("<a xml:lang='en'/>", "<a xml:lang=\"en\"></a>"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

/// SHA-256 of the canonical form of each whole vector, by another implementation: libxml2, through lxml.
const DIGESTS: &[(&str, &str)] = &[
    ("01-discover-request.xml", "b64a781f9b80c5b1dada25e5d5c7992af675d6aced71aa06261224bd9d23cde1"),
    ("02a-discover-response-onpremise.xml", "9c1cd0df6a7108e1e321410504e4b2069a4139d8631bfb957dd7e9bfc910fc2d"),
    ("02b-discover-response-federated.xml", "e0a3f0e4f73f7efdcb82458270f2f8deceffdf98a5ff6a16bbf7e23b005e25cc"),
    ("03a-getpolicies-request-usernametoken.xml", "ce89dd5ef64bd74cd64e26d42a2fb23a0e973415489347b166664c320a3e49ef"),
    ("03b-getpolicies-request-federated.xml", "4e2db086978e056a6039bc3a9682420065a6ccf2859a39d196ec1dc035d2a8bb"),
    ("04-getpolicies-response.xml", "0490245b5bff067d6de04a97c8cf7f1dd66bec2c83e57c4bde8d143960bdcdf5"),
    ("05a-rst-issue-usernametoken.xml", "8b2b485027e96998793e19cd7cb51a2c465d645f630528c8d8ca89f265139cea"),
    ("05b-rst-issue-federated.xml", "d4be12f689f28783072b0e2a5fb2a9c2888dabfe2dfaf5910ecba88c12f36144"),
    ("06-rstr-issue.xml", "08c7e79cbb5ef7b6f3dfa8314b9a1e3d1c88630c9e01bbb1170de0cf84d2e509"),
    ("07a-provisioningdoc-enrol-user.xml", "1bd35ec3f8b966251183c499236598a1d1e78e08d453ed019a7863882f9676b3"),
    ("07b-provisioningdoc-enrol-device.xml", "d786f463ae5f20e620e3a4868b6a58625da64ee3e5828a0ef1d1c67d79754535"),
    ("08a-rst-renew-manual.xml", "c89e2493871ba676f92300628c3983bcac3c09f8390bfb0af50023294b5fd41f"),
    ("08b-rst-renew-robo.xml", "97386c830fed87aa11ddb3cf620e1da8ca51afbfe7d68fe240797a64f304b2f3"),
    ("09-rstr-renew.xml", "107c91625b4c0f24e5ed3c1507a0a0f9f9ee497e87b0e4cd213dfc5cb954ac5e"),
    ("10-provisioningdoc-renew.xml", "38d5bfc7087031f334bfffbb79e5fdde95714e60e5d37076cd2f24eb32b34f67"),
    ("11-soap-fault-authentication.xml", "f5ecc1c3dcc2192b8e0dc3a6a5ae86b5da3dfded59b5e516d5bfa4fec7cd7b17"),
    ("12-soap-fault-devicecapreached.xml", "5934238961d38304daf4d80d4f477eb18dc6e196572a3ea71d105ac426139131"),
    ("13-soap-fault-noteligibletorenew.xml", "dbfc0cf2fb2ce997e877ddaaefdc7d879e155819f7f288c8397f30bb4b6df93a"),
];

#[test]
fn exc_c14n_agrees_with_another_implementation() {
    for (name, octets) in vectors::ALL {
        let digest = sha256(canonicalize(&tree(octets)).as_bytes());
        let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let expected = DIGESTS.iter().find(|(file, _)| file == name).unwrap().1;
        assert_eq!(digest, expected, "{name}");
    }
}

fn signed() -> String {
    let (key, certificate) = identity(Kind::Rsa);
    let created = Timestamp::from_secs(1_800_000_000);
    let lifetime = Lifetime { created, expires: created + Span::from_secs(300) };
    let security = Security { timestamp: Some(lifetime), ..Security::default() };
    let received = Request::decode(vectors::DISCOVER, Action::Discover).unwrap();
    let body = Discover::decode(received.body().unwrap()).unwrap().encode();
    let message = sign(&header(Action::Discover, 1, "https://mdm.example.com/", security), body, &key, &certificate).unwrap();
    let request = Request::decode(message.expose().as_bytes(), Action::Discover).unwrap();
    let signed = verify(&request, false).unwrap();
    assert!(signed.covers_body && signed.certificate.der() == certificate.der());
    let lifetime = request.header.security.timestamp.unwrap();
    let tolerance = Span::from_secs(60);
    assert!(lifetime.contains(created - tolerance, tolerance) && !lifetime.contains(created + Span::from_secs(361), tolerance));
    message.expose().to_owned()
}

#[test]
fn a_signature_holds_for_what_it_covers_and_nothing_else() {
    let message = signed();
    let check = |text: &str| Request::decode(text.as_bytes(), Action::Discover).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(message.contains(from), "{from} in {message}");
        let error = verify(&check(&message.replacen(from, to, 1)), false).unwrap_err();
        assert!(matches!(error.code(), "mdm.signature" | "mdm.missing" | "mdm.repeated"), "{from}: {error}");
    };
    refused("alex@", "eve@");
    refused("2027-01-15T08:00:00Z</u:Created>", "2027-01-15T08:00:01Z</u:Created>");
    refused("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha512");
    refused("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1");
    refused("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1");
    refused("http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315");
    refused("URI=\"#_1\"", "URI=\"#_2\"");
    refused("URI=\"#_1\"", "URI=\"\"");
    refused("URI=\"#uuid", "URI=\"#other");
    refused("<ds:SignatureValue>", "<ds:SignatureValue>AAAA");
    // A second part of the same name, before the one that was signed.
    refused("<a:To ", "<a:To u:Id=\"_0\" ");
    // What is not covered may change: the address, for one.
    verify(&check(&message.replacen("https://mdm.example.com/", "https://other.example.com/", 1)), false).unwrap();
    // The signed body moved into a header that is passed over, and another one in its place.
    let start = message.find("<s:Body").unwrap();
    let end = message.find("</s:Body>").unwrap() + "</s:Body>".len();
    let body = &message[start..end];
    let wrapped = format!("<x xmlns=\"u:x\">{body}</x></s:Header>");
    let moved = message.replace(body, &body.replace("alex@", "eve@")).replace("</s:Header>", &wrapped);
    assert_eq!(verify(&check(&moved), false).unwrap_err().code(), "mdm.signature");
    // Without a signature the token is one of the sign-in page, which proves nothing here.
    let unsigned = std::str::from_utf8(vectors::GET_POLICIES_FEDERATED).unwrap();
    let unsigned = Request::decode(unsigned.as_bytes(), Action::GetPolicies).unwrap();
    assert_eq!(verify(&unsigned, true).unwrap_err().code(), "mdm.missing");
}
