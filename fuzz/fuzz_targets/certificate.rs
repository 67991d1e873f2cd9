//! A certificate and everything that is read out of it.
#![no_main]

use lanyard_pki::certificate::Certificate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = Certificate::decode(data) {
        let _ =
            (certificate.serial(), certificate.issuer(), certificate.subject(), certificate.validity(), certificate.public_key());
        let _ = (certificate.extensions(), certificate.subject_alt_names(), certificate.subject_key_identifier());
        let _ = (certificate.is_ca(), certificate.signature_algorithm(), certificate.verify_issued_by(&certificate));
    }
});
