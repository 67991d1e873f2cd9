//! Sample records. Whatever can be filled in is, so that a column that is lost shows.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::{CertificateRecord, Revocation, RevocationReason},
    challenge::{ChallengeId, ChallengeRecord, ChallengeUse},
    enroll::Protocol,
    id::{AuthorityName, ProfileName, RequestId},
    name::{COMMON_NAME, DistinguishedName, NameAttribute},
    notice::NoticeRecord,
    request::{RequestContext, RequestRecord, RequestState},
    san::SubjectAltName,
    serial::SerialNumber,
    time::{Span, Timestamp},
};
use lanyard_store::ports::{ChallengeClaim, Durability, Intent, Opening, Signed, Store};

/// The present of most tests.
pub const NOW: Timestamp = Timestamp(1_795_000_000_123);

/// Seconds after the present.
pub fn after(seconds: i64) -> Timestamp {
    NOW + Span::from_secs(seconds)
}

pub fn issuer() -> AuthorityName {
    "issuing".parse().unwrap()
}

pub fn profile() -> ProfileName {
    "default".parse().unwrap()
}

pub fn serial(n: u32) -> SerialNumber {
    let mut octets = [0x11; 16];
    octets[12..].copy_from_slice(&n.to_be_bytes());
    SerialNumber::from_magnitude(&octets).unwrap()
}

pub fn digest(n: u32) -> [u8; 32] {
    let mut octets = [0xd1; 32];
    octets[28..].copy_from_slice(&n.to_be_bytes());
    octets
}

pub fn event(kind: AuditKind, request: Option<RequestId>) -> AuditEvent {
    AuditEvent {
        at: NOW,
        kind,
        actor: "scep".to_owned(),
        request,
        reason: Some("ra.sample".to_owned()),
        object: None,
        detail: Some("what happened, in “one” sentence".to_owned()),
    }
}

pub fn name(common: &str) -> DistinguishedName {
    DistinguishedName(vec![
        NameAttribute { oid: COMMON_NAME, value: common.to_owned() },
        NameAttribute { oid: "2.5.4.10".parse().unwrap(), value: "Beispiel, \"GmbH\"\0".to_owned() },
    ])
}

pub fn challenge(n: u32) -> ChallengeRecord {
    ChallengeRecord {
        id: challenge_id(n),
        keyed_hash: digest(n),
        binding: br#"{"instance":"x"}"#.to_vec(),
        created_at: NOW,
        expires_at: after(3600),
        used: None,
    }
}

pub fn challenge_id(n: u32) -> ChallengeId {
    let mut id = [0xc0; 16];
    id[12..].copy_from_slice(&n.to_be_bytes());
    ChallengeId(id)
}

/// The claim of a request with key `key` on challenge `n`.
pub fn claim(n: u32, request: RequestId, key: u32) -> ChallengeClaim {
    ChallengeClaim {
        id: challenge_id(n),
        claim: ChallengeUse { at: NOW, request, csr_digest: digest(key), key_digest: digest(key) },
    }
}

pub async fn save_challenge(store: &dyn Store, n: u32) {
    store.save_challenge(challenge(n), event(AuditKind::ChallengeCreated, None)).await.unwrap();
}

/// A request with key `key`; its message, transaction and key are all `key`'s.
pub fn request(key: u32, state: RequestState) -> RequestRecord {
    RequestRecord {
        id: RequestId::generate(NOW),
        protocol: Protocol::Scep,
        profile: profile(),
        transaction: format!("transaction-{key}"),
        message_digest: digest(key),
        renewal: true,
        signer_key_digest: Some(digest(key)),
        key_digest: Some(digest(key)),
        claims: Some(vec![0x7b, 0x7d]),
        subject: Some(name("laptop")),
        san: vec![
            SubjectAltName::Dns("laptop.example".to_owned()),
            SubjectAltName::Ip("2001:db8::1".parse().unwrap()),
            SubjectAltName::Dns("not a dns name".to_owned()),
            SubjectAltName::Unsupported("directoryName".to_owned()),
        ],
        key: Some("rsa:2048".to_owned()),
        template: Some("device-client".parse().unwrap()),
        user: Some("jo".parse().unwrap()),
        device: Some("inv-7".parse().unwrap()),
        state,
        reason: Some("ra.sample".to_owned()),
        detail: Some("a sentence".to_owned()),
        certificate: Some((issuer(), serial(key))),
        renews: Some(serial(9999)),
        challenge: Some("c0c0".to_owned()),
        context: RequestContext {
            peer: Some("192.0.2.1:4711".to_owned()),
            accommodations: vec!["sends-ber".to_owned()],
            ..RequestContext::default()
        },
        received_at: NOW,
        decided_at: Some(after(1)),
        decided_by: Some("admin:root".to_owned()),
    }
}

/// An intent's certificate.
pub fn certificate(n: u32, request: RequestId) -> CertificateRecord {
    CertificateRecord {
        issuer: issuer(),
        serial: serial(n),
        request,
        template: Some(("device-client".parse().unwrap(), 3)),
        profile: Some(profile()),
        subject: name(&format!("Laptop-{n}")),
        san: vec![SubjectAltName::Dns(format!("laptop-{n}.example"))],
        user: Some("Jo.Doe".parse().unwrap()),
        device: Some(format!("INV_{n}").parse().unwrap()),
        not_before: NOW - Span::from_secs(60),
        not_after: NOW + Span::from_days(365),
        key_digest: digest(n),
        created_at: NOW,
        tbs: vec![0x30, 1, 2, 3],
        der: None,
        revocation: None,
        predecessor: None,
        successor: None,
    }
}

/// An intent of a new request with key and serial number `n`, without a challenge.
pub fn intent(n: u32) -> Intent {
    let request = request(n, RequestState::Granted);
    Intent {
        certificate: certificate(n, request.id),
        audit: event(AuditKind::RequestGranted, Some(request.id)),
        request: Some(request),
        challenge: None,
        renews: None,
        opening: Opening::New,
        now: NOW,
        durability: Durability::WithCertificate,
    }
}

/// What is signed for an intent.
pub fn signed(intent: &Intent) -> Signed {
    Signed {
        issuer: intent.certificate.issuer.clone(),
        serial: intent.certificate.serial.clone(),
        der: [vec![0x30, 9], intent.certificate.serial.magnitude().to_vec()].concat(),
        request: intent.request.as_ref().map(|r| r.id),
        supersedes: None,
        withdrawn: None,
        notices: vec![notice(7)],
        audit: vec![event(AuditKind::CertificateIssued, intent.request.as_ref().map(|r| r.id))],
    }
}

/// Issues certificate `n`.
pub async fn issue(store: &dyn Store, n: u32) -> Intent {
    issue_as(store, intent(n)).await
}

/// Issues what the intent says.
pub async fn issue_as(store: &dyn Store, intent: Intent) -> Intent {
    assert_eq!(store.begin_issuance(intent.clone()).await.unwrap(), lanyard_store::ports::Begun::Done);
    store.finish_issuance(signed(&intent)).await.unwrap();
    intent
}

pub fn revocation(reason: RevocationReason) -> Revocation {
    Revocation { at: after(10), reason }
}

/// Revokes certificate `n`.
pub async fn revoke(store: &dyn Store, n: u32) -> bool {
    let event = event(AuditKind::CertificateRevoked, None);
    store.revoke_certificate(&issuer(), &serial(n), revocation(RevocationReason::KeyCompromise), event).await.unwrap()
}

/// Something that a module is to be told, due at the present.
pub fn notice(n: u32) -> NoticeRecord {
    NoticeRecord {
        id: format!("{n}.issued.0"),
        request: "01a1ee56-5e7b-7652-9853-2a225746cbc3".parse().unwrap(),
        profile: profile(),
        place: 1,
        kind: "http".to_owned(),
        body: vec![0, 255, 7],
        attempts: 2,
        created_at: NOW,
        due_at: NOW,
    }
}
