//! Opening the database file: safety settings, library version, schema.

use std::{fs::OpenOptions, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig};

use super::{connection, readers::Readers};
use crate::{
    error::StoreError,
    migrations::{self, Applied, Migration},
    ports::Result,
    sql::{
        connection::Connection as WriteConnection,
        database::{Database, Readers as AnyReaders},
    },
};

/// Earlier versions can lose or corrupt a database when a write-ahead log is reset.
const NEEDED: (u32, u32, u32) = (3, 51, 3);
const NEEDED_TEXT: &str = "3.51.3";

/// Another process (a backup, `lanyard store check`) may hold the lock for a moment.
const BUSY: Duration = Duration::from_secs(10);

const READERS: usize = 4;

/// Statements kept prepared on each connection: more than there are.
const PREPARED: usize = 256;

/// Page cache of the writer, in KiB (negative by SQLite's convention). The indices on random values, serial numbers and
/// digests, are touched all over; at a million certificates their upper levels and much of the leaves stay in memory.
const WRITER_CACHE: i64 = -8192;

/// The schema, oldest first. Files are embedded so that a program and its schema cannot part.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "first", sql: include_str!("../../migrations/sqlite/0001_first.sql") },
    Migration { version: 2, name: "people", sql: include_str!("../../migrations/sqlite/0002_people.sql") },
    Migration { version: 3, name: "fewer-indices", sql: include_str!("../../migrations/sqlite/0003_fewer_indices.sql") },
    Migration { version: 4, name: "fleet", sql: include_str!("../../migrations/sqlite/0004_fleet.sql") },
    Migration {
        version: 5,
        name: "enrollments of a device",
        sql: include_str!("../../migrations/sqlite/0005_enrollments_of_device.sql"),
    },
    Migration { version: 6, name: "notices", sql: include_str!("../../migrations/sqlite/0006_notices.sql") },
    Migration { version: 7, name: "counts", sql: include_str!("../../migrations/sqlite/0007_counts.sql") },
    Migration { version: 8, name: "nodes", sql: include_str!("../../migrations/sqlite/0008_nodes.sql") },
    Migration { version: 9, name: "delivery", sql: include_str!("../../migrations/sqlite/0009_delivery.sql") },
    Migration { version: 10, name: "invitations", sql: include_str!("../../migrations/sqlite/0010_invitations.sql") },
];

/// Opens the database at `path`, creating it (mode 0600) if it is absent, and brings its schema up to date.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// [`StoreError::Open`], [`StoreError::TooOld`], [`StoreError::Migrate`].
pub async fn open(path: &Path) -> Result<Database> {
    let (writer, readers) = connect(path)?;
    let writer = WriteConnection::Sqlite(Box::new(connection::Connection::new(writer)));
    Ok(Database::start(writer, AnyReaders::Sqlite(Readers::new(readers))))
}

/// The writer's connection and those for reading.
pub(crate) fn connect(path: &Path) -> Result<(Connection, Vec<Connection>)> {
    let cannot = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: path.display().to_string(), source };
    create(path).map_err(|e| cannot(e.into()))?;
    let mut writer = writer(path).map_err(|e| cannot(e.into()))?;
    let found = rusqlite::version();
    if !new_enough(found) {
        return Err(StoreError::TooOld { found: found.to_owned(), needed: NEEDED_TEXT });
    }
    migrate(&mut writer)?;
    empty_log(&writer).map_err(|e| cannot(e.into()))?;
    let readers = (0..READERS).map(|_| reader(path)).collect::<rusqlite::Result<_>>();
    Ok((writer, readers.map_err(|e| cannot(e.into()))?))
}

/// Moves what a killed process left in the log into the database: a process that is killed again and again would never come to it, and
/// each start reads the whole log. A full disk keeps nobody from starting: the log stays as it is.
fn empty_log(writer: &Connection) -> rusqlite::Result<()> {
    match writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => Ok(()),
        other => other,
    }
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // Otherwise a statement that could use a partial index is prepared again for each value bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // A memory map turns a disk error into a signal that ends the process, and a stray pointer into a damaged file.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    // A schema edited by an intruder must not run functions in our name.
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settings(&connection)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    // The writer makes checkpoints itself: SQLite swallows a failed sync in an automatic one.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    Ok(connection)
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settings(&connection)?;
    connection.pragma_update(None, "query_only", "ON")?;
    Ok(connection)
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

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(std::result::Result::ok);
    match (part(), part(), part()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= NEEDED,
        _ => false,
    }
}

/// Brings the schema up to date, all of it or nothing. Two processes that start together take turns.
fn migrate(connection: &mut Connection) -> Result<()> {
    let failed = |source: rusqlite::Error| StoreError::Migrate { source: source.into() };
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(migrations::table!("BLOB")).map_err(failed)?;
    let mut query = transaction.prepare(migrations::LIST).map_err(failed)?;
    let applied = query.query_map([], |row| Ok(Applied { version: row.get(0)?, digest: row.get(1)? }));
    let applied = applied.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).map_err(failed)?;
    drop(query);
    for migration in migrations::missing(MIGRATIONS, &applied)? {
        transaction.execute_batch(migration.sql).map_err(failed)?;
        let values = (migration.version, migration.name, migration.digest().as_slice().to_vec());
        transaction.prepare(migrations::RECORD).and_then(|mut s| s.execute(values)).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    let broken: Option<String> =
        connection.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional().map_err(failed)?;
    match broken {
        None => Ok(()),
        Some(table) => Err(StoreError::Migrate { source: format!("table {table} refers to rows that are not there").into() }),
    }
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
