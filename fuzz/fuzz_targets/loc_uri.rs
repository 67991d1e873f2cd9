//! The address of a node.
#![no_main]

use lanyard_mdm::csp::{self, LocUri};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = csp::split_children(text);
    if let Ok(uri) = LocUri::parse(text) {
        let _ = csp::find(&uri);
        // Escapes make it longer, beyond what is read at worst.
        if let Ok(again) = LocUri::parse(&uri.to_string()) {
            assert_eq!(again, uri);
        }
    }
});
