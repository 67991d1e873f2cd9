//! Opening the database file: safety settings, library version, schema.

use std::{fs::OpenOptions, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{error::StoreError, ports::Result};

/// Earlier versions can lose or corrupt a database when a write-ahead log is reset.
const NEEDED: (u32, u32, u32) = (3, 51, 3);
const NEEDED_TEXT: &str = "3.51.3";

/// Another process (a backup, `lanyard store check`) may hold the lock for a moment.
const BUSY: Duration = Duration::from_secs(10);

const READERS: u32 = 4;

/// Page cache of the writer, in KiB (negative by SQLite's convention). The indices on random values, serial numbers and
/// digests, are touched all over; at a million certificates their upper levels and much of the leaves stay in memory.
const WRITER_CACHE: &str = "-65536";

/// The schema, oldest first. Files are embedded so that a program and its schema cannot part.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "first", include_str!("../../migrations/sqlite/0001_first.sql"))];

/// An open database: the writer's connection and the readers.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
}

/// Opens the file, creating it (for its owner only) if it is absent, and brings the schema up to date.
pub(super) async fn open(path: &Path) -> Result<Opened> {
    let cannot = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: path.display().to_string(), source };
    create(path).map_err(|e| cannot(e.into()))?;
    let options = options(path);
    let mut writer = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("cache_size", WRITER_CACHE)
        // The writer makes checkpoints itself: SQLite swallows a failed sync in an automatic one.
        .pragma("wal_autocheckpoint", "0")
        .connect()
        .await
        .map_err(|e| cannot(e.into()))?;
    check_version(&mut writer).await?;
    migrator().run_direct(None, &mut writer, false).await.map_err(|e| StoreError::Migrate { source: e.into() })?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.read_only(true).pragma("query_only", "ON"))
        .await
        .map_err(|e| cannot(e.into()))?;
    Ok(Opened { writer, readers })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // A memory map turns a disk error into a signal that ends the process, and a stray pointer into a damaged file.
        .pragma("mmap_size", "0")
        // A schema edited by an intruder must not run functions in our name.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
}

/// Creates the file before SQLite does, so that it is never readable by others, not even for a moment. SQLite gives the
/// write-ahead log the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

async fn check_version(connection: &mut SqliteConnection) -> Result<()> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(super::row::engine("ask for the version of SQLite"))?;
    if new_enough(&found) { Ok(()) } else { Err(StoreError::TooOld { found, needed: NEEDED_TEXT }) }
}

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(std::result::Result::ok);
    match (part(), part(), part()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= NEEDED,
        _ => false,
    }
}

fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// Moves the whole write-ahead log into the database file and ends the connection.
pub(super) async fn finish(mut connection: SqliteConnection) -> std::result::Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for (version, good) in
            [("3.51.2", false), ("3.51.3", true), ("3.100.0", true), ("4.0.0", true), ("3.9.9", false), ("", false)]
        {
            assert_eq!(new_enough(version), good, "{version}");
        }
        assert!(new_enough(NEEDED_TEXT));
    }
}
