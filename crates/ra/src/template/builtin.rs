//! The templates a new installation begins with (revocation.md, section 3.2).

/// File name and text of each built-in template.
#[must_use]
pub const fn builtin() -> &'static [(&'static str, &'static str)] {
    macro_rules! files {
        ($($name:literal),+) => {
            &[$(($name, include_str!(concat!("../../builtin/templates/", $name)))),+]
        };
    }
    files![
        "device-client.toml",
        "user-client.toml",
        "wifi.toml",
        "vpn.toml",
        "mdm-identity.toml",
        "tls-server.toml",
        "smime-signing.toml",
        "smime-encryption.toml",
        "code-signing.toml"
    ]
}
