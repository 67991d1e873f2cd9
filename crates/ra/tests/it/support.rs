//! A small installation with one challenge and the request that agrees with it.

use lanyard_model::{
    certificate::CertificateRecord,
    challenge::{ChallengeRecord, ChallengeUse},
    directory::{Device, User},
    enroll::{EnrollRequest, Protocol, RequestSigner, RequestedContent},
    id::RequestId,
    key::{KeyKind, PublicKey},
    name::DistinguishedName,
    san::SubjectAltName,
    secret::{SecretBytes, SecretText},
    serial::SerialNumber,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::digest::sha256;
use lanyard_ra::{
    challenge::{ChallengeKeys, ChallengeOrder, Minted, mint},
    decide::{Decision, Denied, Facts, decide},
    grant::Grant,
    policy::Policy,
    profile::{self, Profiles},
    reason::Reason,
    template::{self, Templates},
};

/// 2026-01-01T00:00:00Z and half a second.
pub const NOW: Timestamp = Timestamp(1_767_225_600_500);

pub fn files(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

/// The built-in template files, one of them edited.
pub fn edited(name: &str, edits: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut list = files(template::builtin());
    let (_, text) = list.iter_mut().find(|(file, _)| *file == format!("{name}.toml")).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{name} has no '{from}'");
        *text = text.replacen(from, to, 1);
    }
    list
}

pub fn policy_with(templates: Vec<(String, String)>, profiles: Vec<(String, String)>) -> Policy {
    let templates = Templates::load(templates).unwrap();
    Policy::new("installation-1".into(), "Example".into(), templates, Profiles::load(profiles).unwrap()).unwrap()
}

pub fn policy() -> Policy {
    policy_with(files(template::builtin()), files(profile::builtin()))
}

/// The built-in policy with one template edited.
pub fn policy_edited(name: &str, edits: &[(&str, &str)]) -> Policy {
    policy_with(edited(name, edits), files(profile::builtin()))
}

pub fn keys() -> ChallengeKeys {
    ChallengeKeys::derive(&SecretBytes::new(vec![7; 32]))
}

pub fn dn(text: &str) -> DistinguishedName {
    if text.is_empty() { DistinguishedName::default() } else { lanyard_pki::name::parse(text).unwrap() }
}

pub fn sans(list: &[&str]) -> Vec<SubjectAltName> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

pub fn key(kind: KeyKind, seed: u8) -> PublicKey {
    let spki = vec![seed; 40];
    PublicKey { digest: sha256(&spki), spki, kind }
}

pub fn user() -> User {
    User {
        name: "jo".parse().unwrap(),
        display_name: Some("Jo Doe".into()),
        upn: Some("jo@example.org".into()),
        email: Some("Jo.Doe@Example.org".into()),
        id: Some("7d3f".into()),
        disabled: false,
        ..User::named("jo".parse().unwrap())
    }
}

pub fn device() -> Device {
    Device {
        id: "inv-7".parse().unwrap(),
        name: Some("laptop-7".into()),
        dns_name: Some("Laptop-7.Example.org".into()),
        serial: Some("S/N 7".into()),
        user: None,
        blocked: false,
        ..Device::named("inv-7".parse().unwrap())
    }
}

/// What an administrator gives: `CN=laptop-7,O=Example` with one DNS name.
pub fn order() -> ChallengeOrder {
    ChallengeOrder {
        template: "device-client".parse().unwrap(),
        profile: "default".parse().unwrap(),
        subject: Some(dn("CN=laptop-7,O=Example")),
        san: Some(sans(&["dns:laptop-7.example.org"])),
        key: Some(KeyKind::Rsa(2048)),
        ttl: Some(Span::from_secs(3600)),
        user: None,
        device: None,
        groups: Vec::new(),
        ordered_by: None,
    }
}

pub fn minted(order: &ChallengeOrder, policy: &Policy) -> Minted {
    mint(order, policy, &keys(), [0x5a; 16], NOW).unwrap()
}

/// The record of a certificate that was issued under this grant.
pub fn issued(grant: &Grant, serial: &SerialNumber, der: &[u8]) -> CertificateRecord {
    let content = grant.content();
    CertificateRecord {
        issuer: content.issuer.clone(),
        serial: serial.clone(),
        request: grant.request(),
        template: grant.template().map(|(name, revision)| (name.clone(), revision)),
        profile: grant.profile().cloned(),
        subject: content.subject.clone(),
        san: content.san.clone(),
        user: grant.user().cloned(),
        device: grant.device().cloned(),
        not_before: content.not_before,
        not_after: content.not_after,
        key_digest: content.key.digest,
        created_at: NOW,
        tbs: vec![8; 40],
        der: Some(der.to_vec()),
        revocation: None,
        predecessor: None,
        successor: None,
    }
}

pub fn request_id(number: u128) -> RequestId {
    RequestId(uuid::Uuid::from_u128(number))
}

/// A request with these names that carries `challenge`.
pub fn request(subject: &DistinguishedName, san: &[SubjectAltName], challenge: Option<&SecretText>) -> EnrollRequest {
    let key = key(KeyKind::Rsa(2048), 1);
    EnrollRequest {
        id: request_id(1),
        protocol: Protocol::Scep,
        profile: "default".parse().unwrap(),
        transaction: "t-1".into(),
        message_digest: [1; 32],
        renewal: false,
        strong_signature: true,
        signer_key_digest: key.digest,
        content: RequestedContent {
            csr: vec![1, 2, 3],
            csr_digest: sha256(&[1, 2, 3]),
            subject: subject.clone(),
            san: san.to_vec(),
            key_usage: None,
            extended_key_usage: None,
            wants_ca: false,
            other_extensions: Vec::new(),
            key,
        },
        challenge: challenge.cloned(),
        signer: RequestSigner::SelfSigned,
        received_at: NOW,
    }
}

/// What is changed, the expected reason, and how.
pub type Deviation = (&'static str, Reason, fn(&mut Scene));

/// A policy, a challenge and the request that agrees with it.
pub struct Scene {
    pub policy: Policy,
    pub keys: ChallengeKeys,
    pub request: EnrollRequest,
    pub facts: Facts,
    pub now: Timestamp,
}

impl Scene {
    pub fn new() -> Self {
        Self::of(&order(), policy())
    }

    /// Mints a challenge for the order and makes the request that agrees with its binding.
    pub fn of(order: &ChallengeOrder, policy: Policy) -> Self {
        let minted = minted(order, &policy);
        let binding: lanyard_model::challenge::Binding = serde_json::from_slice(&minted.record.binding).unwrap();
        let mut request = request(&binding.subject, &binding.san, Some(&minted.text));
        request.content.key = key(binding.key, 1);
        request.profile = binding.profile;
        let facts =
            Facts { challenge: Some(minted.record), user: order.user.clone(), device: order.device.clone(), ..Facts::default() };
        Self { policy, keys: keys(), request, facts, now: NOW + Span::from_secs(60) }
    }

    /// A scene in which the certificate of that request is renewed, 300 of its 365 days later.
    pub fn renewal() -> Self {
        Self::renewal_of(&order())
    }

    pub fn renewal_of(order: &ChallengeOrder) -> Self {
        let mut scene = Self::of(order, policy());
        let grant = granted(scene.decide());
        let content = grant.content();
        let der = vec![9; 50];
        let serial = SerialNumber::from_random([3; 16]);
        scene.facts.signer_certificate = Some(issued(&grant, &serial, &der));
        scene.facts.challenge = None;
        scene.request.challenge = None;
        scene.request.signer = RequestSigner::Ours { issuer: "issuing".parse().unwrap(), serial, digest: sha256(&der) };
        scene.request.renewal = true;
        scene.request.id = request_id(2);
        scene.request.content.key = key(content.key.kind, 2);
        scene.now = scene.now + Span::from_days(300);
        scene
    }

    pub fn decide(&self) -> Decision {
        decide(&self.request, &self.facts, &self.policy, &self.keys, self.now)
    }

    pub fn challenge(&mut self) -> &mut ChallengeRecord {
        self.facts.challenge.as_mut().unwrap()
    }

    pub fn signer(&mut self) -> &mut CertificateRecord {
        self.facts.signer_certificate.as_mut().unwrap()
    }

    /// Marks the challenge as used by this very request at `self.now`.
    pub fn use_challenge(&mut self, by: RequestId) {
        let claim = ChallengeUse {
            at: self.now,
            request: by,
            csr_digest: self.request.content.csr_digest,
            key_digest: self.request.content.key.digest,
        };
        self.challenge().used = Some(claim);
    }
}

#[track_caller]
pub fn granted(decision: Decision) -> Grant {
    match decision {
        Decision::Grant(grant) => *grant,
        other => panic!("not granted: {other:?}"),
    }
}

#[track_caller]
pub fn denied(decision: Decision) -> Denied {
    match decision {
        Decision::Denied(denied) => denied,
        other => panic!("not denied: {other:?}"),
    }
}

#[track_caller]
pub fn assert_denied(decision: Decision, reason: Reason, what: &str) {
    match decision {
        Decision::Denied(denied) => assert_eq!(denied.reason, reason, "{what}: {}", denied.detail),
        other => panic!("{what}: not denied: {other:?}"),
    }
}
