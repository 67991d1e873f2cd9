//! Renewal: the request in both forms, its signatures, and the answer.

use lanyard_mdm::{
    provisioning::{ProvisioningDocument, Store, thumbprint},
    soap::{Action, Credential, Lifetime, ResponseHeader, Security},
    wstep::{CertificateRequest, RequestSecurityToken, RequestSecurityTokenResponse, UnverifiedRenewal, encode_renewal},
};
use lanyard_model::{
    key::KeyKind,
    serial::SerialNumber,
    time::{Span, Timestamp},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    crypto::software::{SoftwareSigner, generate},
    csr::encode::{CertificationRequestInfo, encode as encode_request},
    key::Signer,
    name,
    signature::SignatureAlgorithm,
};

use crate::{
    enrolment::{header, request, response, response_header, username},
    vectors::{self, assert_same},
};

fn decode(octets: &[u8]) -> RequestSecurityToken {
    RequestSecurityToken::decode(request(octets, Action::RequestSecurityToken).body().unwrap()).unwrap()
}

fn pkcs7(octets: &[u8]) -> (Vec<u8>, bool) {
    match decode(octets).request {
        CertificateRequest::Renew { pkcs7, is_twice_encoded } => (pkcs7, is_twice_encoded),
        CertificateRequest::Issue(_) => panic!("an issue"),
    }
}

#[test]
fn vector_08_is_the_same_message_encoded_twice_and_once() {
    let (manual, twice) = pkcs7(vectors::RENEW_MANUAL);
    let (robo, once) = pkcs7(vectors::RENEW_ROBO);
    assert!(twice && !once && manual == robo);
    let lifetime = Lifetime { created: Timestamp::from_secs(1_796_115_600), expires: Timestamp::from_secs(1_796_115_900) };
    for (octets, number, password) in [(vectors::RENEW_MANUAL, 6, "{{PASSWORD}}"), (vectors::RENEW_ROBO, 7, "")] {
        let received = request(octets, Action::RequestSecurityToken);
        match received.header.security.credential().unwrap() {
            Credential::Password { password: found, .. } => assert_eq!(found.expose(), password),
            Credential::Username(user) => assert_eq!((user, password), ("alex@example.com", "")),
            other => panic!("{other:?}"),
        }
        assert_eq!(received.header.security.timestamp, Some(lifetime));
        let security = Security { timestamp: Some(lifetime), ..username(password) };
        let header = header(Action::RequestSecurityToken, number, &received.header.to, security);
        let body = decode(octets);
        // The vectors of renewals put the items of the context into an order of their own.
        let ours = header.encode(reordered(body.encode())).unwrap();
        assert_same(ours.expose().as_bytes(), octets);
    }
}

fn reordered(mut body: lanyard_mdm::xml::Element) -> lanyard_mdm::xml::Element {
    use lanyard_mdm::xml::Node;
    let order =
        ["DeviceType", "ApplicationVersion", "OSEdition", "OSVersion", "HWDevID", "DeviceID", "EnrollmentType", "RequestVersion"];
    for node in &mut body.nodes {
        if let Node::Element(context) = node
            && context.local() == "AdditionalContext"
        {
            context.nodes.sort_by_key(|node| match node {
                Node::Element(item) => order.iter().position(|name| item.attribute("", "Name") == Some(name)),
                Node::Text(_) => None,
            });
        }
    }
    body
}

#[test]
fn renewal_4_both_value_types_and_sloppy_base64_are_accepted() {
    let text = std::str::from_utf8(vectors::RENEW_ROBO).unwrap();
    let expected = pkcs7(vectors::RENEW_ROBO);
    let secext = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#PKCS7";
    let other_type = text.replace("http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7", secext);
    assert_eq!(pkcs7(other_type.as_bytes()), expected);
    assert_eq!(pkcs7(text.replace("5tA=", "5tA").as_bytes()), expected);
    assert_eq!(pkcs7(text.replace('\n', "\r\n").as_bytes()), expected);
    for (from, to) in
        [("#PKCS7", "#PKCS10"), ("200512/Renew", "200512/Issue"), ("200512/Renew", "200512/Cancel"), ("MIIIVg", "!IIVg")]
    {
        let octets = text.replace(from, to).into_bytes();
        let received = request(&octets, Action::RequestSecurityToken);
        assert_eq!(RequestSecurityToken::decode(received.body().unwrap()).unwrap_err().code(), "mdm.value", "{to}");
    }
}

#[test]
fn vector_08_verifies_with_the_old_certificate_and_carries_the_new_key() {
    let (pkcs7, _) = pkcs7(vectors::RENEW_ROBO);
    let unverified = UnverifiedRenewal::decode(&pkcs7).unwrap();
    let old = unverified.certificate().unwrap().clone();
    assert_eq!(thumbprint(&old), "CC1F35133DBA51BC1092CC40D850D551CC3B619D");
    assert!(unverified.signer().names(&old));
    let renewal = unverified.verify(&old).unwrap();
    let new = ProvisioningDocument::decode(vectors::DOCUMENT_RENEWAL).unwrap();
    new.check_key(&renewal.request.content.key).unwrap();
    assert_eq!(renewal.signer.der(), old.der());
    // Any octet changed, and it holds no longer or is no longer read.
    for place in (0..pkcs7.len()).step_by(37) {
        let mut altered = pkcs7.clone();
        altered[place] ^= 1;
        let verified = UnverifiedRenewal::decode(&altered).and_then(|one| one.verify(&old));
        // The enclosed certificate is only an offer: whoever verifies brings his own.
        let is_offer = verified.as_ref().is_ok_and(|one| one.pkcs10 == renewal.pkcs10);
        assert!(verified.is_err() || is_offer, "octet {place}");
    }
}

#[test]
fn vector_09_carries_vector_10() {
    let received = response(vectors::RENEW_RESPONSE, Action::RequestSecurityToken, 7);
    let decoded = RequestSecurityTokenResponse::decode(&received.body).unwrap();
    assert_same(decoded.provisioning_document.expose(), vectors::DOCUMENT_RENEWAL);
    let header = ResponseHeader { timestamp: received.header.timestamp, ..response_header(Action::RequestSecurityToken, 7) };
    assert_same(header.encode(decoded.encode()).unwrap().as_bytes(), vectors::RENEW_RESPONSE);
    let document = ProvisioningDocument::decode(decoded.provisioning_document.expose()).unwrap();
    assert_eq!(document.certificate_store.client.store, Store::User);
}

/// Kind of a key; an RSA key takes long to make.
pub enum Kind {
    Ec,
    Rsa,
}

/// A key and a certificate that it signed itself.
pub fn identity(kind: Kind) -> (SoftwareSigner, Certificate) {
    let kind = match kind {
        Kind::Ec => KeyKind::EcP256,
        Kind::Rsa => KeyKind::Rsa(2048),
    };
    let key = SoftwareSigner::from_pkcs8(&generate(kind).unwrap()).unwrap();
    let algorithm = SignatureAlgorithm::natural(kind);
    let subject = name::encode(&name::parse("CN=device").unwrap());
    let now = Timestamp::from_secs(1_800_000_000);
    let serial = SerialNumber::from_random(lanyard_pki::crypto::random::random().unwrap());
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer: &subject,
        not_before: now,
        not_after: now + Span::from_days(1),
        subject: &subject,
        spki: &key.public_key().spki,
        extensions: &[],
    }
    .encode();
    let signature = key.sign(algorithm, &tbs).unwrap();
    let certificate = Certificate::decode(&assemble(&tbs, algorithm, &signature)).unwrap();
    (key, certificate)
}

#[test]
fn renewal_5_only_the_named_key_is_believed() {
    let (old_key, old) = identity(Kind::Ec);
    let (new_key, new) = identity(Kind::Ec);
    let now = Timestamp::from_secs(1_800_000_000);
    let pkcs10 = encode_request(&CertificationRequestInfo::default(), &new_key).unwrap();
    let message = encode_renewal(&pkcs10, &old_key, &old, now).unwrap();
    let unverified = UnverifiedRenewal::decode(&message).unwrap();
    let renewal = unverified.verify(&old).unwrap();
    assert_eq!(renewal.request.content.key, *new_key.public_key());
    assert_eq!(unverified.verify(&new).unwrap_err().code(), "mdm.renewal");
    // Signed by the new key in the name of the old one.
    let forged = encode_renewal(&pkcs10, &new_key, &old, now).unwrap();
    assert_eq!(UnverifiedRenewal::decode(&forged).unwrap().verify(&old).unwrap_err().code(), "mdm.renewal");
    // Well signed, but no request inside.
    let other = encode_renewal(b"not a request", &old_key, &old, now).unwrap();
    assert_eq!(UnverifiedRenewal::decode(&other).unwrap().verify(&old).unwrap_err().code(), "mdm.request");
    // The mistake of others: a PKCS#10 where the PKCS#7 belongs.
    assert_eq!(UnverifiedRenewal::decode(&pkcs10).unwrap_err().code(), "mdm.renewal");
}
