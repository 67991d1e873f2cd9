//! SQLite as an engine under test, and what only its file can show.

use std::sync::Arc;

use async_trait::async_trait;
use lanyard_model::audit::{AuditHead, AuditKind, ChainVerdict};
use lanyard_store::{
    ports::{AuditStore, DirectoryStore, Store},
    sql::Database,
    sqlite,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{engine::Engine, sample};

/// A database file in a directory of its own.
pub struct OnSqlite(TempDir);

impl OnSqlite {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("lanyard.db")
    }

    async fn sqlite(&self) -> Database {
        sqlite::open(&self.path()).await.unwrap()
    }

    /// What somebody with the file and another program can do.
    fn intruder(&self) -> Connection {
        let intruder = Connection::open(self.path()).unwrap();
        intruder.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        intruder
    }

    /// A log of ten records, a head at the eighth, and the file edited.
    async fn verdict_after(&self, edit: &'static str) -> ChainVerdict {
        let store = self.sqlite().await;
        for n in 1..=10 {
            store.append_audit(sample::event(AuditKind::Started, None)).await.unwrap();
            if n == 8 {
                let (sequence, hash) = store.audit_tip().await.unwrap();
                store.save_audit_head(AuditHead { sequence, hash, at: sample::NOW, signature: vec![1] }).await.unwrap();
            }
        }
        let intruder = self.intruder();
        intruder.execute_batch("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete").unwrap();
        intruder.execute_batch(edit).unwrap();
        store.verify_audit().await.unwrap()
    }
}

#[async_trait]
impl Engine for OnSqlite {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.sqlite().await)
    }
}

#[tokio::test]
async fn many_waiting_writes_share_a_commit() {
    let engine = OnSqlite::new();
    let store = engine.sqlite().await;
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..2000 {
        let store = store.clone();
        writes.spawn(async move { store.save_setting(&n.to_string(), vec![1]).await.unwrap() });
    }
    writes.join_all().await;
    assert!(store.commits() > 0 && store.commits() < 200, "{} commits for 2000 writes", store.commits());
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let engine = OnSqlite::new();
    let store = engine.sqlite().await;
    store.append_audit(sample::event(AuditKind::Started, None)).await.unwrap();
    let intruder = engine.intruder();
    for sql in ["UPDATE audit SET event = x'00'", "DELETE FROM audit"] {
        let error = intruder.execute_batch(sql).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn an_edited_audit_log_names_the_first_bad_record() {
    for (edit, place, problem) in [
        ("UPDATE audit SET event = CAST(replace(CAST(event AS TEXT), 'started', 'stopped') AS BLOB) WHERE seq = 4", 4, "hash"),
        ("UPDATE audit SET hash = x'00' WHERE seq = 5", 5, "octets"),
        ("UPDATE audit SET prev = zeroblob(32) WHERE seq = 6", 6, "follow"),
        ("UPDATE audit SET request = 'x' WHERE seq = 7", 7, "another request"),
        ("DELETE FROM audit WHERE seq = 3", 3, "missing"),
        ("DELETE FROM audit WHERE seq = 1", 1, "missing"),
        ("DELETE FROM audit WHERE seq > 5", 6, "signed head"),
        ("DELETE FROM audit", 1, "signed head"),
        ("DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2", 2, "follow"),
    ] {
        match OnSqlite::new().verdict_after(edit).await {
            ChainVerdict::Broken { sequence, problem: told } => {
                assert_eq!(sequence, place, "{edit}: {told}");
                assert!(told.contains(problem), "{edit}: {told}");
            }
            intact @ ChainVerdict::Intact { .. } => panic!("{edit}: {intact:?}"),
        }
    }
}

#[tokio::test]
async fn a_log_cut_off_and_continued_is_seen_through_its_heads() {
    let engine = OnSqlite::new();
    // An intruder who forgets the head leaves a gap; this one does not.
    let cut = "DELETE FROM audit WHERE seq > 5; UPDATE head SET seq = 5, hash = (SELECT hash FROM audit WHERE seq = 5)";
    engine.verdict_after(cut).await;
    let store = engine.sqlite().await;
    assert_eq!(store.list_audit_heads().await.unwrap()[0].1, None);
    for _ in 0..9 {
        store.append_audit(sample::event(AuditKind::Incident, None)).await.unwrap();
    }
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Broken { sequence: 8, .. }));
    let (head, now) = store.list_audit_heads().await.unwrap().remove(0);
    assert_ne!(Some(head.hash), now);
}

#[tokio::test]
async fn stored_nonsense_is_an_error_and_not_a_panic() {
    let engine = OnSqlite::new();
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    let intruder = engine.intruder();
    for sql in [
        "UPDATE certificates SET san = '[[\"ip\",\"x\"]]'",
        "UPDATE certificates SET san = '[]', key_digest = x'00'",
        "UPDATE certificates SET key_digest = zeroblob(32), revoked_at = 1, revocation_reason = 2",
    ] {
        intruder.execute_batch(sql).unwrap();
        let error = store.find_certificates(&sample::serial(1)).await.unwrap_err();
        assert_eq!(error.code(), "store.corrupt", "{error}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_or_none_of_ours_is_refused() {
    let engine = OnSqlite::new();
    engine.sqlite().await.close().await;
    let intruder = engine.intruder();
    intruder.execute_batch("INSERT INTO migrations (version, name, digest) VALUES (999, 'x', x'00')").unwrap();
    assert_eq!(sqlite::open(&engine.path()).await.unwrap_err().code(), "store.migrate");
    let engine = OnSqlite::new();
    std::fs::write(engine.path(), "this is no database, whatever its name says, and long enough to look like one").unwrap();
    assert_eq!(sqlite::open(&engine.path()).await.unwrap_err().code(), "store.open");
    let nowhere = engine.0.path().join("missing").join("lanyard.db");
    assert_eq!(sqlite::open(&nowhere).await.unwrap_err().code(), "store.open");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only_and_close_empties_the_log() {
    use std::os::unix::fs::PermissionsExt;
    let engine = OnSqlite::new();
    let store = engine.sqlite().await;
    store.check().await.unwrap();
    for file in std::fs::read_dir(engine.0.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
    store.close().await;
    let log = engine.0.path().join("lanyard.db-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0);
}

async fn enrolments_per_second(store: &Arc<dyn Store>, from: u32, count: u32) -> f64 {
    let start = std::time::Instant::now();
    let mut enrolments = tokio::task::JoinSet::new();
    for device in 0..64 {
        let store = store.clone();
        enrolments.spawn(async move {
            for n in (from + device..from + count).step_by(64) {
                sample::save_challenge(&*store, n).await;
                let mut intent = sample::intent(n);
                intent.challenge = Some(sample::claim(n, intent.certificate.request, n));
                sample::issue_as(&*store, intent).await;
            }
        });
    }
    enrolments.join_all().await;
    f64::from(count) / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and gigabytes; run by hand, in release mode, when a statement of the hot path changes"]
async fn an_enrolment_costs_the_same_at_a_million_certificates() {
    let engine = OnSqlite::new();
    let store = engine.open().await;
    let empty = enrolments_per_second(&store, 0, 6400).await;
    store.fill(1_000_000).await.unwrap();
    let full = enrolments_per_second(&store, 10_000, 6400).await;
    eprintln!("{empty:.0} enrolments/s with none, {full:.0} with a million");
    for (what, limit) in [("count", 1.0), ("crl", 1.0), ("page", 1.0)] {
        let start = std::time::Instant::now();
        match what {
            "count" => drop(store.count_certificates(sample::NOW).await.unwrap()),
            "crl" => drop(store.begin_crl(&sample::issuer(), sample::NOW).await.unwrap()),
            _ => drop(store.list_certificates(lanyard_store::ports::CertificateFilter::default()).await.unwrap()),
        }
        let took = start.elapsed().as_secs_f64();
        eprintln!("{what}: {took:.3} s");
        assert!(took < limit, "{what} took {took} s");
    }
    assert!(full > empty / 3.0, "{empty:.0} enrolments/s became {full:.0}");
}
