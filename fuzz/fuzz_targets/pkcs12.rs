//! A PKCS#12 file under the password of the seeds.
#![no_main]

use lanyard_model::secret::SecretText;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lanyard_pki::pkcs12::Pkcs12::decode(data, &SecretText::new("password".into()));
});
