//! Which migrations a database still needs. Migrations only go forward, and one that was ever applied is never edited.

use sha2::{Digest, Sha256};

use crate::{error::StoreError, ports::Result};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Its place, from 1.
    pub(crate) version: i64,
    /// What it is about.
    pub(crate) name: &'static str,
    /// Its statements.
    pub(crate) sql: &'static str,
}

impl Migration {
    /// SHA-256 of its statements.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.sql).into()
    }
}

/// A step as the database remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    /// Its place.
    pub(crate) version: i64,
    /// SHA-256 of the statements that were run.
    pub(crate) digest: Vec<u8>,
}

/// The part of `CREATE TABLE` that is the same for every engine; the type of octets has another name in each.
macro_rules! table {
    ($octets:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest ",
            $octets,
            " NOT NULL)"
        )
    };
}
pub(crate) use table;

/// What was applied.
pub(crate) const LIST: &str = "SELECT version, digest FROM migrations ORDER BY version";
/// Remembers a migration.
pub(crate) const RECORD: &str = "INSERT INTO migrations (version, name, digest) VALUES ($1, $2, $3)";

/// The migrations to be applied.
///
/// # Errors
/// [`StoreError::Migrate`] when the database has a migration that this program does not know, or knows otherwise.
pub(crate) fn missing<'m>(known: &'m [Migration], applied: &[Applied]) -> Result<&'m [Migration]> {
    for (place, applied) in applied.iter().enumerate() {
        let refuse = |problem: String| Err(StoreError::Migrate { source: problem.into() });
        match known.get(place) {
            Some(migration) if migration.version == applied.version && migration.digest().as_slice() == applied.digest => {}
            Some(_) => return refuse(format!("migration {} was applied in another form than this program has", applied.version)),
            None => {
                return refuse(format!(
                    "the database was written by a newer program (its migration {} is unknown)",
                    applied.version
                ));
            }
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] =
        &[Migration { version: 1, name: "one", sql: "a" }, Migration { version: 2, name: "two", sql: "b" }];

    fn applied(version: i64, sql: &'static str) -> Applied {
        Applied { version, digest: Migration { version, name: "", sql }.digest().to_vec() }
    }

    #[test]
    fn only_what_is_missing_and_nothing_after_a_surprise() {
        let versions = |applied: &[Applied]| missing(KNOWN, applied).map(|m| m.iter().map(|m| m.version).collect::<Vec<_>>());
        assert_eq!(versions(&[]).unwrap(), [1, 2]);
        assert_eq!(versions(&[applied(1, "a")]).unwrap(), [2]);
        assert!(versions(&[applied(1, "a"), applied(2, "b")]).unwrap().is_empty());
        assert!(versions(&[applied(1, "x")]).is_err());
        assert!(versions(&[applied(1, "a"), applied(2, "b"), applied(3, "c")]).is_err());
    }
}
