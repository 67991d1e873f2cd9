//! Template files: what is refused when they are loaded.

use lanyard_ra::template::{Templates, builtin};

use crate::support::*;

#[test]
fn builtin_templates_load() {
    let templates = Templates::load(files(builtin())).unwrap();
    let names: Vec<&str> = templates.iter().map(|t| t.name.as_str()).collect();
    let expected = [
        "code-signing",
        "device-client",
        "mdm-identity",
        "smime-encryption",
        "smime-signing",
        "tls-server",
        "user-client",
        "vpn",
        "wifi",
    ];
    assert_eq!(names, expected);
}
