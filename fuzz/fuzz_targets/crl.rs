//! A CRL.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lanyard_pki::crl::CertificateList::decode(data);
});
