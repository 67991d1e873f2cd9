//! The parts of certificates and requests, each by itself: extensions, names of every kind, usages, keys, times, oddities.
#![no_main]

use lanyard_pki::{certificate::Certificate, certificate::oddity::oddities, extension, general_name, name, spki, time, tlv::Reader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(extensions) = Reader::sequence_of(data, "extensions").and_then(extension::decode_all) {
        for one in extensions {
            let _ = (general_name::decode(&one.value), extension::decode_key_usage(&one.value));
            let _ = (extension::decode_extended_key_usage(&one.value), extension::decode_basic_constraints(&one.value));
            let _ = extension::decode_authority_key_identifier(&one.value);
        }
    }
    let _ = (general_name::decode(data), spki::decode(data), spki::key_identifier(data));
    let _ = Reader::sequence_of(data, "name").and_then(name::decode);
    if let Ok(element) = Reader::new(data, "time").any() {
        let _ = (time::decode(&element, "time"), name::string(&element, "string"));
    }
    if let Ok(certificate) = Certificate::decode(data) {
        let _ = oddities(&certificate);
    }
});
