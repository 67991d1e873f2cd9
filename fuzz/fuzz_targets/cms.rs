//! BER normalisation, SignedData and EnvelopedData. Normalising twice changes nothing.
#![no_main]

use lanyard_pki::{
    ber::normalise,
    cms::{enveloped::EnvelopedData, signed::SignedData},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(der) = normalise(data) {
        assert_eq!(normalise(&der).as_ref(), Ok(&der));
    }
    let _ = SignedData::decode(data);
    let _ = EnvelopedData::decode(data);
});
