//! A name as an administrator writes it: what is printed reads back as the same name.
#![no_main]

use lanyard_pki::{name, tlv::Reader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(read) = name::parse(text)
    {
        assert_eq!(name::parse(&read.to_string()).as_ref(), Ok(&read));
        let der = name::encode(&read);
        assert_eq!(Reader::sequence_of(&der, "name").and_then(name::decode).as_ref(), Ok(&read));
    }
});
