//! Many users or devices from one CSV file: all of them, or none.

use std::collections::{BTreeMap, BTreeSet};

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    directory::{Device, User},
    text::printable,
};

use super::csv::{Cell, Table};
use crate::{error::ServerError, state::Server};

/// Most mistakes that are told.
const MOST_MISTAKES: usize = 100;

/// What is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Users, with a column `name`.
    Users,
    /// Devices, with a column `id`.
    Devices,
}

/// A mistake in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Name of the column, or its number where it has none.
    pub column: String,
    /// What is wrong, safe to print.
    pub problem: String,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Records that are new.
    pub added: usize,
    /// Records that differ from those there are.
    pub changed: usize,
    /// Records that are there already, word for word.
    pub unchanged: usize,
    /// Mistakes; with any of them nothing is imported.
    pub mistakes: Vec<Mistake>,
}

/// Imports a file, unless it has a mistake or it is only tried. Columns that are not in the file keep what is on record.
///
/// # Errors
/// Storage errors.
pub async fn import(server: &Server, kind: Kind, text: &str, try_only: bool, by: &str) -> Result<Outcome, ServerError> {
    let table = match Table::read(text) {
        Ok(table) => table,
        Err((line, column, problem)) => {
            return Ok(Outcome { mistakes: vec![Mistake { line, column: column.to_string(), problem }], ..Outcome::default() });
        }
    };
    let mut outcome = Outcome::default();
    let (mut users, mut devices) = (Vec::new(), Vec::new());
    match kind {
        Kind::Users => {
            let known = server.store.list_users().await?.into_iter().map(|u| (u.name.to_string(), u)).collect();
            users = records(&table, "name", &known, &mut outcome, |name| name.parse().map(User::named), set_user);
        }
        Kind::Devices => {
            let known = server.store.list_devices().await?.into_iter().map(|d| (d.id.to_string(), d)).collect();
            devices = records(&table, "id", &known, &mut outcome, |id| id.parse().map(Device::named), set_device);
        }
    }
    if try_only || !outcome.mistakes.is_empty() || (users.is_empty() && devices.is_empty()) {
        return Ok(outcome);
    }
    let what = if kind == Kind::Users { "users" } else { "devices" };
    let audit = AuditEvent {
        object: Some(format!("import of {what}")),
        detail: Some(format!("{} added, {} changed, {} unchanged", outcome.added, outcome.changed, outcome.unchanged)),
        ..server.event(AuditKind::DirectoryChanged, by)
    };
    server.store.import_directory(users, devices, audit).await?;
    Ok(outcome)
}

/// Reads every row over the record there is, and counts. Only what is new or changed is returned.
fn records<T: Clone + PartialEq, E: std::fmt::Display>(
    table: &Table,
    key: &str,
    known: &BTreeMap<String, T>,
    outcome: &mut Outcome,
    new: impl Fn(&str) -> Result<T, E>,
    set: impl Fn(&mut T, &str, &str) -> Result<(), String>,
) -> Vec<T> {
    let mut made = Vec::new();
    let mut seen = BTreeSet::new();
    let mut mistake = |line: usize, column: &str, problem: String| {
        if outcome.mistakes.len() < MOST_MISTAKES {
            outcome.mistakes.push(Mistake { line, column: printable(column), problem: printable(&problem) });
        }
    };
    let Some(place) = table.columns.iter().position(|c| c == key) else {
        mistake(1, key, format!("the first line names no column '{key}'"));
        return made;
    };
    let (mut added, mut changed, mut unchanged) = (0, 0, 0);
    for row in &table.rows {
        let line = row.first().map_or(0, |cell| cell.line);
        if row.len() != table.columns.len() {
            mistake(line, "", format!("it has {} columns, the first line {}", row.len(), table.columns.len()));
            continue;
        }
        let Some(Cell { text: name, line }) = row.get(place) else { continue };
        let mut record = match (known.get(name), new(name)) {
            (_, Err(problem)) => {
                mistake(*line, key, problem.to_string());
                continue;
            }
            (Some(there), Ok(_)) => there.clone(),
            (None, Ok(record)) => record,
        };
        if !seen.insert(name.clone()) {
            mistake(*line, key, format!("'{name}' stands in an earlier line too"));
            continue;
        }
        for (column, cell) in table.columns.iter().zip(row).filter(|(column, _)| *column != key) {
            if let Err(problem) = set(&mut record, column, &cell.text) {
                mistake(cell.line, column, problem);
            }
        }
        match known.get(name) {
            None => added += 1,
            Some(there) if *there == record => {
                unchanged += 1;
                continue;
            }
            Some(_) => changed += 1,
        }
        made.push(record);
    }
    (outcome.added, outcome.changed, outcome.unchanged) = (added, changed, unchanged);
    made
}

fn set_user(user: &mut User, column: &str, text: &str) -> Result<(), String> {
    if column == "disabled" {
        user.disabled = yes_or_no(text)?;
        return Ok(());
    }
    let field = user.text_mut(column).ok_or_else(|| format!("users have no field '{column}'"))?;
    *field = filled(text)?;
    Ok(())
}

fn set_device(device: &mut Device, column: &str, text: &str) -> Result<(), String> {
    match column {
        "blocked" => device.blocked = yes_or_no(text)?,
        "user" => {
            let owner = (!text.is_empty()).then(|| text.parse()).transpose();
            device.user = owner.map_err(|e: lanyard_model::id::IdError| e.to_string())?;
        }
        _ => {
            let field = device.text_mut(column).ok_or_else(|| format!("devices have no field '{column}'"))?;
            *field = filled(text)?;
        }
    }
    Ok(())
}

/// An empty cell means that there is no value.
fn filled(text: &str) -> Result<Option<String>, String> {
    if text.chars().any(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    if text.chars().count() > 1024 {
        return Err("it is longer than 1024 characters".to_owned());
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" | "" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}
