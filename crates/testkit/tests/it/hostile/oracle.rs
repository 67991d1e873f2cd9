//! Every way in which opening an envelope can fail looks the same from outside (security.md, section 2, "SCEP decryption").

use lanyard_model::secret::SecretBytes;
use lanyard_pki::{
    crypto::{cipher::ContentCipher, random::random},
    oids, write,
};
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint, envelope::Envelope, reply::CertRep},
    server::TestServer,
};

use crate::support::csr_with_attributes;

/// What is left of an answer when nonce and signature, which are random, are blanked.
fn masked(reply: &CertRep) -> Vec<u8> {
    let mut octets = reply.octets.clone();
    let nonce = octets.windows(16).position(|w| w == reply.sender_nonce).expect("the nonce");
    octets[nonce..nonce + 16].fill(0);
    // The signature of an RSA key of 2048 bits ends the message.
    let end = octets.len();
    octets[end - 256..].fill(0);
    octets
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_decryption_are_the_same_octets_whatever_the_cause() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    let device = Device::with_challenge(rsa(0), &challenge);
    let other = Device::with_challenge(rsa(1), &challenge);
    let csr = device.csr();
    let good = || Envelope::seal(&csr, &endpoint.ra);
    let wrapped = |key: Vec<u8>| {
        let mut envelope = good();
        envelope.wrap(&endpoint.ra, &SecretBytes::new(key));
        envelope
    };
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = good();
        change(&mut envelope);
        envelope
    };
    let plain = |octets: &[u8]| Envelope::seal(octets, &endpoint.ra);
    let mut unsigned = csr.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    let challenge_twice = write::sequence(&[
        write::oid(oids::CHALLENGE_PASSWORD),
        write::constructed(0x31, &[write::printable_string("a"), write::printable_string("b")]),
    ]);
    let once =
        write::sequence(&[write::oid(oids::CHALLENGE_PASSWORD), write::constructed(0x31, &[write::printable_string("a")])]);
    let mut small = vec![0; 256];
    small[255] = 2;
    let cases: Vec<(&str, Envelope)> = vec![
        ("no PKCS#1 padding", with(&|e| e.wrapped = [&[0u8][..], &random::<32>().unwrap().repeat(8)[1..]].concat())),
        ("a wrapped key of zero", with(&|e| e.wrapped = vec![0; 256])),
        ("a wrapped key of two", with(&|e| e.wrapped = small.clone())),
        ("a wrapped key above the modulus", with(&|e| e.wrapped = vec![0xff; 256])),
        ("a wrapped key too short", with(&|e| e.wrapped.truncate(255))),
        ("a wrapped key too long", with(&|e| e.wrapped.push(0))),
        ("no wrapped key", with(&|e| e.wrapped.clear())),
        ("a key of 24 octets for AES-128", wrapped(vec![7; 24])),
        ("a key of 15 octets", wrapped(vec![7; 15])),
        ("an empty key", wrapped(Vec::new())),
        ("another key", wrapped(vec![7; 16])),
        ("the last block altered", with(&|e| *e.ciphertext.last_mut().unwrap() ^= 1)),
        ("the first block altered", with(&|e| e.ciphertext[0] ^= 1)),
        ("another initialisation vector", with(&|e| e.iv[0] ^= 1)),
        ("half a block", with(&|e| e.ciphertext.truncate(24))),
        ("no ciphertext", with(&|e| e.ciphertext.clear())),
        ("AES-256 said, AES-128 done", with(&|e| e.cipher = ContentCipher::Aes256.oid())),
        ("nothing inside", plain(&[])),
        ("one octet inside", plain(&[0x30])),
        ("noise inside", plain(&random::<32>().unwrap().repeat(20))),
        ("a CSR cut off", plain(&csr[..csr.len() - 1])),
        ("a CSR and an octet", plain(&[csr.as_slice(), &[0]].concat())),
        ("a CSR whose signature does not hold", plain(&unsigned)),
        ("a CSR of another key", plain(&other.csr())),
        ("a CSR with two challenges in one", plain(&csr_with_attributes(&device, &[challenge_twice]))),
        ("a CSR with the attribute twice", plain(&csr_with_attributes(&device, &[once.clone(), once]))),
        ("a CSR of more than 16 kB", plain(&[0x30; 20_000])),
        ("another recipient", Envelope::seal(&csr, &device.signer)),
        ("an unknown key transport", with(&|e| e.transport = write::sequence(&[write::oid("1.2.3.4".parse().unwrap())]))),
        ("no recipient", with(&|e| e.recipients = 0)),
        ("five recipients", with(&|e| e.recipients = 5)),
    ];
    let mut first: Option<Vec<u8>> = None;
    for (what, envelope) in cases {
        let reply = endpoint.send(&device.draft_of(Some(envelope.encode())).sign(), &device).await;
        assert_eq!((reply.status.as_str(), reply.fail_info.as_deref()), ("2", Some("1")), "{what}");
        assert_eq!(reply.fail_text.as_deref(), Some("message check failed"), "{what}");
        let octets = masked(&reply);
        let expected = first.get_or_insert_with(|| octets.clone());
        assert_eq!(octets.len(), expected.len(), "{what}");
        assert!(octets == *expected, "{what} can be told apart");
        let record = server.admin.request(&reply.request_id).await;
        assert!(matches!(record.reason.as_deref(), Some("scep.envelope" | "scep.signer-key")), "{what}: {:?}", record.reason);
    }
    // Not one of them spent the challenge.
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_cipher_and_digest_is_mirrored_and_every_other_is_bad_alg() {
    use lanyard_pki::signature::Digest;
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for (n, cipher) in [ContentCipher::Aes128, ContentCipher::Aes192, ContentCipher::Aes256].into_iter().enumerate() {
        for digest in [Digest::Sha256, Digest::Sha384, Digest::Sha512] {
            let device = Device::with_challenge(rsa(n), &server.challenge(&format!("{}-{}", cipher.name(), digest.name())).await);
            let mut draft = device.draft_of(Some(Envelope::seal_with(&device.csr(), &endpoint.ra, cipher).encode()));
            draft.digest = digest;
            let reply = endpoint.send(&draft.sign(), &device).await;
            reply.assert_issued();
            assert_eq!(reply.cipher, Some(cipher));
        }
    }
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    for cipher in [ContentCipher::TripleDes, ContentCipher::Des] {
        let draft = device.draft_of(Some(Envelope::seal_with(&device.csr(), &endpoint.ra, cipher).encode()));
        endpoint.send(&draft.sign(), &device).await.assert_refused("0");
    }
    // RC2-CBC and AES-128-GCM.
    for oid in ["1.2.840.113549.3.2", "2.16.840.1.101.3.4.1.6"] {
        let mut envelope = Envelope::seal(&device.csr(), &endpoint.ra);
        envelope.cipher = oid.parse().unwrap();
        endpoint.send(&device.draft_of(Some(envelope.encode())).sign(), &device).await.assert_refused("0");
    }
    let legacy = Endpoint { path: "/scep/legacy".into(), ..endpoint.clone() };
    for cipher in [ContentCipher::TripleDes, ContentCipher::Des] {
        let mut order = lanyard_testkit::server::order("wifi", cipher.name());
        order.profile = Some("legacy".into());
        let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order).await);
        let draft = device.draft_of(Some(Envelope::seal_with(&device.csr(), &endpoint.ra, cipher).encode()));
        let reply = legacy.send(&draft.sign(), &device).await;
        reply.assert_issued();
        assert_eq!(reply.cipher, Some(cipher));
    }
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_by_the_rules_are_the_same_octets_whatever_the_rule() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let used = server.challenge("laptop-1").await;
    let enrolled = Device::with_challenge(rsa(1), &used);
    endpoint.enrol(&enrolled).await.assert_issued();
    let device = Device::new(rsa(0), "CN=laptop-1,O=Example");
    let burnt = server.challenge("laptop-1").await;
    let mut other_names = device.clone().challenge(&burnt.challenge);
    other_names.info.san = vec!["dns:dc.example.org".parse().unwrap()];
    let with = |text: &str| device.clone().challenge(text);
    let unknown = TestServer::start().await.challenge("laptop-1").await;
    let table = [
        ("ra.challenge-missing", device.clone()),
        ("ra.challenge-malformed", with("password")),
        ("ra.challenge-unknown", with(&unknown.challenge)),
        ("ra.challenge-other-key", with(&used.challenge)),
        ("ra.san-mismatch", other_names),
        ("ra.challenge-used", with(&burnt.challenge)),
        ("scep.message-type", Device { message_type: "21".into(), ..device.clone() }),
        ("scep.renewal-signer", Device { message_type: "17".into(), ..device.clone() }),
    ];
    let mut first: Option<Vec<u8>> = None;
    for (reason, asking) in table {
        let reply = endpoint.enrol(&asking).await;
        reply.assert_refused("2");
        assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
        assert!(masked(&reply) == *first.get_or_insert_with(|| masked(&reply)), "{reason} can be told apart");
    }
}
