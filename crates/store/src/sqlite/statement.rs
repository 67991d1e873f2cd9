//! Running one statement on a connection of SQLite.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{
    Connection, ErrorCode, Statement,
    types::{ToSqlOutput, ValueRef},
};

use crate::sql::{
    connection::Done,
    fault::{Fault, Reach},
    value::{Row, Value},
};

/// Column names of the statements used so far, so that they are copied once and not with every result.
#[derive(Default)]
pub(super) struct Names(HashMap<&'static str, Arc<[String]>>);

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Octets(value) => ValueRef::Blob(value),
        }))
    }
}

/// Runs a statement and returns how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, args: &[Value]) -> Done<u64> {
    let run = || {
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, args)?;
        statement.raw_execute()
    };
    run().map(|changed| changed as u64).map_err(fault)
}

/// Runs a statement and returns its rows.
pub(super) fn fetch(connection: &Connection, names: &mut Names, sql: &'static str, args: &[Value]) -> Done<Vec<Row>> {
    let mut run = || {
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, args)?;
        let columns = names.0.entry(sql).or_insert_with(|| statement.column_names().map(str::to_owned).collect());
        let columns = Arc::clone(columns);
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|n| row.get_ref(n).map(value)).collect::<rusqlite::Result<Vec<_>>>()?;
            found.push(Row { columns: Arc::clone(&columns), values });
        }
        Ok(found)
    };
    run().map_err(fault)
}

/// Binds by number: SQLite takes `$7` for a name and counts names by their first appearance.
fn bind(statement: &mut Statement<'_>, args: &[Value]) -> rusqlite::Result<()> {
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.trim_start_matches('$').parse::<usize>().ok());
        let arg = number.and_then(|number| args.get(number.wrapping_sub(1)));
        statement.raw_bind_parameter(place, arg.ok_or(rusqlite::Error::InvalidParameterCount(args.len(), place))?)?;
    }
    Ok(())
}

/// A stored value.
pub(crate) fn value(stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        // Tables are STRICT and hold no reals; one that appears anyway is then "not an integer" to whoever reads it.
        ValueRef::Real(value) => Value::Text(value.to_string()),
        ValueRef::Text(value) => String::from_utf8(value.to_vec()).map_or_else(|e| Value::Octets(e.into_bytes()), Value::Text),
        ValueRef::Blob(value) => Value::Octets(value.to_vec()),
    }
}

/// How far an error of SQLite reaches. Input or output errors, a damaged file, no database: writing on would make things worse.
pub(super) fn fault(error: rusqlite::Error) -> Fault {
    let reach = match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Reach::Fatal,
        _ => Reach::Statement,
    };
    Fault::new(reach, error)
}
