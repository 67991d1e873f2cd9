//! PostgreSQL as an engine under test, and what only a server can show.

use std::sync::Arc;

use async_trait::async_trait;
use lanyard_model::audit::{AuditKind, ChainVerdict};
use lanyard_store::{
    ports::{AuditStore, Begun, Store},
    postgres,
};

use crate::{engine::Engine, sample, server::Postgres};

/// A database of its own on the shared server.
pub struct OnPostgres(String);

impl OnPostgres {
    pub fn new() -> Self {
        Self(Postgres::shared().database())
    }

    fn sql(&self, statements: &str) -> String {
        Postgres::shared().sql(self.0.rsplit('/').next().unwrap(), statements)
    }
}

#[async_trait]
impl Engine for OnPostgres {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(postgres::open(&self.0).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiting_writes_share_a_commit() {
    let engine = OnPostgres::new();
    let store = postgres::open(&engine.0).await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..2000 {
        let store = store.clone();
        writes.spawn(async move { store.append_audit(sample::event(AuditKind::Started, None)).await.unwrap() });
    }
    writes.join_all().await;
    assert!(store.commits() < 300, "{} commits for 2000 writes", store.commits());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_is_append_only() {
    let engine = OnPostgres::new();
    let store = engine.open().await;
    store.append_audit(sample::event(AuditKind::Started, None)).await.unwrap();
    for change in ["UPDATE audit SET event = ''", "DELETE FROM audit", "TRUNCATE audit"] {
        let guarded = format!(
            "DO $$ BEGIN {change}; RAISE 'it went through'; EXCEPTION WHEN integrity_constraint_violation THEN NULL; END $$"
        );
        engine.sql(&guarded);
    }
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records: 1, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_one_chain_and_one_challenge_has_one_winner() {
    let engine = OnPostgres::new();
    let (a, b, c) = (engine.open().await, engine.open().await, engine.open().await);
    let nodes = [a, b, c];
    for n in 0..40 {
        sample::save_challenge(&*nodes[n as usize % 3], n).await;
    }
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..40_u32 {
        for submitter in 0..9_u32 {
            let store = nodes[submitter as usize % 3].clone();
            tries.spawn(async move {
                let mut intent = sample::intent(n * 100 + submitter);
                let claim = sample::claim(n, intent.certificate.request, n * 100 + submitter);
                intent.challenge = Some(claim);
                let begun = store.begin_issuance(intent.clone()).await.unwrap();
                if begun == Begun::Done {
                    store.finish_issuance(sample::signed(&intent)).await.unwrap();
                }
                (n, begun)
            });
        }
    }
    let mut winners = vec![0; 40];
    for (n, begun) in tries.join_all().await {
        match begun {
            Begun::Done => winners[n as usize] += 1,
            Begun::ChallengeUsed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(winners, vec![1; 40]);
    let verdict = nodes[1].verify_audit().await.unwrap();
    assert!(matches!(verdict, ChainVerdict::Intact { records: 120, .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_that_was_told_and_nothing_is_done_twice() {
    let server = Postgres::own();
    let url = server.database();
    let store: Arc<dyn Store> = Arc::new(postgres::open(&url).await.unwrap());
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..600_u32 {
        let store = store.clone();
        writes.spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(n) * 4)).await;
            store
                .save_challenge(sample::challenge(n), sample::event(AuditKind::ChallengeCreated, None))
                .await
                .is_ok()
                .then_some(n)
        });
    }
    let interruptions = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(500));
            server.kill();
            server.start();
        }
        server
    });
    let told: Vec<u32> = writes.join_all().await.into_iter().flatten().collect();
    let _server = interruptions.await.unwrap();
    assert!(told.len() > 500, "a short absence is waited for: {} of 600", told.len());
    let mut kept = 0;
    for n in 0..600 {
        kept += u64::from(store.load_challenge(sample::challenge_id(n)).await.unwrap().is_some());
    }
    for n in &told {
        assert!(store.load_challenge(sample::challenge_id(*n)).await.unwrap().is_some(), "{n} was told and is lost");
    }
    let verdict = store.verify_audit().await.unwrap();
    assert!(matches!(verdict, ChainVerdict::Intact { records, .. } if records == kept), "{verdict:?}, {kept} challenges");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_program_or_none_at_all_is_refused() {
    let engine = OnPostgres::new();
    engine.open().await.close().await;
    engine.sql("INSERT INTO migrations (version, name, digest) VALUES (999, 'x', '')");
    assert_eq!(postgres::open(&engine.0).await.unwrap_err().code(), "store.migrate");
    let error = postgres::open(&format!("{}_missing", engine.0)).await.unwrap_err();
    assert_eq!(error.code(), "store.open");
    assert_eq!(postgres::open("postgres://").await.unwrap_err().code(), "store.open");
}
