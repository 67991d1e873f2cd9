//! What several tests of the gateway need.

use lanyard_testkit::{
    gateway::site::Builder,
    service::{Says, Service},
};
use serde_json::json;

/// A back end that answers with what it was asked.
pub async fn echo() -> Service {
    Service::start(|asked| {
        Says::json(&json!({ "method": asked.method, "path": asked.path, "fields": asked.fields, "length": asked.body.len() }))
    })
    .await
}

/// An application of this mode at `<name>.example.org`, with further lines.
pub fn application(name: &str, host: &str, mode: &str, back_end: &str, more: &str) -> String {
    let certificate = if matches!(mode, "basic" | "none") { "" } else { "trust = [\"staff\"]\n" };
    let accounts = if mode == "none" { "" } else { "accounts = \"people\"\n" };
    format!(
        "[[application]]\nname = \"{name}\"\nhosts = [\"{host}\"]\nmode = \"{mode}\"\n{certificate}{accounts}\
         back-ends = [\"http://{back_end}\"]\n{more}\n"
    )
}

/// A gateway with one application of each mode.
pub fn all_modes(back_end: &str, more: &str) -> Builder {
    let mut builder = Builder::new();
    for (name, mode) in [
        ("basic", "basic"),
        ("certificate", "certificate"),
        ("both", "both"),
        ("else", "certificate-else-basic"),
        ("none", "none"),
    ] {
        let more = if mode == "none" { "" } else { more };
        builder = builder.sections(&application(name, &format!("{name}.example.org"), mode, back_end, more));
    }
    builder
}

/// The delegation that tells the back end the account's name.
pub const BY_HEADER: &str = "delegation = { kind = \"header\", header = \"x-webobjects-remote-user\" }";
