//! A certification request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lanyard_pki::csr::decode::decode(data, true);
});
