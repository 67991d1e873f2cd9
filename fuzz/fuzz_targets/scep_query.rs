//! The raw query of a SCEP URL; what is written is read back.
#![no_main]

use lanyard_enroll::scep::query::{Operation, decode, encode_message};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = decode(text, false);
        let _ = decode(text, true);
    }
    if !data.is_empty() && data.len() < 4096 {
        let query = format!("operation=PKIOperation&message={}", encode_message(data));
        assert_eq!(decode(&query, false).map(|q| q.operation), Ok(Operation::PkiOperation(Some(data.to_vec()))));
    }
});
