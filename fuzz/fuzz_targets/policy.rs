//! Template and profile files.
#![no_main]

use lanyard_ra::{profile::Profiles, template::Templates};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for name in ["default", "legacy", "wifi", "vpn"] {
            let _ = Profiles::load([(format!("{name}.toml"), text.to_owned())]);
            let _ = Templates::load([(format!("{name}.toml"), text.to_owned())]);
        }
    }
});
