//! Answers that must not be believed.

use lanyard_agent::{
    error::AgentError,
    scep::{EnrollOptions, EnrollOutcome, enroll},
};

use super::{
    double::{Act, Double},
    enrolling::{options, store},
};

async fn error_of(act: Act) -> AgentError {
    let (_folder, store) = store();
    let double = Double::start(&[act]).await;
    let error = failed(enroll(Some(&store), options(&double), &mut |_| {}).await);
    assert!(store.identities().unwrap().is_empty(), "{act:?} left an identity");
    error
}

fn failed(outcome: Result<EnrollOutcome, AgentError>) -> AgentError {
    match outcome {
        Err(error) => error,
        Ok(outcome) => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn rfc8894_3_2_1_answers_to_other_messages_are_refused() {
    for (act, word) in [
        (Act::WrongNonce, "recipientNonce"),
        (Act::WrongTransaction, "transaction"),
        (Act::SignedByOther, "signed by another certificate"),
        (Act::IssueForOtherKey, "for our key"),
        (Act::Garbage, "cannot be read"),
    ] {
        let error = error_of(act).await;
        assert!(matches!(error, AgentError::Answer(_)) && error.to_string().contains(word), "{act:?}: {error}");
        assert_eq!(error.code(), "agent.answer");
    }
}

#[tokio::test]
async fn answers_beyond_the_limit_are_not_read() {
    assert!(matches!(error_of(Act::Huge).await, AgentError::AnswerTooLarge { .. }));
}

#[tokio::test]
async fn redirects_are_not_followed_and_client_errors_are_not_repeated() {
    for status in [302, 400, 404, 413] {
        let error = error_of(Act::Status(status)).await;
        assert!(matches!(error, AgentError::HttpStatus { status: found, .. } if found == status), "{error}");
    }
}

#[tokio::test]
async fn rfc8894_7_5_a_server_below_the_floor_is_sent_nothing() {
    for capabilities in [None, Some(""), Some("DES3\nSHA-1\nPOSTPKIOperation"), Some("AES\nSHA-1"), Some("SHA-256\nDES3")] {
        let double = Double::start(&[Act::Issue]).await;
        *double.capabilities.lock().unwrap() = capabilities.map(str::to_owned);
        let error = failed(enroll(None, options(&double), &mut |_| {}).await);
        assert!(matches!(error, AgentError::Downgrade(_)), "{capabilities:?}: {error}");
        assert!(double.seen().is_empty());
    }
}

#[tokio::test]
async fn rfc8894_2_2_a_ca_with_another_fingerprint_is_sent_nothing() {
    let double = Double::start(&[Act::Issue]).await;
    let other = EnrollOptions { ca_fingerprint: [0; 32], ..options(&double) };
    let error = failed(enroll(None, other, &mut |_| {}).await);
    assert!(matches!(error, AgentError::CaCertificates(_)), "{error}");
    // Pinning a certificate that is offered but is no CA does not help.
    let other = EnrollOptions { ca_fingerprint: double.authority.registration.fingerprint(), ..options(&double) };
    assert!(matches!(failed(enroll(None, other, &mut |_| {}).await), AgentError::CaCertificates(_)));
    assert!(double.seen().is_empty());
}

#[tokio::test]
async fn a_device_certificate_of_the_same_ca_is_not_believed_to_be_the_registration_authority() {
    let double = Double::start(&[Act::Issue]).await;
    let offered = vec![double.authority.foreign.der().to_vec(), double.authority.ca.der().to_vec()];
    *double.offered.lock().unwrap() = offered;
    let error = failed(enroll(None, options(&double), &mut |_| {}).await);
    assert!(matches!(error, AgentError::CaCertificates(_)), "{error}");
    assert!(double.seen().is_empty());
}

#[tokio::test]
async fn urls_that_are_no_scep_urls_are_refused() {
    let double = Double::start(&[Act::Issue]).await;
    for bad in ["", "ca.example.org/scep", "ftp://ca/scep", "http://user@ca/scep", "http://ca/scep?a=b", "http:///scep"] {
        let outcome = enroll(None, EnrollOptions { url: bad.into(), ..options(&double) }, &mut |_| {}).await;
        assert!(matches!(outcome, Err(AgentError::Url { .. })), "{bad}: {outcome:?}");
    }
}
