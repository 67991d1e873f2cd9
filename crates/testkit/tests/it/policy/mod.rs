//! Policy modules: what they may take away, and that nothing is issued without their clear yes.

mod approvals;
mod intune;
mod ndes_page;
mod notices;
mod outbound;
mod remote;
mod static_secret;
mod webhook;

use lanyard_testkit::server::Builder;

/// A server with a profile of this name, which is the default one with these further tables, and a secret file for them.
fn with_profile(builder: Builder, name: &str, tables: &str) -> Builder {
    let default = lanyard_ra::profile::builtin().iter().find(|(file, _)| *file == "default.toml").expect("a profile").1;
    let text = default.replace("name = \"default\"", &format!("name = \"{name}\""));
    builder.file(&format!("profiles/{name}.toml"), format!("{text}\n{tables}"))
}
