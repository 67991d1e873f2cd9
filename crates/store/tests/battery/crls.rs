//! CRLs.

use lanyard_model::{audit::AuditKind, authority::CrlRecord, certificate::RevocationReason, serial::SerialNumber, time::Span};
use lanyard_store::ports::Begun;

use crate::{engine::Engine, sample};

fn crl(number: u64) -> CrlRecord {
    CrlRecord {
        issuer: sample::issuer(),
        number,
        this_update: sample::after(1000),
        next_update: sample::after(5000),
        der: vec![0x30, 3],
    }
}

pub async fn numbers_never_return(engine: &dyn Engine) {
    let (issuer, another) = (sample::issuer(), "another".parse().unwrap());
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let store = engine.open().await;
        let (a, b) = tokio::join!(store.begin_crl(&issuer, sample::NOW), store.begin_crl(&issuer, sample::NOW));
        let mut pair = [a.unwrap().number, b.unwrap().number];
        pair.sort_unstable();
        numbers.extend(pair);
    }
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    let store = engine.open().await;
    assert_eq!(store.begin_crl(&another, sample::NOW).await.unwrap().number, numbers[0], "each issuer counts alone");
}

pub async fn lists_what_is_revoked(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in [5, 3, 4, 2] {
        sample::issue(&*store, n).await;
    }
    let mut short = sample::intent(6);
    short.certificate.serial = SerialNumber::from_magnitude(&[0x7f]).unwrap();
    short.certificate.not_after = sample::after(100);
    sample::issue_as(&*store, short.clone()).await;
    for n in [5, 2] {
        assert!(sample::revoke(&*store, n).await);
    }
    let revocation = sample::revocation(RevocationReason::CessationOfOperation);
    let event = sample::event(AuditKind::CertificateRevoked, None);
    assert!(store.revoke_certificate(&sample::issuer(), &short.certificate.serial, revocation, event).await.unwrap());
    let mut intended = sample::intent(7);
    intended.certificate.issuer = "another".parse().unwrap();
    sample::issue_as(&*store, intended).await;

    let list = async |until| {
        let entries = store.begin_crl(&sample::issuer(), until).await.unwrap().entries;
        entries.into_iter().map(|e| (e.serial, e.revocation.reason)).collect::<Vec<_>>()
    };
    let long = vec![(sample::serial(2), RevocationReason::KeyCompromise), (sample::serial(5), RevocationReason::KeyCompromise)];
    let all: Vec<_> =
        std::iter::once((short.certificate.serial, RevocationReason::CessationOfOperation)).chain(long.clone()).collect();
    assert_eq!(list(sample::after(100)).await, all, "in the order of the numbers, not of their octets");
    assert_eq!(list(sample::after(100) + Span::from_secs(1)).await, long);
}

pub async fn round_trip(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.load_crl(&sample::issuer()).await.unwrap(), None);
    for number in [1, 2, 30] {
        store.save_crl(crl(number), 0, None, sample::event(AuditKind::CrlIssued, None)).await.unwrap();
        assert_eq!(store.load_crl(&sample::issuer()).await.unwrap(), Some(crl(number)));
    }
    assert!(
        store.save_crl(crl(30), 0, None, sample::event(AuditKind::CrlIssued, None)).await.is_err(),
        "a number is signed once"
    );
    assert_eq!(
        store.begin_issuance(sample::intent(1)).await.unwrap(),
        Begun::ClockBehind(sample::after(1000)),
        "it signs a time"
    );
}

pub async fn behind_when_something_was_revoked_since(engine: &dyn Engine) {
    let store = engine.open().await;
    let issuer = sample::issuer();
    let another = "another".parse().unwrap();
    let save = async |number: u64, revocations: u64| {
        store.save_crl(crl(number), revocations, None, sample::event(AuditKind::CrlIssued, None)).await.unwrap();
    };
    sample::issue(&*store, 1).await;
    sample::issue(&*store, 2).await;
    assert!(!store.crl_is_behind(&issuer).await.unwrap(), "nothing was ever revoked");
    assert!(sample::revoke(&*store, 1).await);
    assert!(store.crl_is_behind(&issuer).await.unwrap(), "there is no CRL");
    let begun = store.begin_crl(&issuer, sample::NOW).await.unwrap();
    // Revoked while the list is being signed: the next one must come.
    assert!(sample::revoke(&*store, 2).await);
    save(begun.number, begun.revocations).await;
    assert!(store.crl_is_behind(&issuer).await.unwrap());
    let begun = store.begin_crl(&issuer, sample::NOW).await.unwrap();
    save(begun.number, begun.revocations).await;
    assert!(!store.crl_is_behind(&issuer).await.unwrap());
    assert!(!sample::revoke(&*store, 2).await);
    assert!(!store.crl_is_behind(&issuer).await.unwrap(), "a revocation that changed nothing");
    store.want_crl().await.unwrap();
    assert!(store.crl_is_behind(&issuer).await.unwrap(), "asked for");
    assert!(!store.crl_is_behind(&another).await.unwrap(), "an issuer that never revoked anything");
}
