//! A provisioning document, before our device believes anything of it. What is read means the same when it is written again.
#![no_main]

use lanyard_mdm::provisioning::{Document, ProvisioningDocument};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(document) = Document::decode(data)
        && let Ok(text) = document.encode()
        && text.expose().len() < 192 * 1024
    {
        assert_eq!(Document::decode(text.expose().as_bytes()).unwrap(), document);
    }
    if let Ok(document) = ProvisioningDocument::decode(data) {
        let tree = document.to_document();
        let text = document.encode().unwrap();
        if let Ok(again) = ProvisioningDocument::decode(text.expose().as_bytes()) {
            assert_eq!(again.to_document(), tree);
        }
    }
});
