//! What a server sends to our device: capabilities, CA certificates, the next CA, all before anything is believed.
#![no_main]

use lanyard_enroll::scep::{
    capabilities::Capabilities,
    client::{rollover::next_ca_certificates, trust::CaCertificates, trust::check_floor},
};
use lanyard_model::time::Timestamp;
use lanyard_pki::cms::signed::SignedData;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = check_floor(Capabilities::decode(data));
    // Each certificate in turn is taken for the pinned one, so that the chain is built too.
    if let Ok(bag) = SignedData::decode(data) {
        for certificate in &bag.certificates {
            let pinned = certificate.fingerprint();
            if let Ok(believed) = CaCertificates::decode(data, &pinned, NOW) {
                let _ = next_ca_certificates(data, &believed, &pinned, NOW);
            }
        }
    }
});
