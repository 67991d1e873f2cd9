//! A pkiMessage as it comes from the network, up to the point where a key is needed.
#![no_main]

use lanyard_enroll::scep::request::decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for legacy in [false, true] {
        let received = decode(data, legacy);
        // What is refused by an unknown algorithm can still be answered.
        let _ = received.accommodations.iter().map(|one| one.clause()).count();
        if let Ok(message) = received.message {
            let _ = message.envelope(legacy);
        }
    }
});
