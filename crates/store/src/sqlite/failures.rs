//! What the writer does when the engine fails under it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::{connection, open};
use crate::{
    callers::Callers,
    error::StoreError,
    ports::Result,
    sql::{
        connection::{Connection, Flush},
        tx::{Applied, Tx},
        value::args,
        writer::{Job, Object, Writer, job},
    },
};

const SAVE: &str = "INSERT INTO settings (name, value) VALUES ($1, $2)";

async fn save(tx: &mut Tx, name: String, size: usize) -> Result<Applied<()>> {
    tx.execute("save", SAVE, args![name, vec![7; size]]).await?;
    Ok(Applied::Kept(()))
}

/// A job and where its caller waits.
type Waiting = (Box<dyn Job>, oneshot::Receiver<Result<()>>);

fn saving(name: &str, size: usize) -> Waiting {
    let name = name.to_owned();
    job(Object::default(), Flush::Now, move |tx| save(tx, name.clone(), size).boxed())
}

fn panicking() -> Waiting {
    job(Object::default(), Flush::Now, |_| async { panic!("a mistake in a job") }.boxed())
}

/// Queues all jobs, so that they are one batch, and returns their answers.
async fn batch(queue: &mpsc::Sender<Box<dyn Job>>, jobs: Vec<Waiting>) -> Vec<Result<()>> {
    let mut places = queue.reserve_many(jobs.len()).await.unwrap();
    let mut answers = Vec::new();
    for (job, answer) in jobs {
        places.next().unwrap().send(job);
        answers.push(answer);
    }
    let mut told = Vec::new();
    for answer in answers {
        told.push(answer.await.unwrap());
    }
    told
}

fn connection(path: &Path) -> rusqlite::Connection {
    open::connect(path).unwrap().0
}

fn start(connection: rusqlite::Connection) -> mpsc::Sender<Box<dyn Job>> {
    let (sender, queue) = mpsc::channel(64);
    let connection = Connection::Sqlite(Box::new(connection::Connection::new(connection)));
    tokio::spawn(Writer::new(connection, Arc::new(AtomicU64::new(0)), Callers::default()).run(queue));
    sender
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_written_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stop.db");
    let mut writer = connection(&path);
    let sound = Arc::new(AtomicBool::new(true));
    let hook = Arc::clone(&sound);
    writer.commit_hook(Some(move || !hook.load(Ordering::Relaxed))).unwrap();
    let queue = start(writer);
    assert!(batch(&queue, vec![saving("before", 1)]).await.iter().all(Result::is_ok));
    sound.store(false, Ordering::Relaxed);
    let told = batch(&queue, vec![saving("one", 1), saving("two", 1)]).await;
    assert!(told.iter().all(|t| matches!(t, Err(StoreError::Stopped))), "{told:?}");
    sound.store(true, Ordering::Relaxed);
    let told = batch(&queue, vec![saving("three", 1)]).await;
    assert!(told.iter().all(|t| matches!(t, Err(StoreError::Stopped))), "a failed commit is final: {told:?}");
    assert_eq!(names(&path), ["before"]);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_not_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full.db");
    let writer = connection(&path);
    writer.pragma_update_and_check(None, "max_page_count", 200, |_| Ok(())).unwrap();
    let queue = start(writer);
    let told = batch(&queue, vec![saving("a", 10), saving("large", 2_000_000), saving("b", 10)]).await;
    assert_eq!(told.get(1).and_then(|t| t.as_ref().err()).map(StoreError::code), Some("store.engine"), "{told:?}");
    let told = batch(&queue, vec![saving("c", 10)]).await;
    assert!(told.iter().all(Result::is_ok), "there is space for small ones: {told:?}");
    drop(queue);
    let names = names(&path);
    assert!(names.contains(&"c".to_owned()) && !names.contains(&"large".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_panic_in_one_job_leaves_its_neighbours_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("panic.db");
    let queue = start(connection(&path));
    let told = batch(&queue, vec![saving("a", 1), panicking(), saving("b", 1)]).await;
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(names(&path), ["a", "b"]);
}

fn names(path: &Path) -> Vec<String> {
    let reader = open::connect(path).unwrap().1.pop().unwrap();
    let mut query = reader.prepare("SELECT name FROM settings ORDER BY name").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}
