//! `lanyard request`.

use std::process::ExitCode;

use clap::Subcommand;
use lanyard_server::api::types::{Deny, Request};

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on requests.
#[derive(Subcommand)]
pub enum Command {
    /// List requests, newest first.
    #[command(after_help = "Example:\n  lanyard request list --dir ca --state pending")]
    List {
        #[command(flatten)]
        target: Target,
        /// Only this state: pending, granted, issued, denied, expired.
        #[arg(long)]
        state: Option<String>,
        /// Only requests older than this one, for paging.
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell the whole story of a request: what was asked, what was decided, why, what to do.
    #[command(after_help = "Example:\n  lanyard request show --dir ca 019a9f2e-5a10-7c3e-9d0a-0123456789ab\n\n\
        The device prints the id as it asks; the client's own transaction id finds the request too.")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Id of the request, or transaction id of the client.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approve a held request; once as many people as the template asks for did, it is decided again and issued if the rules allow it now.
    #[command(after_help = "Example:\n  lanyard request approve --dir ca 019a9f2e-5a10-7c3e-9d0a-0123456789ab")]
    Approve {
        #[command(flatten)]
        target: Target,
        /// Id of the request.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Deny a held request.
    #[command(
        after_help = "Example:\n  lanyard request deny --dir ca 019a9f2e-5a10-7c3e-9d0a-0123456789ab --reason \"not our laptop\""
    )]
    Deny {
        #[command(flatten)]
        target: Target,
        /// Id of the request.
        id: String,
        /// Why; for the record, never told to the device.
        #[arg(long)]
        reason: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::List { target, state, before, limit, json } => {
            let mut query = format!("/requests?limit={limit}");
            for (name, value) in [("state", state), ("before", before)] {
                if let Some(value) = value {
                    query.push_str(&format!("&{name}={}", encode(&value)));
                }
            }
            match target.get::<Vec<Request>>(&query).await {
                Ok(found) if json => print::json(&found),
                Ok(found) => list(found),
                Err(error) => error.report(),
            }
        }
        Command::Show { target, id, json } => tell(target.get(&format!("/requests/{}", encode(&id))).await, json),
        Command::Approve { target, id, json } => {
            let approved = target.post::<_, Request>(&format!("/requests/{}/approve", encode(&id)), &()).await;
            let refused = approved.as_ref().is_ok_and(|r| r.state == "denied");
            let shown = tell(approved, json);
            if refused { ExitCode::FAILURE } else { shown }
        }
        Command::Deny { target, id, reason, json } => {
            tell(target.post(&format!("/requests/{}/deny", encode(&id)), &Deny { reason }).await, json)
        }
    }
}

fn list(found: Vec<Request>) -> ExitCode {
    let rows = found.into_iter().map(|r| {
        let what = if r.renewal { "renewal" } else { "first" };
        vec![
            r.id,
            r.received_at,
            r.state,
            what.to_owned(),
            r.subject.unwrap_or_else(|| "-".into()),
            r.profile,
            r.reason.unwrap_or_else(|| "-".into()),
            if r.approvals.is_empty() { "-".into() } else { r.approvals.join(", ") },
        ]
    });
    print::table(
        &["ID", "RECEIVED", "STATE", "KIND", "SUBJECT", "PROFILE", "REASON", "APPROVED BY"],
        rows.collect(),
        "no requests",
    )
}

fn tell(answer: Result<Request, crate::admin::CallError>, json: bool) -> ExitCode {
    match answer {
        Ok(request) if json => print::json(&request),
        Ok(request) => {
            let none = |v: Option<String>| v;
            print::fields(&[
                ("Request", Some(request.id)),
                ("State", Some(request.state)),
                ("Template", none(request.template)),
                ("Profile", Some(request.profile)),
                ("User", none(request.user)),
                ("Device", none(request.device)),
                ("Certificate", none(request.certificate)),
                ("Challenge", none(request.challenge)),
                ("Approved by", (!request.approvals.is_empty()).then(|| request.approvals.join(", "))),
                ("Decision", none(request.reason)),
                ("Decided by", none(request.decided_by)),
                ("Client", none(request.client)),
                ("Accommodated", Some(request.accommodations.join(", ")).filter(|words| !words.is_empty())),
            ]);
            print::line("");
            for line in request.story {
                print::line(&line);
            }
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}
