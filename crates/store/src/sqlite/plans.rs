//! The statements of the hot path find their rows by an index, so that an enrolment costs the same at a million certificates.

use rusqlite::Connection;

use super::open;
use crate::sql::{certificates, challenges, crls, fleet, issuance, requests};

fn plan(connection: &Connection, sql: &str) -> String {
    let mut query = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = query.raw_query().mapped(|row| row.get::<_, String>("detail")).collect::<rusqlite::Result<Vec<_>>>();
    lines.unwrap().join("; ")
}

#[test]
fn hot_statements_scan_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open::connect(&directory.path().join("plans.db")).unwrap();
    for (sql, index) in [
        (requests::LOAD, "PRIMARY KEY (id=?)"),
        (requests::BY_MESSAGE, "requests_living (transaction_id=? AND profile=?)"),
        (requests::BY_TRANSACTION, "requests_living (transaction_id=? AND profile=?)"),
        (requests::BY_TEXT, "requests_refused (transaction_id=?)"),
        (requests::LIST, "PRIMARY KEY (id<?)"),
        (requests::LIST_PENDING, "requests_by_state (state=? AND id<?)"),
        (requests::LIST_DENIED, "requests_by_state (state=? AND id<?)"),
        (requests::DECIDE, "(id=?)"),
        (requests::OTHER_KEY, "requests_living (transaction_id=? AND profile=?)"),
        (challenges::LOAD, "PRIMARY KEY (id=?)"),
        (challenges::CONSUME, "PRIMARY KEY (id=?)"),
        (certificates::LOAD, "sqlite_autoindex_certificates_1 (serial=? AND issuer=?)"),
        (certificates::BY_SERIAL, "sqlite_autoindex_certificates_1 (serial=?)"),
        (certificates::REVOKE, "sqlite_autoindex_certificates_1 (serial=? AND issuer=?)"),
        (certificates::SEARCH, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (certificates::OPEN, "certificates_open (created_at<?)"),
        (issuance::LINK, "sqlite_autoindex_certificates_1 (serial=? AND issuer=?)"),
        (issuance::SIGN, "sqlite_autoindex_certificates_1 (serial=? AND issuer=?)"),
        (issuance::SAVE_BODY, "sqlite_autoindex_certificates_1 (serial=? AND issuer=?)"),
        (issuance::SAVE_DER, "INTEGER PRIMARY KEY (rowid=?)"),
        (issuance::ISSUED, "PRIMARY KEY (id=?)"),
        (fleet::LOAD, "(id=?)"),
        (fleet::BY_CERTIFICATE, "(fingerprint=?)"),
        (fleet::BY_CLIENT, "enrollments_of_client (client=?)"),
        (fleet::LIST_USER, "enrollments_of_user (user_name=? AND id>?)"),
        (fleet::LIST_DEVICE, "enrollments_of_device (device=? AND id>?)"),
        (fleet::LIST_DUE, "enrollments_due (renews_from<?)"),
        (fleet::LOAD_JOB, "(id=?)"),
        (fleet::OPEN_JOBS, "management_jobs_of (enrollment=?)"),
        (fleet::ALL_JOBS, "management_jobs_of (enrollment=?)"),
        (crls::REVOKED, "COVERING INDEX certificates_revoked (issuer=? AND not_after>?)"),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
    }
}

#[test]
fn granted_requests_are_found_by_their_open_intents() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open::connect(&directory.path().join("plans.db")).unwrap();
    let plan = plan(&store, requests::LIST_GRANTED);
    assert!(plan.contains("PRIMARY KEY (id=?)") && plan.contains("SCAN certificates USING INDEX certificates_open"), "{plan}");
}

#[test]
fn counting_reads_only_indices() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open::connect(&directory.path().join("plans.db")).unwrap();
    let plan = plan(&store, certificates::COUNT);
    for index in
        ["certificates_living (not_after>?)", "certificates_living (not_after<?)", "certificates_revoked", "certificates_open"]
    {
        assert!(plan.contains(index), "{plan}");
    }
}
