//! `lanyard device apply`: a signed policy, verified, shown, and done once the person agrees.

use std::path::PathBuf;

use clap::Args;
use lanyard_agent::{
    error::AgentError,
    install::source,
    model::{template::KeyProtection, text::printable},
    pki::certificate::Certificate,
    policy::{self, Applied, Document, Fate, Plan, apply::Keeping},
    scep::{SessionOptions, options::fingerprint_text},
    store::DeviceStore,
    using::{Program, Use},
};
use serde_json::{Value, json};

use super::{
    FAILED, PENDING, REFUSED, StoreArgs,
    install::{OwnerArg, ask},
    open, output, parse_fingerprint,
    protection::{Protection, pin_source},
    read_roots, watch, worse,
};

pub(super) const APPLY_EXAMPLE: &str = "Examples:
  lanyard device apply laptop-7.policy --dry-run
  lanyard device apply laptop-7.policy --trust 3F:0A:…:9C      # on a device that does not know the root yet
  lanyard device apply laptop-7.policy --yes --trust-roots";

/// `lanyard device apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// File, - for standard input, or link
    #[arg(value_name = "FILE|URL")]
    from: String,
    /// SHA-256 of the root that the signature must lead to [default: a root that is trusted]; agrees to trusting it
    #[arg(long, value_name = "SHA256", value_parser = parse_fingerprint)]
    trust: Option<[u8; 32]>,
    /// Agree without being asked; not to roots
    #[arg(long)]
    yes: bool,
    /// Agree that roots in the policy become trusted
    #[arg(long)]
    trust_roots: bool,
    /// Only look
    #[arg(long, conflicts_with_all = ["yes", "trust_roots"])]
    dry_run: bool,
    /// Where keys are kept that must not leave the device
    #[arg(long, value_enum, value_name = "WHERE", default_value = "software")]
    protection: Protection,
    /// Whose the identities become
    #[arg(long, value_enum, default_value = "system", value_name = "OWNER")]
    r#for: OwnerArg,
    /// File with the PIN for keys in the TPM, - for standard input [default: typed unseen]
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Roots for https:// in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    tls_roots: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

pub(super) async fn apply(args: ApplyArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let tls_roots = read_roots(args.tls_roots.as_deref())?;
    let octets = source::read(&args.from, tls_roots.as_deref()).await?;
    // A server that holds a request is not waited for: 'resume' and 'run' go on with it.
    let pin = pin_source(args.pin_file.as_deref());
    let session = SessionOptions { tls_roots, retry_count: 0, pin, ..SessionOptions::default() };
    let now = (session.clock)();
    let signed = policy::open(&octets, &store, args.trust.as_ref(), now)?;
    let plan = Plan::of(&signed, &store, now)?;
    if !args.store.json {
        show(&plan);
    }
    if args.dry_run {
        if args.store.json {
            output::print_json(&json!({ "outcome": "looked", "policy": plan_json(&plan) }));
        }
        return Ok(0);
    }
    agree(&args, &plan)?;
    let described = plan_json(&plan);
    let keeping = Keeping { protection: KeyProtection::from(args.protection), owner: args.r#for.into() };
    let applied = plan.apply(&store, keeping, &session, &mut watch).await?;
    Ok(print(&store, &applied, described, args.store.json))
}

/// Roots need a yes of their own, unless the person named the one by its fingerprint.
fn agree(args: &ApplyArgs, plan: &Plan<'_>) -> Result<(), AgentError> {
    let named = |one: &&Certificate| args.trust.is_none_or(|trust| trust != one.fingerprint());
    let roots = plan.new_roots.iter().filter(named).count();
    if roots > 0 && !args.trust_roots {
        const WHY: &str = "the policy needs its roots to be trusted, and nobody agreed to that";
        if args.yes {
            return Err(AgentError::NotAgreed(WHY));
        }
        if !ask("Trust the roots above? Whoever holds such a root can vouch for anybody, to this device. [y/N] ")? {
            return Err(AgentError::NotAgreed(WHY));
        }
    }
    if !args.yes && !ask("Do this? [y/N] ")? {
        return Err(AgentError::NotAgreed("the answer was no"));
    }
    Ok(())
}

fn show(plan: &Plan<'_>) {
    let Document { organization, name, revision, description, made_at, good_until, .. } = &plan.signed.document;
    let subject = |one: &Certificate| one.subject().map(|name| name.to_string()).unwrap_or_default();
    output::line(&format!("Policy \"{}\", revision {revision}, of {}", printable(name), printable(organization)));
    output::rows(&[
        ("for", printable(description)),
        ("made", made_at.to_string()),
        ("good until", good_until.map_or_else(|| "-".to_owned(), |at| at.to_string())),
        ("signed by", printable(&subject(&plan.signed.signer))),
        ("under", format!("{} {}", printable(&subject(&plan.signed.root)), fingerprint_text(&plan.signed.root.fingerprint()))),
    ]);
    output::line("");
    for root in &plan.new_roots {
        output::line(&format!("would trust the root   {}", printable(&subject(root))));
        output::line(&format!("                       SHA-256 {}", fingerprint_text(&root.fingerprint())));
    }
    for one in &plan.new_intermediates {
        output::line(&format!("would know             {}, an authority below it", printable(&subject(one))));
    }
    for (wanted, (name, fate)) in plan.signed.document.scep.iter().zip(&plan.identities) {
        let what = printable(&format!("{name}: {} {}", wanted.subject, wanted.san.join(" ")));
        match fate {
            Fate::Enrol => {
                let leaves = if wanted.exportable { "key may be exported" } else { "key stays here" };
                output::line(&format!(
                    "would enrol            {what} at {} ({}, {leaves})",
                    printable(&wanted.url),
                    printable(&wanted.key)
                ));
            }
            Fate::Kept(id) => output::line(&format!("has already            {what}, as {id}")),
            Fate::UnderWay(id) => output::line(&format!("is under way           {what}, as {id}")),
        }
    }
    for (identity, one) in &plan.uses {
        output::line(&format!("would configure        {}, with identity {}", printable(&title(one)), printable(identity)));
    }
    for name in &plan.dropped {
        output::line(&format!("would take away        {name}, which this revision has no more"));
    }
    output::line("");
}

fn title(one: &Use) -> String {
    match &one.program {
        Program::Wifi { ssid, server_names, .. } => format!("the network \"{ssid}\" (servers {})", server_names.join(", ")),
        other => other.title().to_owned(),
    }
}

fn plan_json(plan: &Plan<'_>) -> Value {
    let document = &plan.signed.document;
    let identities = plan.signed.document.scep.iter().zip(&plan.identities).map(|(wanted, (name, fate))| {
        let (fate, id) = match fate {
            Fate::Enrol => ("enrol", None),
            Fate::Kept(id) => ("kept", Some(id)),
            Fate::UnderWay(id) => ("under-way", Some(id)),
        };
        json!({ "name": name, "subject": wanted.subject, "san": wanted.san, "url": wanted.url, "key": wanted.key, "fate": fate, "id": id })
    });
    let uses = plan.uses.iter().map(|(identity, one)| json!({ "name": one.name, "for": title(one), "identity": identity }));
    json!({
        "name": document.name,
        "revision": document.revision,
        "organization": document.organization,
        "made_at": document.made_at.to_string(),
        "good_until": document.good_until.map(|at| at.to_string()),
        "root": output::hex(&plan.signed.root.fingerprint()),
        "new_roots": plan.new_roots.iter().map(|one| output::hex(&one.fingerprint())).collect::<Vec<_>>(),
        "identities": identities.collect::<Vec<_>>(),
        "uses": uses.collect::<Vec<_>>(),
        "dropped": plan.dropped,
    })
}

/// Tells what was done; the worst of it is the exit code.
fn print(store: &DeviceStore, applied: &Applied, policy: Value, as_json: bool) -> u8 {
    let mut code = 0;
    for (name, refusal) in &applied.refused {
        code = worse(code, REFUSED);
        output::note(&format!("error: the server refused the identity {name}: {}", refusal.meaning()));
        output::note(&format!("fix: {}", refusal.fix()));
    }
    for (name, error) in &applied.failed {
        code = worse(code, FAILED);
        output::note(&format!("{name}:"));
        output::error(error, false);
    }
    for (name, id, _) in &applied.held {
        code = worse(code, PENDING);
        output::note(&format!(
            "the server holds the request for {name} for a decision; 'lanyard device resume {id}' or 'run' goes on with it"
        ));
    }
    if code != 0 {
        output::note("applying the same policy again goes on where this ended, as long as it is good");
    }
    if as_json {
        let error =
            |(name, error): &(String, AgentError)| json!({ "name": name, "code": error.code(), "message": error.to_string() });
        output::print_json(&json!({
            "outcome": if code == 0 { "applied" } else { "incomplete" },
            "policy": policy,
            "trusted": applied.roots.iter().map(|one| output::hex(&one.fingerprint())).collect::<Vec<_>>(),
            "obtained": applied.obtained.iter().map(|(name, id)| json!({ "name": name, "id": id })).collect::<Vec<_>>(),
            "held": applied.held.iter().map(|(name, id, request)| json!({ "name": name, "id": id, "request_id": request })).collect::<Vec<_>>(),
            "refused": applied.refused.iter().map(|(name, refusal)| json!({ "name": name, "meaning": refusal.meaning() })).collect::<Vec<_>>(),
            "failed": applied.failed.iter().map(error).collect::<Vec<_>>(),
            "uses": applied.used.iter().map(|one| json!({ "name": one.request.name, "identity": one.identity, "file": one.file })).collect::<Vec<_>>(),
            "waiting": applied.waiting,
        }));
        return code;
    }
    for (name, id) in &applied.obtained {
        output::line(&format!("obtained {name} {id}  {}", store.identity_folder(id).display()));
    }
    for used in &applied.used {
        output::line(&format!("written {}  {}", used.request.name, used.file.display()));
    }
    for name in &applied.waiting {
        output::line(&format!("waiting {name}  for its identity"));
    }
    if code == 0 {
        output::line("the policy is in force");
    }
    code
}
