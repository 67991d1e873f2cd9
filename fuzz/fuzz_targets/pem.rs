//! Text armour: what is written reads back.
#![no_main]

use lanyard_pki::pem;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for label in [pem::CERTIFICATE, "CERTIFICATE REQUEST", "X509 CRL"] {
            let _ = pem::decode(label, text);
        }
    }
    // A block without contents is refused.
    if !data.is_empty() {
        assert_eq!(pem::decode(pem::CERTIFICATE, &pem::encode(pem::CERTIFICATE, data)).as_deref(), Ok(data));
    }
});
