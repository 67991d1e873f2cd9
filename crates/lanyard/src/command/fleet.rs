//! `lanyard fleet`: the devices, seen from the server.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use lanyard_server::{
    api::{
        fleet_types::{
            BlockOrder, EnrollmentView, FleetCertificate, FleetDetails, FleetDevice, FleetJob, PushOrder, RenewOrder,
            UnenrollOrder,
        },
        types::Device,
    },
    pem,
};

use super::{
    directory::{removed, saved},
    import,
};
use crate::{
    admin::{CallError, Target, encode},
    print,
};

/// Commands on devices. DEVICE is an inventory id, the id of an enrolment, or what the device calls itself.
#[derive(Subcommand)]
pub enum FleetCommand {
    /// List the devices on record and how their management stands.
    #[command(after_help = "Examples:\n  lanyard fleet list --dir ca\n  lanyard fleet list --dir ca --overdue    \
        who should have renewed the identity and did not")]
    List {
        #[command(flatten)]
        target: Target,
        /// Only devices that had two tries to renew their identity and did not.
        #[arg(long)]
        overdue: bool,
        /// Only devices of this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of a device: its enrolment, what it was given, what it cannot have.
    #[command(after_help = "Example:\n  lanyard fleet show --dir ca L-0007")]
    Show(One),
    /// List the certificates that are really on a device, as it told last.
    #[command(
        after_help = "Examples:\n  lanyard fleet certificates --dir ca L-0007\n  lanyard fleet push --dir ca L-0007 inventory    \
        ask again at the next session"
    )]
    Certificates(One),
    /// List what a device was told and what became of it. Only 'verified' was seen to be done.
    #[command(after_help = "Example:\n  lanyard fleet jobs --dir ca L-0007")]
    Jobs(One),
    /// Queue something for a device's next session, besides its policy.
    #[command(after_help = "Examples:\n  lanyard fleet push --dir ca L-0007 root radius-root.pem\n  \
        lanyard fleet push --dir ca L-0007 remove-root 81BCAF601DC9DFEC87317D590E7CF1E0FD4D49A1\n  \
        lanyard fleet push --dir ca L-0007 wifi office.toml\n  lanyard fleet push --dir ca L-0007 inventory\n\n\
        What every device of a profile gets stands in DIR/fleet/<profile>.toml; see docs/guides/fleet.md.")]
    Push(Push),
    /// Have a device fetch its certificates anew at its next session; the old ones stay until the new ones are there.
    #[command(after_help = "Examples:\n  lanyard fleet renew-certificate --dir ca L-0007\n  \
        lanyard fleet renew-certificate --dir ca L-0007 --name wifi\n  lanyard fleet renew-certificate --dir ca L-0007 --identity")]
    RenewCertificate {
        #[command(flatten)]
        target: Target,
        /// Device.
        device: String,
        /// Only the certificate of this name in the policy.
        #[arg(long, conflicts_with = "identity")]
        name: Option<String>,
        /// The identity that the device proves itself with instead.
        #[arg(long)]
        identity: bool,
    },
    /// Take back something that was queued.
    #[command(after_help = "Example:\n  lanyard fleet cancel --dir ca 019a9f2e-5a10-7c3e-9d0a-0123456789ab")]
    Cancel {
        #[command(flatten)]
        target: Target,
        /// Job, see 'lanyard fleet jobs'.
        job: String,
    },
    /// Have a device leave the management at its next session. Its identity, and the certificates it got, are then revoked.
    #[command(
        after_help = "Examples:\n  lanyard fleet unenroll --dir ca L-0007\n  lanyard fleet unenroll --dir ca L-0007 --now    \
        the device is lost: end it without its help"
    )]
    Unenroll {
        #[command(flatten)]
        target: Target,
        /// Device.
        device: String,
        /// End the enrolment at once and revoke the identity. What the device was given stays on it.
        #[arg(long)]
        now: bool,
        /// Do not revoke the certificates that the device got through the management.
        #[arg(long)]
        keep_certificates: bool,
    },
    /// Add a device, or replace the record of one.
    #[command(
        after_help = "Example:\n  lanyard fleet add --dir ca L-0007 --name laptop-7 --dns-name laptop-7.example.org --user user1"
    )]
    Add(AddDevice),
    /// Add or change many devices from a CSV file: all of them, or none.
    #[command(
        after_help = "Example:\n  lanyard fleet import --dir ca devices.csv --dry-run\n\nThe first line names the columns: id, and of name, \
        dns-name, serial, directory-id, imei, meid, wifi-mac, model, user,\nblocked (yes or no) those there are. What the file does not name \
        stays as it is."
    )]
    Import(import::Arguments),
    /// Remove a device; certificates and challenges for it are then refused.
    #[command(after_help = "Example:\n  lanyard fleet remove --dir ca L-0007")]
    Remove {
        #[command(flatten)]
        target: Target,
        /// Inventory id.
        id: String,
    },
    /// Refuse everything to a device from now on: certificates, sessions, renewals. The certificates it got through the management are revoked.
    #[command(
        after_help = "Examples:\n  lanyard fleet block --dir ca L-0007\n  lanyard fleet block --dir ca L-0007 --keep-certificates"
    )]
    Block {
        #[command(flatten)]
        target: Target,
        /// Device.
        id: String,
        /// Do not revoke the certificates that the device got through the management.
        #[arg(long)]
        keep_certificates: bool,
    },
    /// Let a blocked device ask again.
    #[command(after_help = "Example:\n  lanyard fleet unblock --dir ca L-0007")]
    Unblock {
        #[command(flatten)]
        target: Target,
        /// Device.
        id: String,
    },
}

/// One device to be shown.
#[derive(Args)]
pub struct One {
    #[command(flatten)]
    target: Target,
    /// Device.
    device: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `lanyard fleet push`.
#[derive(Args)]
pub struct Push {
    #[command(flatten)]
    target: Target,
    /// Device.
    device: String,
    /// What.
    what: What,
    /// File, SHA-1 (40 hexadecimal digits) or name of the network, as the kind wants it.
    value: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is pushed.
#[derive(Clone, Copy, ValueEnum)]
pub enum What {
    /// Trust a root certificate (FILE, PEM or DER).
    Root,
    /// Know an intermediate certificate (FILE, PEM or DER).
    Intermediate,
    /// Remove a root certificate (SHA-1).
    RemoveRoot,
    /// Remove an intermediate certificate (SHA-1).
    RemoveIntermediate,
    /// A wireless network with EAP-TLS (FILE, TOML, see docs/guides/fleet.md).
    Wifi,
    /// Remove a wireless network (its name).
    RemoveWifi,
    /// Ask which certificates the device has.
    Inventory,
    /// Ask what the device says about itself.
    Describe,
}

/// Arguments of `lanyard fleet add`.
#[derive(Args)]
pub struct AddDevice {
    #[command(flatten)]
    target: Target,
    /// Inventory id.
    id: String,
    /// Host name.
    #[arg(long)]
    name: Option<String>,
    /// Fully qualified domain name.
    #[arg(long)]
    dns_name: Option<String>,
    /// Hardware serial number.
    #[arg(long)]
    serial: Option<String>,
    /// Owner.
    #[arg(long)]
    user: Option<String>,
}

/// Runs a device command.
pub async fn run(command: FleetCommand) -> ExitCode {
    match command {
        FleetCommand::List { target, overdue, user, json } => list(&target, overdue, user, json).await,
        FleetCommand::Show(one) => show(one).await,
        FleetCommand::Certificates(one) => certificates(one).await,
        FleetCommand::Jobs(One { target, device, json }) => {
            told(target.get::<Vec<FleetJob>>(&path(&device, "/jobs")).await, json)
        }
        FleetCommand::Push(arguments) => push(arguments).await,
        FleetCommand::RenewCertificate { target, device, name, identity } => {
            let order = RenewOrder { identity, name };
            match target.post::<_, usize>(&path(&device, "/renew"), &order).await {
                Ok(1) => done("one certificate is renewed at the device's next session"),
                Ok(count) => done(&format!("{count} certificates are renewed at the device's next session")),
                Err(error) => error.report(),
            }
        }
        FleetCommand::Cancel { target, job } => {
            match target.post::<_, FleetJob>(&format!("/fleet-jobs/{}/cancel", encode(&job)), &()).await {
                Ok(job) => done(&format!("taken back: {}", job.purpose)),
                Err(error) => error.report(),
            }
        }
        FleetCommand::Unenroll { target, device, now, keep_certificates } => {
            let order = UnenrollOrder { now, keep_certificates };
            match target.post::<_, EnrollmentView>(&path(&device, "/unenroll"), &order).await {
                Ok(_) if now => done("the enrolment is over, its identity is revoked"),
                Ok(_) => done("the device leaves at its next session"),
                Err(error) => error.report(),
            }
        }
        FleetCommand::Import(arguments) => import::run("devices", arguments).await,
        FleetCommand::Remove { target, id } => removed(target.delete(&format!("/devices/{}", encode(&id))).await, "device", &id),
        FleetCommand::Add(arguments) => add(arguments).await,
        FleetCommand::Block { target, id, keep_certificates } => {
            match target.post::<_, usize>(&path(&id, "/block"), &BlockOrder { keep_certificates }).await {
                Ok(0) => saved("device", &id),
                Ok(count) => done(&format!("{id} is blocked; certificates revoked: {count}")),
                Err(error) => error.report(),
            }
        }
        FleetCommand::Unblock { target, id } => match target.post::<_, bool>(&path(&id, "/unblock"), &()).await {
            Ok(_) => saved("device", &id),
            Err(error) => error.report(),
        },
    }
}

fn path(device: &str, rest: &str) -> String {
    format!("/fleet/{}{rest}", encode(device))
}

fn done(text: &str) -> ExitCode {
    print::line(text);
    ExitCode::SUCCESS
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".into())
}

/// Day and minute of a time.
fn short(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

async fn list(target: &Target, overdue: bool, user: Option<String>, json: bool) -> ExitCode {
    let mut query = format!("/fleet?overdue={overdue}");
    if let Some(user) = user {
        query.push_str(&format!("&user={}", encode(&user)));
    }
    let devices = match target.get::<Vec<FleetDevice>>(&query).await {
        Ok(devices) if json => return print::json(&devices),
        Ok(devices) => devices,
        Err(error) => return error.report(),
    };
    let row = |device: FleetDevice| {
        let state = match (&device.enrollment, device.blocked) {
            (_, true) => "blocked".to_owned(),
            (None, false) => "not managed".to_owned(),
            (Some(enrollment), false) if enrollment.overdue => "overdue".to_owned(),
            (Some(enrollment), false) => enrollment.state.clone(),
        };
        let seen = device.enrollment.as_ref().map(|e| e.seen_at.as_deref().map_or_else(|| "never".into(), short));
        let until = device.enrollment.as_ref().map(|e| short(&e.identity_until));
        vec![device.id, text(device.name), text(device.user), state, text(seen), text(until)]
    };
    let nothing = if overdue { "no device is overdue" } else { "no devices" };
    print::table(&["ID", "NAME", "USER", "STATE", "SEEN", "IDENTITY UNTIL"], devices.into_iter().map(row).collect(), nothing)
}

async fn show(One { target, device, json }: One) -> ExitCode {
    let details = match target.get::<FleetDetails>(&path(&device, "")).await {
        Ok(details) if json => return print::json(&details),
        Ok(details) => details,
        Err(error) => return error.report(),
    };
    let FleetDetails { device, given, impossible, open_jobs, inventory_at, .. } = details;
    let enrollment = device.enrollment.clone();
    let of = |value: fn(&EnrollmentView) -> Option<String>| enrollment.as_ref().and_then(value);
    print::fields(&[
        ("Device", Some(device.id)),
        ("Name", device.name),
        ("DNS name", device.dns_name),
        ("Serial", device.serial),
        ("User", device.user),
        ("Blocked", device.blocked.then(|| "yes".to_owned())),
        ("Enrolment", of(|e| Some(e.id.clone()))),
        ("State", of(|e| Some(e.state.clone())).or_else(|| Some("not managed".to_owned()))),
        ("Profile", of(|e| Some(e.profile.clone()))),
        ("Calls itself", of(|e| Some(e.client.clone()))),
        ("Maker, model", of(|e| Some(format!("{}, {}", e.maker.as_deref()?, e.model.as_deref()?)))),
        ("Enrolled", of(|e| Some(e.enrolled_at.clone()))),
        ("Last session", of(|e| e.seen_at.clone())),
        ("Identity", of(|e| Some(format!("{} until {}", e.identity, e.identity_until)))),
        ("Renews from", of(|e| Some(format!("{}{}", e.renews_from, if e.overdue { " (overdue)" } else { "" })))),
        ("Open jobs", enrollment.as_ref().map(|_| open_jobs.to_string())),
        ("Inventory", inventory_at),
    ]);
    for (key, problem) in impossible {
        print::line(&format!("Cannot have {key}: {problem}"));
    }
    if given.is_empty() {
        return ExitCode::SUCCESS;
    }
    let rows = given.into_iter().map(|one| vec![one.key, one.progress, short(&one.at), text(one.until.map(|t| short(&t)))]);
    print::table(&["GIVEN BY POLICY", "PROGRESS", "SINCE", "UNTIL"], rows.collect(), "")
}

async fn certificates(One { target, device, json }: One) -> ExitCode {
    match target.get::<Vec<FleetCertificate>>(&path(&device, "/certificates")).await {
        Ok(list) if json => print::json(&list),
        Ok(list) => {
            let rows = list.into_iter().map(|one| {
                let place = format!("{} {}", one.tree, one.place);
                vec![place, text(one.subject), text(one.issuer), text(one.until), text(one.ours), text(one.thumbprint)]
            });
            print::table(&["PLACE", "SUBJECT", "ISSUER", "UNTIL", "OURS", "SHA-1"], rows.collect(), "no certificates")
        }
        Err(error) => error.report(),
    }
}

async fn push(Push { target, device, what, value, json }: Push) -> ExitCode {
    let order = match order(what, value) {
        Ok(order) => order,
        Err(problem) => return print::fail(&problem, Some("lanyard fleet push --help")),
    };
    told(target.post::<_, Vec<FleetJob>>(&path(&device, "/jobs"), &order).await, json)
}

fn told(jobs: Result<Vec<FleetJob>, CallError>, json: bool) -> ExitCode {
    match jobs {
        Ok(jobs) if json => print::json(&jobs),
        Ok(jobs) => {
            let rows = jobs.into_iter().map(|job| vec![job.id, job.purpose, job.state, short(&job.changed_at), text(job.result)]);
            print::table(&["JOB", "WHAT", "STATE", "SINCE", "RESULT"], rows.collect(), "no jobs")
        }
        Err(error) => error.report(),
    }
}

fn order(what: What, value: Option<String>) -> Result<PushOrder, String> {
    let read = |file: &String| std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"));
    let (word, value) = match (what, value) {
        (What::Root, Some(file)) => ("root", certificate(&file)?),
        (What::Intermediate, Some(file)) => ("intermediate", certificate(&file)?),
        (What::RemoveRoot, Some(name)) => ("remove-root", name),
        (What::RemoveIntermediate, Some(name)) => ("remove-intermediate", name),
        (What::Wifi, Some(file)) => ("wifi", read(&file)?),
        (What::RemoveWifi, Some(ssid)) => ("remove-wifi", ssid),
        (What::Inventory, None) => ("inventory", String::new()),
        (What::Describe, None) => ("describe", String::new()),
        (What::Inventory | What::Describe, Some(_)) => return Err("a question takes no value".to_owned()),
        (_, None) => return Err("a file, SHA-1 or name is missing".to_owned()),
    };
    Ok(PushOrder { what: word.to_owned(), value })
}

/// A certificate as PEM, whatever it was.
fn certificate(file: &str) -> Result<String, String> {
    let octets = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    match String::from_utf8(octets) {
        Ok(text) if text.contains("-----BEGIN") => Ok(text),
        Ok(_) => Err(format!("{file} is neither PEM nor DER")),
        Err(other) => Ok(pem::encode(pem::CERTIFICATE, other.as_bytes())),
    }
}

async fn add(arguments: AddDevice) -> ExitCode {
    let AddDevice { target, id, name, dns_name, serial, user } = arguments;
    let device = match (id.parse(), user.map(|u| u.parse()).transpose()) {
        (Ok(id), Ok(user)) => Device { name, dns_name, serial, user, ..Device::named(id) },
        (Err(error), _) | (_, Err(error)) => return print::fail(&format!("{error}"), None),
    };
    match target.put::<_, Device>("/devices", &device).await {
        Ok(device) => saved("device", device.id.as_str()),
        Err(error) => error.report(),
    }
}
