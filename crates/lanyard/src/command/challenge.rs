//! `lanyard challenge`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lanyard_server::api::types::{Challenge, Order};

use crate::{admin::Target, print};

/// Commands on challenges.
#[derive(Subcommand)]
pub enum Command {
    /// Make a challenge for one request of one device; it is printed alone on stdout, this once.
    #[command(
        after_help = "Example:\n  lanyard challenge create --dir ca --template device-client --subject CN=laptop-7,O=Example \\\n      \
        --san dns:laptop-7.example.org --key rsa:2048 --ttl 1h > challenge.txt"
    )]
    Create(Create),
}

/// Arguments of `lanyard challenge create`.
#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    order: OrderArguments,
    /// How long it is good, such as 15m, 1h, 2d; default: the profile's challenge-lifetime.
    #[arg(long, value_name = "SPAN")]
    ttl: Option<String>,
    /// Print everything about the challenge as JSON.
    #[arg(long)]
    json: bool,
}

/// What a challenge or certificate is for.
#[derive(Args)]
pub struct OrderArguments {
    /// Certificate template, see `lanyard template list`.
    #[arg(long, value_name = "NAME")]
    pub template: String,
    /// Subject, such as CN=laptop-7,O=Example; default: from the records of device and user.
    #[arg(long, value_name = "DN")]
    pub subject: Option<String>,
    /// Subject alternative name: dns:, email:, uri:, ip: or upn: and the value; may be repeated.
    #[arg(long, value_name = "TYPE:VALUE")]
    pub san: Vec<String>,
    /// Kind and size of the key, such as rsa:2048, ec:p256; default: the template's first.
    #[arg(long, value_name = "KIND")]
    pub key: Option<String>,
    /// Device on record, see `lanyard fleet list`.
    #[arg(long, value_name = "ID")]
    pub device: Option<String>,
    /// User on record, see `lanyard user list`.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Registration profile, the last part of the SCEP address.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub profile: String,
}

impl OrderArguments {
    /// As the server reads it.
    pub fn into_order(self) -> Order {
        Order {
            template: self.template,
            profile: Some(self.profile),
            subject: self.subject,
            san: self.san,
            key: self.key,
            user: self.user,
            device: self.device,
            ttl: None,
            csr: None,
        }
    }
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    let Command::Create(arguments) = command;
    let order = Order { ttl: arguments.ttl, ..arguments.order.into_order() };
    let made: Challenge = match arguments.target.post("/challenges", &order).await {
        Ok(made) => made,
        Err(error) => return error.report(),
    };
    if arguments.json {
        return print::json(&made);
    }
    print::line(&made.challenge);
    let names = if made.san.is_empty() { "no further names".to_owned() } else { made.san.join(", ") };
    print::remark(&format!(
        "for {} with {names}, key {}, template {}; good at {} until {}",
        made.subject, made.key, made.template, made.scep_url, made.expires_at
    ));
    ExitCode::SUCCESS
}
