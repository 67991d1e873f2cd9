//! Printing: tables for people, JSON for scripts, errors with cause and fix. The only place that writes to stdout and stderr.

// A command line prints.
#![allow(clippy::print_stderr)]

use std::{
    io::{ErrorKind, Write, stdout},
    process::ExitCode,
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Writes to stdout. When the reader has gone (`lanyard … | head`), the program ends quietly, as others do.
pub fn bytes(bytes: &[u8]) {
    if let Err(error) = stdout().write_all(bytes).and_then(|()| stdout().flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("lanyard: stdout: {error}");
        }
        std::process::exit(1);
    }
}

/// Prints a line of result.
pub fn line(text: &str) {
    bytes(format!("{text}\n").as_bytes());
}

/// Prints text that ends in its own line end, such as PEM.
pub fn raw(text: &str) {
    bytes(text.as_bytes());
}

/// Prints a remark to stderr.
pub fn remark(text: &str) {
    eprintln!("{text}");
}

/// Prints a value as JSON.
pub fn json<T: Serialize>(value: &T) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            line(&text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("the result cannot be written as JSON: {error}"), None),
    }
}

/// Prints a table; `nothing` in place of an empty one.
pub fn table(head: &[&str], rows: Vec<Vec<String>>, nothing: &str) -> ExitCode {
    if rows.is_empty() {
        eprintln!("{nothing}");
        return ExitCode::SUCCESS;
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.to_vec());
    table.add_rows(rows);
    line(&table.to_string());
    ExitCode::SUCCESS
}

/// Prints names with their values; absent values are left out.
pub fn fields(pairs: &[(&str, Option<String>)]) {
    let width = pairs.iter().filter(|(_, v)| v.is_some()).map(|(n, _)| n.len()).max().unwrap_or(0);
    for (name, value) in pairs {
        if let Some(value) = value {
            line(&format!("{name:width$}  {value}"));
        }
    }
}

/// Prints an error and, where there is one, what to do about it.
pub fn fail(cause: &str, fix: Option<&str>) -> ExitCode {
    eprintln!("lanyard: {cause}");
    if let Some(fix) = fix {
        eprintln!("fix: {fix}");
    }
    ExitCode::FAILURE
}
