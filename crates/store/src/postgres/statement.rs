//! Values and errors of PostgreSQL.

use std::{error::Error, sync::Arc};

use tokio_postgres::{
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use crate::sql::{
    fault::{Fault, Reach},
    value::{Row, Value},
};

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Integer(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Octets(value) => value.as_slice().to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Integer),
            Type::INT4 => i32::from_sql(kind, raw).map(|v| Self::Integer(i64::from(v))),
            Type::TEXT | Type::VARCHAR | Type::NAME => String::from_sql(kind, raw).map(Self::Text),
            _ => <&[u8]>::from_sql(&Type::BYTEA, raw).map(|v| Self::Octets(v.to_vec())),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::INT4 | Type::TEXT | Type::VARCHAR | Type::NAME | Type::BYTEA)
    }
}

/// A result as the ports read it.
pub(crate) fn rows(columns: &Arc<[String]>, found: &[tokio_postgres::Row]) -> Result<Vec<Row>, tokio_postgres::Error> {
    let row = |row: &tokio_postgres::Row| {
        let values = (0..columns.len()).map(|n| row.try_get(n)).collect::<Result<Vec<Value>, _>>()?;
        Ok(Row { columns: Arc::clone(columns), values })
    };
    found.iter().map(row).collect()
}

/// How far an error reaches that came before the commit was sent: without a commit, nothing of the transaction happened.
pub(super) fn fault(error: tokio_postgres::Error) -> Fault {
    let reach = match error.code() {
        // Values or constraints of one statement.
        Some(code) if code.code().starts_with("22") || code.code().starts_with("23") => Reach::Statement,
        // In the way of another node, a restart, a lost connection, or anything unforeseen.
        _ => Reach::Batch,
    };
    Fault::new(reach, Described::from(error))
}

/// An error with what the server said, which the driver's own text leaves out.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Described {
    text: String,
    #[source]
    source: tokio_postgres::Error,
}

impl From<tokio_postgres::Error> for Described {
    fn from(source: tokio_postgres::Error) -> Self {
        let text = match source.as_db_error() {
            Some(said) => format!("the database server says: {} ({})", said.message(), said.code().code()),
            None => source.to_string(),
        };
        Self { text, source }
    }
}

/// Whether the password or user was refused.
pub(super) fn refused(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}
