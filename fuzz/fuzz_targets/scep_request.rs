//! A pkiMessage as it comes from the network, up to the point where a key is needed.
#![no_main]

use lanyard_enroll::scep::request::decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for legacy in [false, true] {
        if let Ok(message) = decode(data, legacy).message {
            let _ = message.envelope(legacy);
        }
    }
});
