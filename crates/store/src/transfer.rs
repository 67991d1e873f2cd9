//! Moving an installation from its SQLite file to a PostgreSQL database: everything or nothing, and compared afterwards.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;

use crate::{
    error::StoreError,
    ports::Result,
    postgres,
    sql::value::{Row, Value},
    sqlite,
};

/// A table and the columns that order it.
struct Table {
    name: &'static str,
    key: &'static str,
    /// Whether the target numbers its rows itself.
    numbered: bool,
}

const fn table(name: &'static str, key: &'static str, numbered: bool) -> Table {
    Table { name, key, numbered }
}

/// Every table with data that last, in an order that satisfies references. Leases, nodes and the health check's beat are of running processes.
const TABLES: &[Table] = &[
    table("challenges", "id", false),
    table("requests", "id", false),
    table("certificates", "id", true),
    table("certificate_bodies", "certificate", false),
    table("crl_numbers", "issuer", false),
    table("crls", "issuer, number", false),
    table("sealed_keys", "id", false),
    table("authorities", "id", true),
    table("users", "name", false),
    table("devices", "id", false),
    table("settings", "name", false),
    table("tokens", "id", false),
    table("directory_groups", "name", false),
    table("approvals", "request, approver", false),
    table("enrollments", "id", false),
    table("enrollment_certificates", "fingerprint", false),
    table("management_sessions", "enrollment", false),
    table("management_jobs", "id", false),
    table("inventories", "enrollment", false),
    table("passwords", "user_name", false),
    table("notices", "id", false),
    table("counts", "name", false),
    table("page_challenges", "challenge", false),
    table("archived_keys", "key_digest", false),
    table("recoveries", "id", false),
    table("invitations", "id", false),
    table("audit", "seq", false),
    table("audit_heads", "id", true),
];

/// Rows read and sent at a time.
const CHUNK: usize = 500;

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all values in order of the key, the same in both databases.
    pub digest: [u8; 32],
}

/// Copies everything from the file at `source` into the empty database at `url`, then reads the copy back and compares every value. Nothing
/// is left behind in the target unless all of it agrees. No server may run on the source; the file is locked meanwhile.
///
/// `progress` hears the table, how many of its rows are done, and how many there are.
///
/// # Errors
/// [`StoreError::Open`], [`StoreError::Migrate`] when the target is not empty or the copy differs, [`StoreError::Engine`].
pub async fn to_postgres(source: &Path, url: &str, mut progress: impl FnMut(&'static str, u64, u64)) -> Result<Vec<Moved>> {
    // Opening brings both schemas up to date.
    let (source_writer, _) = sqlite::connect(source)?;
    let lock = source_writer.execute_batch("BEGIN IMMEDIATE");
    lock.map_err(|e| StoreError::Engine { action: "lock the file; is a server still running on it?", source: e.into() })?;
    let reader = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| StoreError::Open { path: source.display().to_string(), source: e.into() })?;
    let mut client = postgres::connect(url).await?;
    let failed = |e: tokio_postgres::Error| StoreError::Migrate { source: postgres::described(e) };
    let transaction = client.transaction().await.map_err(failed)?;
    refuse_filled(&transaction).await?;
    let mut moved = Vec::new();
    for table in TABLES {
        moved.push(copy(&reader, &transaction, table, &mut progress).await?);
    }
    copy_head(&reader, &transaction).await?;
    for (table, moved) in TABLES.iter().zip(&moved) {
        let (rows, digest) = read_back(&transaction, table, moved.rows, &mut progress).await?;
        if (rows, digest) != (moved.rows, moved.digest) {
            let problem = format!("table {} differs: {} rows went, {rows} came back", table.name, moved.rows);
            return Err(StoreError::Migrate { source: problem.into() });
        }
    }
    transaction.commit().await.map_err(failed)?;
    Ok(moved)
}

async fn refuse_filled(target: &Transaction<'_>) -> Result<()> {
    let failed = |e: tokio_postgres::Error| StoreError::Migrate { source: postgres::described(e) };
    for table in ["settings", "audit", "certificates"] {
        let row = target.query_one(&format!("SELECT COUNT(*) FROM {table}"), &[]).await.map_err(failed)?;
        if row.get::<_, i64>(0) > 0 {
            return Err(StoreError::Migrate { source: format!("the target is not empty: table {table} has rows").into() });
        }
    }
    Ok(())
}

/// Feeds a row into a digest: kind, length and octets of every value, so that nothing can move from one into the next.
fn feed(digest: &mut Sha256, values: &[Value]) {
    for value in values {
        let (kind, octets) = match value {
            Value::Null => (0_u8, Vec::new()),
            Value::Integer(number) => (1, number.to_be_bytes().to_vec()),
            Value::Text(text) => (2, text.as_bytes().to_vec()),
            Value::Octets(octets) => (3, octets.clone()),
        };
        digest.update([kind]);
        digest.update((octets.len() as u64).to_be_bytes());
        digest.update(octets);
    }
}

async fn copy(
    source: &Connection,
    target: &Transaction<'_>,
    table: &Table,
    progress: &mut impl FnMut(&'static str, u64, u64),
) -> Result<Moved> {
    let engine = |e: rusqlite::Error| StoreError::Engine { action: "read the table to be moved", source: e.into() };
    let failed = |e: tokio_postgres::Error| StoreError::Migrate { source: postgres::described(e) };
    let Table { name, key, numbered } = table;
    let total: i64 = source.query_row(&format!("SELECT COUNT(*) FROM {name}"), [], |row| row.get(0)).map_err(engine)?;
    let total = total.unsigned_abs();
    let mut query = source.prepare(&format!("SELECT * FROM {name} ORDER BY {key}")).map_err(engine)?;
    let columns: Vec<String> = query.column_names().map(str::to_owned).collect();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let overriding = if *numbered { " OVERRIDING SYSTEM VALUE" } else { "" };
    let insert = format!("INSERT INTO {name} ({}){overriding} VALUES ({})", columns.join(", "), places.join(", "));
    let insert = target.prepare(&insert).await.map_err(failed)?;
    let mut digest = Sha256::new();
    let mut done = 0;
    let mut chunk: Vec<Vec<Value>> = Vec::with_capacity(CHUNK);
    let mut rows = query.query([]).map_err(engine)?;
    loop {
        let next = rows.next().map_err(engine)?;
        let last = next.is_none();
        if let Some(row) = next {
            let values = (0..columns.len()).map(|n| row.get_ref(n).map(sqlite::value)).collect::<rusqlite::Result<Vec<_>>>();
            let values = values.map_err(engine)?;
            feed(&mut digest, &values);
            chunk.push(values);
        }
        if chunk.len() == CHUNK || last {
            let sent = chunk.iter().map(|values| target.execute_raw(&insert, values));
            futures_util::future::try_join_all(sent).await.map_err(failed)?;
            done += chunk.len() as u64;
            progress(name, done, total);
            chunk.clear();
        }
        if last {
            break;
        }
    }
    if *numbered {
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', 'id'), GREATEST((SELECT COALESCE(MAX(id), 0) FROM {name}), 1), \
            (SELECT COUNT(*) > 0 FROM {name}))"
        );
        target.execute(&next, &[]).await.map_err(failed)?;
    }
    Ok(Moved { table: name, rows: done, digest: digest.finalize().into() })
}

async fn copy_head(source: &Connection, target: &Transaction<'_>) -> Result<()> {
    let engine = |e: rusqlite::Error| StoreError::Engine { action: "read the head of the audit log", source: e.into() };
    let head = source.query_row("SELECT seq, hash, highest, revocations FROM head WHERE id = 1", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    });
    let (seq, hash, highest, revocations) = head.map_err(engine)?;
    let moved = "UPDATE head SET seq = $1, hash = $2, highest = $3, revocations = $4 WHERE id = 1";
    let moved = target.execute(moved, &[&seq, &hash, &highest, &revocations]).await;
    moved.map(drop).map_err(|e| StoreError::Migrate { source: postgres::described(e) })
}

async fn read_back(
    target: &Transaction<'_>,
    table: &Table,
    total: u64,
    progress: &mut impl FnMut(&'static str, u64, u64),
) -> Result<(u64, [u8; 32])> {
    let failed = |e: tokio_postgres::Error| StoreError::Migrate { source: postgres::described(e) };
    let statement = target.prepare(&format!("SELECT * FROM {} ORDER BY {}", table.name, table.key)).await.map_err(failed)?;
    let portal = target.bind(&statement, &[]).await.map_err(failed)?;
    let columns: std::sync::Arc<[String]> = statement.columns().iter().map(|c| c.name().to_owned()).collect();
    let mut digest = Sha256::new();
    let mut done = 0;
    loop {
        let found = target.query_portal(&portal, i32::try_from(CHUNK).unwrap_or(i32::MAX)).await.map_err(failed)?;
        if found.is_empty() {
            return Ok((done, digest.finalize().into()));
        }
        done += found.len() as u64;
        for Row { values, .. } in postgres::rows(&columns, &found).map_err(failed)? {
            feed(&mut digest, &values);
        }
        progress(table.name, done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let (connection, _) = sqlite::connect(&directory.path().join("lanyard.db")).unwrap();
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
        let there = query.query_map([], |row| row.get::<_, String>(0)).unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap();
        let of_one_process = ["head", "heartbeat", "leases", "migrations", "nodes"];
        for name in there.iter().filter(|name| !name.starts_with("sqlite_") && !of_one_process.contains(&name.as_str())) {
            assert!(TABLES.iter().any(|table| table.name == name), "{name} would be left behind");
        }
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let of = |values: &[Value]| {
            let mut digest = Sha256::new();
            feed(&mut digest, values);
            digest.finalize()
        };
        let text = |t: &str| Value::Text(t.to_owned());
        assert_ne!(of(&[text("ab"), text("c")]), of(&[text("a"), text("bc")]));
        assert_ne!(of(&[text("")]), of(&[Value::Null]));
        assert_ne!(of(&[text("a")]), of(&[Value::Octets(b"a".to_vec())]));
    }
}
