//! What several tests need.

use std::collections::BTreeMap;

use lanyard_enroll::scep::{attributes::TRANSACTION_ID, request::decode};
use lanyard_pki::{certificate::encode::assemble, key::Signer, name, oids, signature::SignatureAlgorithm, tlv::tag, write};
use lanyard_testkit::{
    http::Response,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::TestServer,
};

/// Sends a message that must not get a certificate: it is answered by a signed FAILURE, or by 400 when no answer could be addressed.
/// Returns what the server calls the request.
#[track_caller]
pub fn assert_nothing_issued(endpoint: &Endpoint, device: &Device, message: &[u8], response: &Response) -> String {
    let id = response.field("lanyard-request-id").expect("every message has an id").to_owned();
    if response.status == 400 {
        // Only what cannot be addressed is left without a signed answer.
        let addressable = decode(message, true).reply_to;
        assert!(addressable.is_none(), "an addressable message got no CertRep: {addressable:?} {TRANSACTION_ID}");
        return id;
    }
    let reply = CertRep::read(response, &endpoint.ra, device);
    assert_eq!(reply.status, "2", "request {id}");
    id
}

/// How often each kind of event, with each reason, stands in the audit log.
pub async fn audited(server: &TestServer) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for record in server.admin.audit().await {
        *counts.entry((record.kind, record.reason.unwrap_or_default())).or_default() += 1;
    }
    counts
}

/// The kind and reason of the one audited decision about a request.
pub async fn audited_decision(server: &TestServer, request: &str) -> (String, String) {
    let events = server.admin.audit().await;
    let mut found = events.into_iter().filter(|e| e.request.as_deref() == Some(request));
    let first = found.next().unwrap_or_else(|| panic!("request {request} is not audited"));
    assert!(found.next().is_none(), "request {request} is audited more than once");
    (first.kind, first.reason.unwrap_or_default())
}

/// The device's CSR with this value as challengePassword.
pub fn csr_with_challenge(device: &Device, value: &[u8]) -> Vec<u8> {
    let attribute = write::sequence(&[write::oid(oids::CHALLENGE_PASSWORD), write::constructed(tag::SET, &[value])]);
    csr_with_attributes(device, &[attribute])
}

/// The device's CSR with exactly these attributes.
pub fn csr_with_attributes(device: &Device, attributes: &[Vec<u8>]) -> Vec<u8> {
    let info = write::sequence(&[
        write::integer(0),
        name::encode(&device.info.subject),
        device.key.public().spki.clone(),
        write::constructed(tag::context(0), attributes),
    ]);
    let algorithm = SignatureAlgorithm::natural(device.key.public().kind);
    assemble(&info, algorithm, &device.key.signer.sign(algorithm, &info).unwrap())
}
