//! Twice the input costs at most two and a half times the work, and nothing that is refused costs much.

use std::time::{Duration, Instant};

use lanyard_enroll::scep::{attributes::TRANSACTION_ID, request::decode};
use lanyard_pki::{
    cms::{enveloped::EnvelopedData, signed::SignedData},
    csr, general_name, name, oids,
    tlv::{Reader, tag},
    write,
};
use lanyard_testkit::{
    http,
    keys::rsa,
    scep::{
        device::Device,
        draft::{Attribute, Draft},
        endpoint::Endpoint,
    },
    server::TestServer,
};

fn draft() -> Draft {
    Device::new(rsa(0), "CN=x").draft_of(Some(vec![5; 10]))
}

fn set(n: usize, member: &[u8]) -> Vec<u8> {
    write::element(tag::SET, &member.repeat(n))
}

fn signed_data(digests: Vec<u8>, certificates: Vec<u8>, signers: Vec<u8>) -> Vec<u8> {
    let content = write::sequence(&[write::oid(oids::DATA)]);
    let data = write::sequence(&[write::integer(1), digests, content, certificates, signers]);
    write::sequence(&[write::oid(oids::SIGNED_DATA), write::explicit(0, &data)])
}

fn enveloped_data(recipients: Vec<u8>, content: Vec<u8>) -> Vec<u8> {
    let data = write::sequence(&[write::integer(0), recipients, content]);
    write::sequence(&[write::oid(oids::ENVELOPED_DATA), write::explicit(0, &data)])
}

type Maker = Box<dyn Fn(usize) -> Vec<u8>>;

/// Inputs of about n octets that are hard on careless parsers.
fn hostile() -> Vec<(&'static str, Maker)> {
    let algorithm = write::sequence(&[write::oid(oids::SHA256)]);
    let attribute = write::sequence(&[write::oid("1.2.3.4".parse().unwrap()), write::constructed(tag::SET, &[write::null()])]);
    let certificate = Device::new(rsa(0), "CN=x").signer.der().to_vec();
    let empty = || set(0, &[]);
    let none = || write::element(tag::context(0), &[]);
    let many_attributes = move |n: usize| {
        let mut draft = draft();
        let one = Attribute { oid: "1.2.3.4".parse().unwrap(), values: vec![write::null()] };
        draft.attributes.extend(std::iter::repeat_n(one, n / attribute.len()));
        draft.sign()
    };
    vec![
        ("digest algorithms", Box::new(move |n| signed_data(set(n / algorithm.len(), &algorithm), none(), empty()))),
        (
            "digest algorithms, descending",
            Box::new(move |n| {
                let members: Vec<Vec<u8>> = (0..n / 8).rev().map(|i| write::sequence(&[write::integer(i as u64)])).collect();
                signed_data(write::constructed(tag::SET, &members), none(), empty())
            }),
        ),
        (
            "certificates",
            Box::new(move |n| {
                let all = write::element(tag::context(0), &certificate.repeat(n / certificate.len()));
                signed_data(empty(), all, empty())
            }),
        ),
        ("empty signers", Box::new(move |n| signed_data(empty(), none(), set(n / 2, &[0x30, 0])))),
        ("signed attributes", Box::new(many_attributes)),
        (
            "values of one attribute",
            Box::new(|n| {
                let mut draft = draft();
                draft.set(TRANSACTION_ID, vec![write::printable_string("a"); n / 3]);
                draft.sign()
            }),
        ),
        (
            "a long transactionID",
            Box::new(|n| {
                let mut draft = draft();
                draft.set(TRANSACTION_ID, vec![write::printable_string(&"a".repeat(n))]);
                draft.sign()
            }),
        ),
        (
            "nested sequences",
            Box::new(|n| {
                let mut inner = Vec::new();
                while inner.len() < n.min(4000) {
                    inner = write::element(tag::SEQUENCE, &inner);
                }
                [inner, [0x30, 0].repeat(n.saturating_sub(4000) / 2)].concat()
            }),
        ),
        ("nested indefinite lengths", Box::new(|n| [0x30, 0x80].repeat(n / 2))),
        ("nested constructed strings", Box::new(|n| [0x24, 0x80].repeat(n / 2))),
        ("closed indefinite lengths", Box::new(|n| [[0x30, 0x80].repeat(n / 4), [0, 0].repeat(n / 4)].concat())),
        (
            "a string in chunks",
            Box::new(|n| {
                let chunks = [vec![0x24, 0x80], [4, 1, 9].repeat(n / 3), vec![0, 0]].concat();
                enveloped_data(set(0, &[]), chunks)
            }),
        ),
        (
            "thirty deep around much",
            Box::new(|n| (0..30).fold([5, 0].repeat(n / 2), |inner, _| write::element(tag::SEQUENCE, &inner))),
        ),
        ("recipients", Box::new(|n| enveloped_data(set(n / 4, &[0x30, 2, 5, 0]), Vec::new()))),
        ("recipients of other kinds", Box::new(|n| enveloped_data(set(n / 2, &[0xa1, 0]), Vec::new()))),
        ("empty elements", Box::new(|n| [5, 0].repeat(n / 2))),
        ("zeros", Box::new(|n| vec![0; n])),
        ("a length beyond the end", Box::new(|n| [vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], vec![0x30; n]].concat())),
    ]
}

/// Everything that reads octets from outside.
fn parse_all(octets: &[u8]) {
    let _ = decode(octets, true);
    let _ = SignedData::decode(octets).map(|_| ());
    let _ = EnvelopedData::decode(octets).map(|_| ());
    let _ = csr::decode::decode(octets, true).map(|_| ());
    let _ = lanyard_pki::certificate::Certificate::decode(octets).map(|c| c.extensions().map(|_| ()));
    let _ = Reader::sequence_of(octets, "name").and_then(name::decode);
    let _ = general_name::decode(octets);
}

/// The least of several runs, which is the work itself: whatever else the machine does only lengthens a run.
fn work(octets: &[u8]) -> Duration {
    let run = || {
        let began = Instant::now();
        parse_all(octets);
        began.elapsed()
    };
    (0..9).map(|_| run()).min().unwrap()
}

/// Twice the input at most 2.5 times the work, and that twice over: the wider span tells linear (4) from quadratic (16) by more than
/// the noise of a busy machine.
#[test]
fn twice_the_input_is_at_most_two_and_a_half_times_the_work() {
    const SIZE: usize = 125_000;
    for (what, make) in hostile() {
        let (once, four_times) = (make(SIZE), make(4 * SIZE));
        // What is over in an instant cannot grow; and caches shared with other work must not fail the test, so it is measured again.
        let linear = (0..10).any(|_| {
            let (short, long) = (work(&once), work(&four_times));
            long < Duration::from_millis(2) || long.as_secs_f64() <= 2.5 * 2.5 * short.as_secs_f64()
        });
        assert!(linear, "{what}: {:?} for {SIZE} octets, {:?} for four times as many", work(&once), work(&four_times));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_messages_of_the_largest_size_are_refused_and_the_next_honest_one_is_served() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for (what, make) in hostile() {
        let message = make(60_000);
        assert!(message.len() <= 64 * 1024 + 1024, "{what}: {}", message.len());
        let response = endpoint.post(&message).await;
        assert!(matches!(response.status, 200 | 400 | 413), "{what}: {}", response.status);
    }
    let huge = http::request(server.http, "POST", "/scep/default?operation=PKIOperation", "", &vec![0x30; 64 * 1024 + 1]).await;
    assert_eq!(huge.unwrap().status, 413);
    assert!(server.admin.certificates().await.is_empty());
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    endpoint.enrol(&device).await.assert_issued();
}
