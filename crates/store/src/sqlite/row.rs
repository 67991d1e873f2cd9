//! Values of a SQLite row, and errors of the engine.

use sqlx::{Decode, Row, Sqlite as Engine, Type, sqlite::SqliteRow};

use crate::{
    error::StoreError,
    ports::Result,
    rows::{StoredRow, column, corrupt},
};

fn value<'r, T: Decode<'r, Engine> + Type<Engine>>(row: &'r SqliteRow, what: &'static str) -> Result<Option<T>> {
    row.try_get(column(what)).map_err(|e| corrupt(what, e))
}

impl StoredRow for SqliteRow {
    fn integer(&self, what: &'static str) -> Result<Option<i64>> {
        value(self, what)
    }

    fn text(&self, what: &'static str) -> Result<Option<String>> {
        value(self, what)
    }

    fn octets(&self, what: &'static str) -> Result<Option<Vec<u8>>> {
        value(self, what)
    }
}

/// Says what was tried when the engine failed.
pub(super) fn engine(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| match source {
        sqlx::Error::PoolClosed => StoreError::Closed,
        source => StoreError::Engine { action, source: Box::new(source) },
    }
}
