//! The query of ActiveSync in both forms, and WBXML, which is read again as it was written.
#![no_main]

use lanyard_gateway::activesync::{query, wbxml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = query::read(Some(text));
    }
    if let Ok(root) = wbxml::decode(data) {
        let again = wbxml::decode(&wbxml::encode(&root)).expect("what was written is read");
        assert_eq!(again, root);
    }
});
