//! Arguments and results of statements, the same for every engine.

use std::sync::Arc;

use crate::{
    ports::Result,
    rows::{StoredRow, column, corrupt},
};

/// A value as the engines know it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// Text without NUL.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

macro_rules! from {
    ($($source:ty => |$value:ident| $made:expr;)+) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $made
            }
        }
    )+};
}

from! {
    i64 => |v| Self::Integer(v);
    u8 => |v| Self::Integer(i64::from(v));
    u32 => |v| Self::Integer(i64::from(v));
    bool => |v| Self::Integer(i64::from(v));
    String => |v| Self::Text(v);
    &str => |v| Self::Text(v.to_owned());
    Vec<u8> => |v| Self::Octets(v);
    &[u8] => |v| Self::Octets(v.to_vec());
    [u8; 16] => |v| Self::Octets(v.to_vec());
    [u8; 32] => |v| Self::Octets(v.to_vec());
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The arguments of a statement, `$1` first.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        vec![$(crate::sql::value::Value::from($value)),*]
    };
}
pub(crate) use args;

/// One row of a result.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Names of the columns, shared by the rows of a result.
    pub(crate) columns: Arc<[String]>,
    /// Values in the same order.
    pub(crate) values: Vec<Value>,
}

impl Row {
    fn value(&self, what: &'static str) -> Result<&Value> {
        let name = column(what);
        let place = self.columns.iter().position(|c| c == name);
        place.and_then(|place| self.values.get(place)).ok_or_else(|| corrupt(what, "there is no such column"))
    }
}

impl StoredRow for Row {
    fn integer(&self, what: &'static str) -> Result<Option<i64>> {
        match self.value(what)? {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value)),
            _ => Err(corrupt(what, "not an integer")),
        }
    }

    fn text(&self, what: &'static str) -> Result<Option<String>> {
        match self.value(what)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.clone())),
            _ => Err(corrupt(what, "not text")),
        }
    }

    fn octets(&self, what: &'static str) -> Result<Option<Vec<u8>>> {
        match self.value(what)? {
            Value::Null => Ok(None),
            Value::Octets(value) => Ok(Some(value.clone())),
            _ => Err(corrupt(what, "not octets")),
        }
    }
}
