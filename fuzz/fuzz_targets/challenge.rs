//! A challenge as a device sends it.
#![no_main]

use lanyard_model::secret::SecretText;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = lanyard_ra::challenge::locate(&SecretText::new(text.to_owned()));
    }
});
