//! Key transport, signatures and recipients beside the usual ones.

use lanyard_enroll::scep::attributes::MESSAGE_TYPE;
use lanyard_pki::{cms::enveloped::KeyTransport, oids, signature::Digest, write};
use lanyard_testkit::{
    keys::rsa,
    programs::openssl::openssl,
    scep::{device::Device, draft::Unsigned, endpoint::Endpoint, envelope::Envelope},
    server::TestServer,
};

fn oaep(parameters: Option<Vec<u8>>) -> Vec<u8> {
    let mut parts = vec![write::oid(oids::RSAES_OAEP)];
    parts.extend(parameters);
    write::sequence(&parts)
}

fn explicit_parameters(digest: Digest) -> Vec<u8> {
    let hash = write::sequence(&[write::oid(digest.oid()), write::null()]);
    let mgf = write::sequence(&[write::oid(oids::MGF1), hash.clone()]);
    write::sequence(&[write::explicit(0, &hash), write::explicit(1, &mgf)])
}

#[tokio::test(flavor = "multi_thread")]
async fn oaep_is_answered_with_the_same_oaep() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let forms = [
        (Digest::Sha1, oaep(None)),
        (Digest::Sha1, oaep(Some(write::sequence::<Vec<u8>>(&[])))),
        (Digest::Sha1, oaep(Some(explicit_parameters(Digest::Sha1)))),
        (Digest::Sha256, oaep(Some(explicit_parameters(Digest::Sha256)))),
        (Digest::Sha384, oaep(Some(explicit_parameters(Digest::Sha384)))),
        (Digest::Sha512, oaep(Some(explicit_parameters(Digest::Sha512)))),
    ];
    for (n, (digest, algorithm)) in forms.into_iter().enumerate() {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{n}")).await);
        let envelope = Envelope::seal_oaep(&device.csr(), &endpoint.ra, digest, algorithm);
        let reply = endpoint.send(&device.draft_of(Some(envelope.encode())).sign(), &device).await;
        reply.assert_issued();
        assert_eq!(reply.transport, Some(KeyTransport::Oaep(digest)));
        assert_eq!(server.admin.request(&reply.request_id).await.accommodations, ["oaep"]);
    }
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-9").await);
    let reply = endpoint.enrol(&device).await;
    assert_eq!(reply.transport, Some(KeyTransport::Pkcs1));
}

#[tokio::test(flavor = "multi_thread")]
async fn pss_signatures_verify() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    std::fs::write(folder.path().join("key.pem"), rsa(0).pem()).unwrap();
    for (digest, name, salt) in
        [(Digest::Sha256, "-sha256", 32), (Digest::Sha384, "-sha384", 48), (Digest::Sha512, "-sha512", 64)]
    {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{salt}")).await);
        let mut draft = device.draft(&endpoint);
        draft.digest = digest;
        let unsigned = draft.unsigned();
        std::fs::write(folder.path().join("attributes"), &unsigned.attributes).unwrap();
        let length = format!("rsa_pss_saltlen:{salt}");
        let arguments = [
            "dgst",
            name,
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            &length,
            "-sign",
            "key.pem",
            "-out",
            "signature",
            "attributes",
        ];
        openssl(&arguments, folder.path()).await.good();
        let signature = std::fs::read(folder.path().join("signature")).unwrap();
        let hash = write::sequence(&[write::oid(digest.oid()), write::null()]);
        let mgf = write::sequence(&[write::oid(oids::MGF1), hash.clone()]);
        let parameters =
            write::sequence(&[write::explicit(0, &hash), write::explicit(1, &mgf), write::explicit(2, &write::integer(salt))]);
        let algorithm = write::sequence(&[write::oid(oids::RSASSA_PSS), parameters]);
        let reply = endpoint.send(&draft.with_signature(Unsigned { algorithm, ..unsigned }, &signature), &device).await;
        reply.assert_issued();
        assert_eq!(server.admin.request(&reply.request_id).await.accommodations, ["pss"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn md5_is_answered_with_bad_alg() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for profile in ["default", "legacy"] {
        let endpoint = Endpoint { path: format!("/scep/{profile}"), ..endpoint.clone() };
        let device = Device::with_challenge(rsa(0), &server.challenge("gear-1").await);
        let draft = device.draft(&endpoint);
        let md5 = write::sequence(&[write::oid("1.2.840.113549.2.5".parse().unwrap()), write::null()]);
        let with_rsa = write::sequence(&[write::oid("1.2.840.113549.1.1.4".parse().unwrap()), write::null()]);
        let unsigned = Unsigned { digest: md5, algorithm: with_rsa, ..draft.unsigned() };
        let reply = endpoint.send(&draft.with_signature(unsigned, &[7; 256]), &device).await;
        reply.assert_refused("0");
        assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("scep.algorithm"));
        let mut unknown_type = device.draft(&endpoint);
        unknown_type.set(MESSAGE_TYPE, vec![write::printable_string("18")]);
        endpoint.send(&unknown_type.sign(), &device).await.assert_refused("2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_recipient_is_found_among_four() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for place in 0..4 {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{place}")).await);
        let mut envelope = Envelope::seal(&device.csr(), &endpoint.ra);
        // Three others, each to a certificate of its own.
        let mut others: Vec<Vec<u8>> =
            (1..4).map(|n| Envelope::seal(&[1], &Device::new(rsa(n), "CN=other").signer).recipient_info()).collect();
        others.insert(place, envelope.recipient_info());
        envelope.others = others;
        envelope.recipients = 0;
        let reply = endpoint.send(&device.draft_of(Some(envelope.encode())).sign(), &device).await;
        reply.assert_issued();
        assert_eq!(server.admin.request(&reply.request_id).await.accommodations, ["several-recipients"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ber_is_read_at_either_layer() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for (n, (inner, outer)) in [(true, true), (true, false), (false, true)].into_iter().enumerate() {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("mac-{n}")).await);
        let mut envelope = Envelope::seal(&device.csr(), &endpoint.ra);
        envelope.ber = inner;
        let mut draft = device.draft_of(Some(envelope.encode()));
        draft.ber = outer;
        let reply = endpoint.send(&draft.sign(), &device).await;
        reply.assert_issued();
        assert_eq!(server.admin.request(&reply.request_id).await.accommodations, ["ber"]);
    }
}
