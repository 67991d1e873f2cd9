//! Reading and revoking certificates.

use lanyard_model::{
    audit::AuditKind,
    certificate::{CertificateRecord, CertificateStatus, RevocationReason},
    id::RequestId,
    san::SubjectAltName,
    time::Span,
};
use lanyard_store::ports::{CertificateCounts, CertificateFilter, CertificateSearch, Intent, Store};

use crate::{engine::Engine, sample};

pub async fn round_trip(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut intent = sample::intent(1);
    intent.certificate.san = ["dns:a.example", "email:A@b.example", "uri:urn:x", "ip:192.0.2.7", "upn:j@b.example"]
        .map(|text| text.parse::<SubjectAltName>().unwrap())
        .to_vec();
    intent.certificate.predecessor = Some(sample::serial(7));
    intent.certificate.successor = Some(sample::serial(8));
    let full = sample::issue_as(&*store, intent).await;
    for reason in RevocationReason::ALL {
        let n = 100 + u32::from(reason.code());
        sample::issue(&*store, n).await;
        let event = sample::event(AuditKind::CertificateRevoked, None);
        let revocation = sample::revocation(reason);
        assert!(store.revoke_certificate(&sample::issuer(), &sample::serial(n), revocation, event).await.unwrap());
        let found = store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap().unwrap();
        assert_eq!(found.revocation, Some(revocation));
    }
    let found = store.load_certificate(&sample::issuer(), &sample::serial(1)).await.unwrap().unwrap();
    assert_eq!(found, CertificateRecord { der: Some(sample::signed(&full).der), ..full.certificate });
    let mut bare = sample::intent(2);
    bare.certificate = CertificateRecord {
        template: None,
        profile: None,
        san: Vec::new(),
        user: None,
        device: None,
        ..sample::certificate(2, RequestId::generate(sample::NOW))
    };
    bare.request = None;
    store.begin_issuance(bare.clone()).await.unwrap();
    let found = store.load_certificate(&sample::issuer(), &sample::serial(2)).await.unwrap();
    assert_eq!(found, Some(bare.certificate));
    assert_eq!(store.load_certificate(&"another".parse().unwrap(), &sample::serial(2)).await.unwrap(), None);
}

pub async fn found_by_serial(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    let mut other = sample::intent(2);
    other.certificate.serial = sample::serial(1);
    other.certificate.issuer = "another".parse().unwrap();
    sample::issue_as(&*store, other).await;
    let found = store.find_certificates(&sample::serial(1)).await.unwrap();
    assert_eq!(found.iter().map(|c| c.issuer.as_str()).collect::<Vec<_>>(), ["issuing", "another"]);
    assert_eq!(store.find_certificates(&sample::serial(2)).await.unwrap(), vec![]);
}

/// Certificates 1 to 4: valid, expired, revoked, intended; 5 is a valid one of the authority itself.
async fn one_of_each(store: &dyn Store) {
    sample::issue(store, 1).await;
    let mut expired = sample::intent(2);
    expired.certificate.not_after = sample::after(-1);
    sample::issue_as(store, expired).await;
    sample::issue(store, 3).await;
    assert!(sample::revoke(store, 3).await);
    store.begin_issuance(sample::intent(4)).await.unwrap();
    let mut service = Intent { request: None, ..sample::intent(5) };
    service.certificate.template = None;
    sample::issue_as(store, service).await;
}

async fn listed(store: &dyn Store, filter: CertificateFilter) -> Vec<String> {
    numbers(&store.list_certificates(filter).await.unwrap())
}

fn numbers(found: &[CertificateRecord]) -> Vec<String> {
    found.iter().map(|c| c.serial.to_string().trim_start_matches("111111111111111111111111000000").to_owned()).collect()
}

pub async fn listed_by_status(engine: &dyn Engine) {
    let store = engine.open().await;
    one_of_each(&*store).await;
    let everything = CertificateFilter { include_service: true, ..CertificateFilter::default() };
    assert_eq!(listed(&*store, everything.clone()).await, ["05", "04", "03", "02", "01"]);
    assert_eq!(listed(&*store, CertificateFilter::default()).await, ["04", "03", "02", "01"]);
    for (status, expected) in [
        (CertificateStatus::Valid, vec!["05", "01"]),
        (CertificateStatus::Expired, vec!["02"]),
        (CertificateStatus::Revoked, vec!["03"]),
        (CertificateStatus::Intended, vec!["04"]),
    ] {
        let filter = CertificateFilter { status: Some((status, sample::NOW)), ..everything.clone() };
        let found = store.list_certificates(filter.clone()).await.unwrap();
        assert!(found.iter().all(|c| c.status(sample::NOW) == status), "{status}");
        assert_eq!(listed(&*store, filter).await, expected, "{status}");
    }
    let last_second = store.load_certificate(&sample::issuer(), &sample::serial(1)).await.unwrap().unwrap().not_after;
    let valid_at = async |now| {
        listed(&*store, CertificateFilter { status: Some((CertificateStatus::Valid, now)), ..CertificateFilter::default() }).await
    };
    assert_eq!(valid_at(last_second).await, ["01"], "the last second counts");
    assert_eq!(valid_at(last_second + Span::from_secs(1)).await, Vec::<String>::new());
    let page = CertificateFilter { offset: 1, limit: 2, ..everything };
    assert_eq!(listed(&*store, page).await, ["04", "03"]);
}

pub async fn listed_by_text(engine: &dyn Engine) {
    let store = engine.open().await;
    one_of_each(&*store).await;
    for (text, expected) in [
        ("LAPTOP-3", vec!["03"]),
        ("laptop-2.EXAMPLE", vec!["02"]),
        ("jo.doe", vec!["05", "04", "03", "02", "01"]),
        ("inv_4", vec!["04"]),
        ("inv%4", vec![]),
        ("device-client", vec!["04", "03", "02", "01"]),
        ("nobody", vec![]),
        ("beispiel", vec!["05", "04", "03", "02", "01"]),
    ] {
        let search = CertificateSearch { text: text.to_owned(), include_service: true, ..CertificateSearch::default() };
        let found = store.search_certificates(search).await.unwrap();
        assert_eq!(numbers(&found.certificates), expected, "{text}");
        assert_eq!(found.more, None, "{text}");
    }
    let own = CertificateSearch { text: "jo.doe".to_owned(), ..CertificateSearch::default() };
    for (status, expected) in [
        (CertificateStatus::Valid, vec!["01"]),
        (CertificateStatus::Expired, vec!["02"]),
        (CertificateStatus::Revoked, vec!["03"]),
        (CertificateStatus::Intended, vec!["04"]),
    ] {
        let search = CertificateSearch { status: Some((status, sample::NOW)), ..own.clone() };
        assert_eq!(numbers(&store.search_certificates(search).await.unwrap().certificates), expected, "{status}");
    }
    // Page by page; that there is more is said even if nothing older matches.
    let mut pages = Vec::new();
    let mut search = CertificateSearch { limit: 2, ..own };
    loop {
        let found = store.search_certificates(search.clone()).await.unwrap();
        pages.push(numbers(&found.certificates));
        let Some(more) = found.more else { break };
        search.before = Some(more);
    }
    assert_eq!(pages.concat(), ["04", "03", "02", "01"]);
}

pub async fn a_search_ends_somewhere(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    store.fill(60_000).await.unwrap();
    let search = CertificateSearch { text: "beispiel".to_owned(), ..CertificateSearch::default() };
    let found = store.search_certificates(search.clone()).await.unwrap();
    assert!(found.certificates.iter().all(|c| c.serial != sample::serial(1)));
    let more = found.more.expect("older ones were not looked at");
    let found = store.search_certificates(CertificateSearch { before: Some(more), ..search }).await.unwrap();
    assert!(found.certificates.iter().any(|c| c.serial == sample::serial(1)));
    assert_eq!(found.more, None);
}

pub async fn revoked_once(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    assert!(!sample::revoke(&*store, 2).await, "unknown");
    assert!(sample::revoke(&*store, 1).await);
    let tip = store.audit_tip().await.unwrap();
    let later = sample::revocation(RevocationReason::Unspecified);
    let event = sample::event(AuditKind::CertificateRevoked, None);
    assert!(!store.revoke_certificate(&sample::issuer(), &sample::serial(1), later, event).await.unwrap());
    let found = store.load_certificate(&sample::issuer(), &sample::serial(1)).await.unwrap().unwrap();
    assert_eq!(found.revocation, Some(sample::revocation(RevocationReason::KeyCompromise)));
    assert_eq!(store.audit_tip().await.unwrap(), tip);
}

pub async fn counted(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.count_certificates(sample::NOW).await.unwrap(), CertificateCounts::default());
    one_of_each(&*store).await;
    let counts = CertificateCounts { valid: 2, expired: 1, revoked: 1, intended: 1 };
    assert_eq!(store.count_certificates(sample::NOW).await.unwrap(), counts);
}
