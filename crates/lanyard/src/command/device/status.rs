//! `lanyard device status`: how the device stands under management, how its own identities stand, and what only a person can do.

use clap::Args;
use lanyard_agent::{
    error::AgentError,
    key::KeyPlace,
    mdm::{Account, sync::next_session},
    model::{text::printable, time::Timestamp},
    store::{DeviceStore, PendingAbout},
    upkeep::{self, Attention, Kept, Way},
};
use serde_json::{Value, json};

use super::{StoreArgs, management::clock, open, output, running::has_something};
use crate::print::fields;

/// `lanyard device status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

pub(super) fn status(args: &StatusArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let now = clock()();
    let kept = upkeep::kept(&store, now)?;
    if kept.is_empty() && !has_something(&store)? {
        return Err(AgentError::NothingToKeep);
    }
    let attention = upkeep::attention(&store, now)?;
    let pendings = store.pendings()?;
    let joined = if store.account()?.is_some() { Some(store.joined_with_identity()?) } else { None };
    if args.store.json {
        let mut value = joined.as_ref().map_or_else(
            || json!({}),
            |(account, identity)| account_json(account, &identity.about.subject, identity.about.not_after),
        );
        output::add(&mut value, "joined", json!(joined.is_some()));
        output::add(&mut value, "identities", kept.iter().map(kept_json).collect());
        output::add(&mut value, "requests", pendings.iter().map(pending_json).collect());
        output::add(&mut value, "needs_person", attention.iter().map(attention_json).collect());
        output::print_json(&value);
        return Ok(0);
    }
    if let Some((account, identity)) = &joined {
        fields(&rows(account, &identity.about.subject, identity.about.not_after));
    }
    print_own(&store, &kept, &pendings, joined.is_some());
    for one in &attention {
        output::line("");
        output::line(&format!("needs you: {}: {}", printable(&one.subject), printable(&one.what)));
        output::line(&format!("fix: {}", printable(&one.fix)));
    }
    Ok(0)
}

fn print_own(store: &DeviceStore, kept: &[Kept], pendings: &[PendingAbout], after: bool) {
    if kept.is_empty() && pendings.is_empty() {
        return;
    }
    if after {
        output::line("");
    }
    let mut table = vec![["ID", "SUBJECT", "VALID UNTIL", "RENEWED", "LAST TRY"].map(str::to_owned)];
    for one in kept {
        let about = &one.identity.about;
        let renewed = match (one.way, one.next()) {
            (Way::ByHand, _) => "by hand: it came in a file".to_owned(),
            (Way::Scep, Some(next)) if about.place == KeyPlace::TpmPin => {
                format!("by you, who has the PIN: 'device renew', from {next}")
            }
            (Way::Scep, Some(next)) => format!("by 'device run', from {next}"),
            (Way::Scep, None) => "no more".to_owned(),
        };
        let tried = one.tried.as_ref().map_or_else(|| "-".to_owned(), |tried| format!("{} {}", tried.at, printable(&tried.told)));
        table.push([about.id.to_string(), printable(&about.subject), about.not_after.to_string(), renewed, tried]);
    }
    for one in pendings {
        let subject = printable(&one.subject.to_string());
        table.push([one.id.to_string(), subject, "-".into(), format!("under way: {}", one.state), "-".into()]);
    }
    output::print_table(&table);
    output::note(&format!("store: {}", store.path().display()));
}

fn kept_json(one: &Kept) -> Value {
    let about = &one.identity.about;
    json!({
        "id": about.id,
        "subject": about.subject,
        "not_after": about.not_after.to_string(),
        "renewed": match (one.way, about.place) {
            (Way::ByHand, _) => "by-hand",
            (Way::Scep, KeyPlace::TpmPin) => "with-pin",
            (Way::Scep, _) => "by-scep",
        },
        "due": one.due.to_string(),
        "next_try": one.next().map(|at| at.to_string()),
        "last_try": one.tried.as_ref().map(|tried| json!({
            "at": tried.at.to_string(),
            "outcome": tried.outcome,
            "count": tried.count,
            "message": tried.told,
            "fix": tried.fix,
        })),
    })
}

fn pending_json(one: &PendingAbout) -> Value {
    json!({
        "id": one.id,
        "subject": one.subject.to_string(),
        "state": one.state,
        "request_id": one.request_id,
        "renews": one.predecessor,
    })
}

fn attention_json(one: &Attention) -> Value {
    json!({ "id": one.id, "subject": one.subject, "message": one.what, "fix": one.fix })
}

fn account_json(account: &Account, subject: &str, not_after: Timestamp) -> Value {
    json!({
        "server": account.server_url,
        "user": account.user,
        "device": account.device_id,
        "identity": account.identity,
        "subject": subject,
        "not_after": not_after.to_string(),
        "renews_from": account.renews_from(not_after).to_string(),
        "renews_automatically": account.renewal.automatic,
        "last_renewal_error": account.renewal.error,
        "last_session": account.synced_at.map(|at| at.to_string()),
        "next_session": next_session(account).to_string(),
        "held_requests": account.requests.len(),
    })
}

fn rows(account: &Account, subject: &str, not_after: Timestamp) -> Vec<(&'static str, Option<String>)> {
    let renewal = if account.renewal.automatic { "by itself" } else { "with the user's password" };
    let error = match account.renewal.error {
        0 => "none".to_owned(),
        code => format!("{code:#010x}"),
    };
    let pairs = [
        ("server", account.server_url.clone()),
        ("user", account.user.clone()),
        ("device", account.device_id.clone()),
        ("identity", format!("{} {subject}", account.identity)),
        ("valid until", not_after.to_string()),
        ("renewed", format!("{renewal}, from {}", account.renews_from(not_after))),
        ("last renewal error", error),
        ("last session", account.synced_at.map_or_else(|| "none yet".to_owned(), |at| at.to_string())),
        ("next session", next_session(account).to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name, Some(value))).collect()
}
