//! `lanyard invite`.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use lanyard_server::{
    api::delivery_types::{Invite, Invited},
    flow::csv::Table,
};

use crate::{
    admin::{CallError, Target},
    print,
};

/// Invitations on their way at a time.
const AT_A_TIME: usize = 4;

/// Arguments of `lanyard invite`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  lanyard invite --dir ca user1 --template user-client --mail\n  lanyard invite --dir ca --file people.csv --template \
    user-client --mail --results sent.csv\n\nThe link works once. It leads to the portal, which makes key and certificate when the person \
    presses the button, and shows the\npassphrase of the file there; a passphrase never goes by mail. The first line of people.csv names \
    its columns: name, and device\nif a device is meant."
)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// User on record.
    #[arg(value_name = "USER", required_unless_present = "file", conflicts_with = "file")]
    user: Option<String>,
    /// CSV file of many people.
    #[arg(long, value_name = "FILE", requires = "results")]
    file: Option<PathBuf>,
    /// New file for what became of each of them.
    #[arg(long, value_name = "FILE", requires = "file")]
    results: Option<PathBuf>,
    /// Certificate template; it must allow pfx.
    #[arg(long, value_name = "NAME")]
    template: String,
    /// Registration profile.
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Device on record.
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    device: Option<String>,
    /// How long the link is good, 5m to 30d; default: 3d.
    #[arg(long, value_name = "SPAN")]
    ttl: Option<String>,
    /// Send the link by mail; otherwise it is printed.
    #[arg(long)]
    mail: bool,
    /// The link is good only for somebody who is signed in at the portal as that user.
    #[arg(long)]
    sign_in: bool,
}

impl Arguments {
    fn of(&self, user: &str, device: Option<String>) -> Invite {
        Invite {
            user: user.to_owned(),
            template: self.template.clone(),
            profile: Some(self.profile.clone()),
            device,
            ttl: self.ttl.clone(),
            sign_in: self.sign_in,
            mail: self.mail,
        }
    }
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    if let (Some(file), Some(results)) = (&arguments.file, &arguments.results) {
        return many(&arguments, file, results).await;
    }
    let user = arguments.user.clone().unwrap_or_default();
    match arguments.target.post::<_, Invited>("/invitations", &arguments.of(&user, arguments.device.clone())).await {
        Ok(Invited { link: Some(link), until, user, .. }) => {
            print::line(&link);
            print::remark(&format!("for {user}; it works once, until {until}"));
            ExitCode::SUCCESS
        }
        Ok(Invited { sent_to, until, .. }) => {
            print::line(&format!("sent to {}; the link works once, until {until}", sent_to.unwrap_or_default()));
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

/// Who is in a file: line, name and device.
fn people(text: &str) -> Result<Vec<(usize, String, Option<String>)>, String> {
    let table = Table::read(text).map_err(|(line, column, problem)| format!("line {line}, column {column}: {problem}"))?;
    let place = |name: &str| table.columns.iter().position(|column| column == name);
    let name = place("name").ok_or("the first line names no column 'name'")?;
    let device = place("device");
    let rows = table.rows.iter().map(|row| {
        let cell = |place: usize| row.get(place).filter(|cell| !cell.text.is_empty());
        let found = cell(name).ok_or_else(|| format!("line {}: there is no name", row.first().map_or(0, |cell| cell.line)))?;
        Ok((found.line, found.text.clone(), device.and_then(cell).map(|cell| cell.text.clone())))
    });
    rows.collect()
}

async fn many(arguments: &Arguments, file: &Path, results: &Path) -> ExitCode {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return print::fail(&format!("{}: {error}", file.display()), Some("save it as CSV in UTF-8")),
    };
    let people = match people(&text) {
        Ok(people) => people,
        Err(problem) => return print::fail(&format!("{}: {problem}; nobody was invited", file.display()), None),
    };
    // Mode 0600: without --mail it has the links.
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(results);
    let mut out = match opened {
        Ok(out) => out,
        Err(error) => {
            return print::fail(
                &format!("{} cannot be made: {error}", results.display()),
                Some("name a file that does not exist"),
            );
        }
    };
    let length = u64::try_from(people.len()).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} invited, {eta} left");
    let bar = ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut written = out.write_all(b"line,name,outcome,detail\n");
    let mut failures = 0;
    let calls = people.into_iter().map(|(line, name, device)| async move {
        let answer = arguments.target.post::<_, Invited>("/invitations", &arguments.of(&name, device)).await;
        (line, name, answer)
    });
    let mut answers = futures_util::stream::iter(calls).buffered(AT_A_TIME);
    while let Some((line, name, answer)) = answers.next().await {
        let (row, failed) = row(line, &name, &answer);
        failures += usize::from(failed);
        // Each line is there as soon as its mail went: whoever is interrupted knows whom to leave out.
        written = written.and_then(|()| out.write_all(row.as_bytes())).and_then(|()| out.flush());
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Err(error) = written {
        return print::fail(&format!("{} cannot be written: {error}", results.display()), None);
    }
    let invited = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(failures);
    print::line(&format!("{invited} invited, {failures} not; {} tells of each", results.display()));
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn row(line: usize, name: &str, answer: &Result<Invited, CallError>) -> (String, bool) {
    let (outcome, detail) = match answer {
        Ok(invited) => match (&invited.sent_to, &invited.link) {
            (Some(to), _) => ("sent", to.clone()),
            (None, link) => ("invited", link.clone().unwrap_or_default()),
        },
        Err(error) => ("failed", error.to_string()),
    };
    let mut row = format!("{line}");
    for cell in [name, outcome, &detail] {
        let _ = write!(row, ",{}", quoted(cell));
    }
    row.push('\n');
    (row, answer.is_err())
}

/// A cell that no spreadsheet takes for a formula.
fn quoted(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_and_formulas_are_not_written() {
        let read = people("name,device\nuser1,phone-1\nuser2,\n").unwrap();
        assert_eq!(read, [(2, "user1".into(), Some("phone-1".into())), (3, "user2".into(), None)]);
        assert!(people("user\nx\n").is_err() && people("name,device\n,x\n").is_err());
        assert_eq!(quoted("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
