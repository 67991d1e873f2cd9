//! Enrolment and renewal with an honest server.

use std::time::Duration;

use lanyard_agent::{
    error::AgentError,
    scep::{EnrollOptions, EnrollOutcome, Progress, SessionOptions, enroll, outcome::Issued, renew, renew::RenewOptions},
    store::{DeviceStore, Status},
};
use lanyard_enroll::scep::attributes::{FailInfo, MessageType};
use lanyard_model::{key::KeyKind, secret::SecretText};
use lanyard_pki::name;

use super::{
    authority::rsa,
    double::{Act, Double},
};

pub fn session() -> SessionOptions {
    SessionOptions {
        retry_count: 5,
        retry_period: Duration::from_millis(20),
        resend_delay: Duration::from_millis(5),
        ..SessionOptions::default()
    }
}

pub fn options(double: &Double) -> EnrollOptions {
    EnrollOptions {
        challenge: Some(SecretText::new("open sesame".into())),
        san: vec!["dns:laptop-7.example.org".parse().unwrap(), "upn:jo@example.org".parse().unwrap()],
        key: Some(rsa(2).pkcs8().unwrap().clone()),
        session: session(),
        ..EnrollOptions::new(&double.url(), double.fingerprint(), name::parse("CN=laptop-7,O=Example").unwrap())
    }
}

pub fn store() -> (tempfile::TempDir, DeviceStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = DeviceStore::open(&folder.path().join("device")).unwrap();
    (folder, store)
}

pub fn issued(outcome: Result<EnrollOutcome, AgentError>) -> Issued {
    match outcome {
        Ok(EnrollOutcome::Issued(issued)) => *issued,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_device_enrols_and_finds_its_identity_in_the_store() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let mut told = Vec::new();
    let issued = issued(enroll(Some(&store), options(&double), &mut |progress| told.push(progress)).await);

    let [identity] = &store.identities().unwrap()[..] else { panic!() };
    assert_eq!(identity.about.id, issued.id);
    assert_eq!(identity.about.status, Status::Current);
    assert_eq!(identity.about.profile, "devices");
    assert_eq!(identity.about.request_id.as_deref(), Some("request-1"));
    assert_eq!(identity.certificate.der(), issued.certificate.der());
    assert_eq!(identity.chain.last().unwrap().fingerprint(), double.fingerprint());
    let key = store.identity_key(&issued.id).unwrap();
    assert_eq!(identity.certificate.spki_der(), key.public_key().spki);
    assert!(store.pendings().unwrap().is_empty() && issued.differences.is_empty());

    let [seen] = &double.seen()[..] else { panic!() };
    assert!(seen.post && seen.self_signed && seen.message_type == MessageType::PkcsReq);
    assert_eq!(seen.challenge.as_deref(), Some("open sesame"));
    assert!(matches!(&told[..], [Progress::CaVerified, Progress::Sent { .. }]), "{told:?}");
}

#[tokio::test]
async fn a_key_is_made_on_the_device_when_none_is_given() {
    let double = Double::start(&[Act::Issue]).await;
    let given = EnrollOptions { key: None, ..options(&double) };
    let first = issued(enroll(None, given, &mut |_| {}).await);
    assert_ne!(first.certificate.spki_der(), rsa(2).public_key().spki);
}

#[tokio::test]
async fn rfc8894_4_1_the_message_goes_by_get_where_post_is_not_offered() {
    let double = Double::start(&[Act::Issue]).await;
    *double.capabilities.lock().unwrap() = Some("AES\r\nSHA-256\r\n".into());
    issued(enroll(None, options(&double), &mut |_| {}).await);
    assert!(!double.seen()[0].post);
}

#[tokio::test]
async fn rfc8894_4_4_a_held_request_is_asked_for_until_it_is_issued() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Hold, Act::Hold, Act::Issue]).await;
    let issued = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let seen = double.seen();
    let types: Vec<MessageType> = seen.iter().map(|s| s.message_type).collect();
    assert_eq!(types, [MessageType::PkcsReq, MessageType::CertPoll, MessageType::CertPoll]);
    assert!(seen.iter().all(|s| s.transaction == issued.transaction));
    // The id that the administrator knows is that of the request, not of a question.
    assert_eq!(issued.request_id.as_deref(), Some("request-1"));
}

#[tokio::test]
async fn a_refusal_names_number_text_and_request_and_leaves_nothing_behind() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Refuse(FailInfo::BadRequest)]).await;
    match enroll(Some(&store), options(&double), &mut |_| {}).await {
        Ok(EnrollOutcome::Refused(refusal)) => {
            assert_eq!(refusal.fail_info, FailInfo::BadRequest);
            assert_eq!(refusal.text.as_deref(), Some("request not permitted"));
            assert!(refusal.fix().contains("lanyard request show request-1"), "{}", refusal.fix());
        }
        other => panic!("{other:?}"),
    }
    assert!(store.identities().unwrap().is_empty() && store.pendings().unwrap().is_empty());
}

#[tokio::test]
async fn ndes_answers_without_certificates_are_verified_by_the_offered_one() {
    let double = Double::start(&[Act::RefuseWithoutSignerCertificate, Act::IssueWithoutSignerCertificate]).await;
    let refused = enroll(None, options(&double), &mut |_| {}).await;
    assert!(matches!(refused, Ok(EnrollOutcome::Refused(_))), "{refused:?}");
    issued(enroll(None, options(&double), &mut |_| {}).await);
}

#[tokio::test]
async fn rfc8894_2_5_renewal_is_signed_by_the_old_certificate_for_a_new_key() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let old = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let renewing = RenewOptions { session: session(), ..RenewOptions::default() };
    let new = issued(renew(&store, &old.id, &renewing, &mut |_| {}).await);

    assert_ne!(new.certificate.spki_der(), old.certificate.spki_der());
    assert_eq!(new.certificate.subject_der(), old.certificate.subject_der());
    let san = |issued: &Issued| issued.certificate.subject_alt_names().unwrap();
    assert_eq!(san(&new), san(&old));
    let seen = double.seen();
    assert_eq!((seen[1].message_type, seen[1].self_signed, &seen[1].challenge), (MessageType::RenewalReq, false, &None));

    let identities = store.identities().unwrap();
    let status: Vec<Status> = identities.iter().map(|i| i.about.status).collect();
    assert_eq!(status, [Status::Superseded, Status::Current]);
    assert_eq!(identities[1].about.predecessor, Some(old.id.clone()));
    assert!(store.identity_key(&old.id).is_ok(), "the old key stays");
    let again = renew(&store, &old.id, &renewing, &mut |_| {}).await;
    assert!(matches!(again, Err(AgentError::Superseded { .. })), "{again:?}");
}

#[tokio::test]
async fn renewal_is_a_pkcsreq_where_renewal_is_not_offered() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue, Act::Refuse(FailInfo::BadRequest)]).await;
    *double.capabilities.lock().unwrap() = Some("SCEPStandard".into());
    let old = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let renewing = RenewOptions { key: Some(rsa(3).pkcs8().unwrap().clone()), session: session(), ..RenewOptions::default() };
    let outcome = renew(&store, &old.id, &renewing, &mut |_| {}).await;
    assert!(matches!(&outcome, Ok(EnrollOutcome::Refused(r)) if r.meaning().contains("too early")), "{outcome:?}");
    assert_eq!((double.seen()[1].message_type, double.seen()[1].self_signed), (MessageType::PkcsReq, false));
    let [identity] = &store.identities().unwrap()[..] else { panic!() };
    assert_eq!(identity.about.status, Status::Current, "a refused renewal changes nothing");
}

#[tokio::test]
async fn keys_that_cannot_be_encrypted_to_are_refused_before_anything_is_sent() {
    let double = Double::start(&[Act::Issue]).await;
    let asked = EnrollOptions { key: None, key_kind: KeyKind::EcP256, ..options(&double) };
    let outcome = enroll(None, asked, &mut |_| {}).await;
    assert!(matches!(outcome, Err(AgentError::KeyKind(KeyKind::EcP256))), "{outcome:?}");
    assert!(double.seen().is_empty());
}

#[tokio::test]
async fn other_names_than_those_asked_for_are_kept_only_when_that_is_accepted() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::IssueOtherNames]).await;
    let outcome = enroll(Some(&store), options(&double), &mut |_| {}).await;
    assert!(matches!(&outcome, Err(AgentError::OtherNames { missing }) if missing.len() == 2), "{outcome:?}");
    assert!(store.identities().unwrap().is_empty());

    let [pending] = &store.pendings().unwrap()[..] else { panic!() };
    let accepting = SessionOptions { accept_other_names: true, ..session() };
    let issued = issued(lanyard_agent::scep::resume(&store, &pending.id, &accepting, &mut |_| {}).await);
    assert_eq!(issued.differences, ["without CN=laptop-7", "without O=Example", "with CN=somebody-else"]);
}
