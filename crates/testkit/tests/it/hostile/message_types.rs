//! Message types are an allow-list: everything else is refused before any other branch, and spends nothing.

use lanyard_enroll::scep::attributes::{MESSAGE_TYPE, SENDER_NONCE, TRANSACTION_ID};
use lanyard_pki::{tlv::tag, write};
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, draft::Draft, endpoint::Endpoint},
    server::TestServer,
};

use crate::support::{assert_nothing_issued, audited};

/// Sends variants of one honest request with one good challenge, then the honest request itself: the challenge must still be good.
async fn refused_all_and_spent_nothing(server: &TestServer, variants: Vec<(String, Device, Draft)>, endpoint: &Endpoint) {
    let tries = variants.len();
    for (what, device, draft) in variants {
        let message = draft.sign();
        let response = endpoint.post(&message).await;
        let id = assert_nothing_issued(endpoint, &device, &message, &response);
        let record = server.admin.request(&id).await;
        assert_eq!(record.state, "denied", "{what}");
        assert!(record.reason.is_some_and(|r| r.starts_with("scep.")), "{what}");
    }
    assert!(server.admin.certificates().await.is_empty());
    let denied: usize = audited(server).await.iter().filter(|((kind, _), _)| kind == "request-denied").map(|(_, n)| n).sum();
    assert_eq!(denied, tries, "every try is audited");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_3_2_1_2_of_all_numbers_only_pkcs_req_enrols() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let honest = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let mut variants = Vec::new();
    for number in (0..=255).filter(|n| *n != 19) {
        let device = Device { message_type: number.to_string(), ..honest.clone() };
        let draft = device.draft(&endpoint);
        variants.push((number.to_string(), device, draft));
    }
    refused_all_and_spent_nothing(&server, variants, &endpoint).await;
    let counts = audited(&server).await;
    let count = |reason: &str| counts.get(&("request-denied".into(), reason.into())).copied().unwrap_or_default();
    // 17 without a certificate of ours, 20 without a request: both are known types. The other 253 are not.
    assert_eq!((count("scep.message-type"), count("scep.renewal-signer")), (253, 1));
    endpoint.enrol(&honest).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_3_2_1_attributes_of_another_form_are_refused() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let honest = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let mut variants = Vec::new();
    let mut variant = |what: String, change: &dyn Fn(&mut Draft)| {
        let mut draft = honest.draft(&endpoint);
        change(&mut draft);
        variants.push((what, honest.clone(), draft));
    };
    let texts =
        ["", " ", "19 ", " 19", "019", "+19", "19\n", "19\0", "1 9", "0x13", "19.0", "-19", "XIX", "PKCSReq", "19,20", "191"];
    for text in texts {
        variant(format!("{text:?}"), &|d| d.set(MESSAGE_TYPE, vec![write::printable_string(text)]));
    }
    variant("very long".into(), &|d| d.set(MESSAGE_TYPE, vec![write::printable_string(&"19".repeat(2000))]));
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("UTF8String", write::utf8_string("19")),
        ("IA5String", write::ia5_string("19")),
        ("NumericString", write::element(tag::NUMERIC_STRING, b"19")),
        ("TeletexString", write::element(tag::TELETEX_STRING, b"19")),
        ("BMPString", write::element(tag::BMP_STRING, b"\x001\x009")),
        ("INTEGER", write::integer(19)),
        ("ENUMERATED", write::element(tag::ENUMERATED, &[19])),
        ("OCTET STRING", write::octet_string(b"19")),
        ("SEQUENCE around it", write::sequence(&[write::printable_string("19")])),
        ("NULL", write::null()),
        ("fullwidth digits", write::printable_string("\u{ff11}\u{ff19}")),
    ];
    for (what, value) in forms {
        variant(what.into(), &|d| d.set(MESSAGE_TYPE, vec![value.clone()]));
    }
    let good = write::printable_string("19");
    let several = [vec![good.clone(), good.clone()], vec![good.clone(), write::printable_string("3")], Vec::new()];
    for values in several {
        variant(format!("{} values", values.len()), &|d| d.set(MESSAGE_TYPE, values.clone()));
    }
    variant("absent".into(), &|d| d.remove(MESSAGE_TYPE));
    variant("twice".into(), &|d| d.attributes.push(d.attributes.iter().find(|a| a.oid == MESSAGE_TYPE).unwrap().clone()));

    variant("no transactionID".into(), &|d| d.remove(TRANSACTION_ID));
    variant("empty transactionID".into(), &|d| d.set(TRANSACTION_ID, vec![write::printable_string("")]));
    variant("transactionID of 256".into(), &|d| d.set(TRANSACTION_ID, vec![write::printable_string(&"a".repeat(256))]));
    variant("transactionID as UTF8String".into(), &|d| d.set(TRANSACTION_ID, vec![write::utf8_string("a")]));
    variant("two transactionIDs".into(), &|d| {
        d.set(TRANSACTION_ID, vec![write::printable_string("a"), write::printable_string("b")]);
    });
    variant("no senderNonce".into(), &|d| d.remove(SENDER_NONCE));
    variant("empty senderNonce".into(), &|d| d.set(SENDER_NONCE, vec![write::octet_string(&[])]));
    variant("senderNonce of 65".into(), &|d| d.set(SENDER_NONCE, vec![write::octet_string(&[7; 65])]));
    variant("senderNonce as text".into(), &|d| d.set(SENDER_NONCE, vec![write::printable_string("0123456789abcdef")]));
    refused_all_and_spent_nothing(&server, variants, &endpoint).await;
    endpoint.enrol(&honest).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc5652_5_signatures_that_do_not_hold_are_refused() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let honest = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let other = Device::new(rsa(1), "CN=laptop-1,O=Example");
    let mut variants = Vec::new();
    let mut variant = |what: &str, change: &dyn Fn(&mut Draft)| {
        let mut draft = honest.draft(&endpoint);
        change(&mut draft);
        variants.push((what.to_owned(), honest.clone(), draft));
    };
    use lanyard_pki::oids::{CONTENT_TYPE, MESSAGE_DIGEST};
    variant("signed by another key than the signer's", &|d| d.key = rsa(1));
    variant("without the signer's certificate", &|d| d.certificates.clear());
    variant("with another's certificate only", &|d| d.certificates = vec![other.signer.der().to_vec()]);
    variant("digest of something else", &|d| d.set(MESSAGE_DIGEST, vec![write::octet_string(&[0; 32])]));
    variant("two digests", &|d| d.set(MESSAGE_DIGEST, vec![write::octet_string(&[0; 32]), write::octet_string(&[0; 32])]));
    variant("digest cut off", &|d| d.set(MESSAGE_DIGEST, vec![write::octet_string(&[])]));
    variant("another contentType attribute", &|d| {
        d.set(CONTENT_TYPE, vec![write::oid(lanyard_pki::oids::SIGNED_DATA)]);
    });
    variant("another eContentType", &|d| d.content_type = lanyard_pki::oids::SIGNED_DATA);
    variant("no content", &|d| d.content = None);
    variant("two signers", &|d| d.signers = 2);
    variant("no signer", &|d| d.signers = 0);
    refused_all_and_spent_nothing(&server, variants, &endpoint).await;
    // The honest message still holds when a stranger's certificate comes first.
    let mut draft = honest.draft(&endpoint);
    draft.certificates.insert(0, other.signer.der().to_vec());
    endpoint.send(&draft.sign(), &honest).await.assert_issued();
}
