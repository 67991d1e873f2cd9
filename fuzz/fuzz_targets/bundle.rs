//! A file of certificates and keys, whatever it is, under the password of the seeds.
#![no_main]

use lanyard_model::secret::SecretText;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lanyard_pki::bundle::open(data, Some(&SecretText::new("password".into())));
});
