//! `lanyard token`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use lanyard_server::api::types::{NewToken, Token, TokenWish};

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on API tokens.
#[derive(Subcommand)]
pub enum Command {
    /// Make an API token; it is printed alone on stdout, this once.
    #[command(
        after_help = "Examples:\n  lanyard token create --dir ca --role administrator --for \"Jo's laptop\" > jo.token\n  \
        lanyard token create --dir ca --role mint --profile default --template wifi --for \"the MDM\" > mdm.token\n\n\
        Keep the file at mode 0600 and use it so:\n  \
        lanyard cert list --server https://pki.example.org --token-file jo.token\n  \
        curl -H \"Authorization: Bearer $(cat mdm.token)\" -d '{\"template\":\"wifi\",\"subject\":\"CN=laptop-7,O=Example\"}' \\\n       \
        -H 'Content-Type: application/json' https://pki.example.org/api/v1/challenges"
    )]
    Create(Create),
    /// List the tokens; never their secrets.
    #[command(after_help = "Example:\n  lanyard token list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Refuse a token from now on.
    #[command(after_help = "Example:\n  lanyard token revoke --dir ca 3f2a90c1d4e5b6a7")]
    Revoke {
        #[command(flatten)]
        target: Target,
        /// Id of the token.
        id: String,
    },
}

/// Arguments of `lanyard token create`.
#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    target: Target,
    /// What it permits: everything; reading and deciding requests; what a gateway asks; or making challenges.
    #[arg(long, value_enum)]
    role: Role,
    /// For the role mint: profile whose challenges may be made; may be repeated.
    #[arg(long, value_name = "NAME", required_if_eq("role", "mint"))]
    profile: Vec<String>,
    /// For the role mint: template of which challenges may be made; may be repeated.
    #[arg(long, value_name = "NAME", required_if_eq("role", "mint"))]
    template: Vec<String>,
    /// Whom or what it is for; stands in the list and the audit log.
    #[arg(long = "for", value_name = "TEXT")]
    description: String,
    /// Whose it is; two tokens of one user count as one person where two have to approve.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How long it is good, such as 1h, 90d.
    #[arg(long, value_name = "SPAN", default_value = "365d")]
    ttl: String,
    /// Most calls a minute.
    #[arg(long, value_name = "N", default_value_t = 600)]
    rate: u32,
    /// Print everything about the token as JSON.
    #[arg(long)]
    json: bool,
}

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything.
    Administrator,
    /// Reading, approving and denying requests.
    Approver,
    /// Following the state of certificates, users and devices, and checking passwords: for 'lanyard gateway'.
    Gateway,
    /// Making challenges of the given templates for the given profiles.
    Mint,
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Create(arguments) => create(arguments).await,
        Command::List { target, json } => match target.get::<Vec<Token>>("/tokens").await {
            Ok(tokens) if json => print::json(&tokens),
            Ok(tokens) => {
                let row = |t: Token| {
                    vec![t.id, t.state, t.scope, t.user.unwrap_or_else(|| "-".into()), t.description, t.created_by, t.expires_at]
                };
                let head = ["ID", "STATE", "PERMITS", "USER", "FOR", "MADE BY", "UNTIL"];
                print::table(&head, tokens.into_iter().map(row).collect(), "no tokens")
            }
            Err(error) => error.report(),
        },
        Command::Revoke { target, id } => match target.post::<_, bool>(&format!("/tokens/{}/revoke", encode(&id)), &()).await {
            Ok(changed) => {
                print::line(&format!("token {id} {}", if changed { "is revoked" } else { "was revoked before" }));
                ExitCode::SUCCESS
            }
            Err(error) => error.report(),
        },
    }
}

async fn create(arguments: Create) -> ExitCode {
    let Create { target, role, profile, template, description, user, ttl, rate, json } = arguments;
    let role = role.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
    let wish = TokenWish { description, role, user, profiles: profile, templates: template, ttl: Some(ttl), rate: Some(rate) };
    match target.post::<_, NewToken>("/tokens", &wish).await {
        Ok(made) if json => print::json(&made),
        Ok(made) => {
            print::line(&made.token);
            print::remark(&format!("token {}: {}, until {}", made.about.id, made.about.scope, made.about.expires_at));
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}
