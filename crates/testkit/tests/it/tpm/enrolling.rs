//! Enrolling and renewing with keys that never leave the TPM.

use std::os::unix::fs::PermissionsExt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_agent::key::DeviceKey;
use lanyard_model::secret::SecretBytes;
use lanyard_pki::tlv::{Reader, tag};
use lanyard_testkit::programs::{openssl::verify, swtpm::Swtpm};

use super::{Device, holds, refused, server};
use crate::bars::size;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_tpm_is_enrolled_and_renewed_and_is_in_no_file() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    let told = device.enroll(&server, "host-1", &["--protection", "tpm"]).await;
    assert!(told.output.contains("made a key in the TPM (rsa:2048)"), "{}", told.output);
    told.good();
    let first = device.current().await;
    assert_eq!((&first["protection"], &first["exportable"]), (&"tpm".into(), &false.into()), "{first}");
    let first_id = first["id"].as_str().unwrap();
    let first_certificate = device.certificate(first_id).await;
    verify(&first_certificate, &server.site.issuing, &server.site.root).await.good();

    device.run(&["renew", first_id]).await.good();
    let second = device.current().await;
    assert_eq!((&second["protection"], &second["predecessor"]), (&"tpm".into(), &first["id"]), "{second}");
    let second_certificate = device.certificate(second["id"].as_str().unwrap()).await;
    verify(&second_certificate, &server.site.issuing, &server.site.root).await.good();
    assert_ne!(first_certificate.spki_der(), second_certificate.spki_der(), "a new key");
    let table = device.run(&["list"]).await.good();
    assert!(table.lines().skip(1).all(|line| line.contains("  tpm  ")), "{table}");

    let mut kept = 0;
    for (path, content) in device.files() {
        let name = path.display();
        assert!(!holds(&content, b"BEGIN PRIVATE KEY") && !holds(&content, b"BEGIN RSA PRIVATE"), "{name}");
        // Whatever could be a key in some armour, or without any.
        let text = String::from_utf8_lossy(&content).into_owned();
        let blocks = text.split("-----").filter_map(|block| STANDARD.decode(block.split_whitespace().collect::<String>()).ok());
        for octets in blocks.chain([content.clone()]) {
            assert!(DeviceKey::from_pkcs8(SecretBytes::new(octets)).is_err(), "{name}");
        }
        assert_ne!(path.file_name().unwrap(), "key.pem");
        if path.file_name().unwrap() == "key.tpm" {
            kept += 1;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    assert_eq!(kept, 2);
    assert_eq!(tpm.occupied().await.trim(), "", "every slot is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_a_key_of_this_tpm_that_it_made_itself_and_lets_nobody_have() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    device.enroll(&server, "host-1", &["--protection", "tpm"]).await.good();
    let identity = device.current().await;
    let key = identity["files"]["key"].as_str().map_or_else(
        || device.store().join("my").join(identity["id"].as_str().unwrap()).join("key.tpm").display().to_string(),
        str::to_owned,
    );
    // By the programs that everybody has for it, under the primary key that everybody can make.
    let parent = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt";
    tpm.tool("tpm2_createprimary", &["-C", "o", "-G", "ecc", "-g", "sha256", "-a", parent, "-c", "parent.ctx"]).await.good();
    tpm.tool("tpm2_flushcontext", &["-t"]).await.good();
    let (public, private) = halves(&std::fs::read_to_string(key).unwrap());
    std::fs::write(device.folder.path().join("public"), public).unwrap();
    std::fs::write(device.folder.path().join("private"), private).unwrap();
    let half = |name: &str| device.folder.path().join(name).display().to_string();
    tpm.tool("tpm2_load", &["-C", "parent.ctx", "-u", &half("public"), "-r", &half("private"), "-c", "key.ctx"]).await.good();
    tpm.tool("tpm2_flushcontext", &["-t"]).await.good();
    let public = tpm.tool("tpm2_readpublic", &["-c", "key.ctx"]).await.good();
    tpm.tool("tpm2_flushcontext", &["-t"]).await.good();
    for word in ["fixedtpm", "fixedparent", "sensitivedataorigin", "noda", "value: rsa"] {
        assert!(public.contains(word), "{word}: {public}");
    }

    let id = identity["id"].as_str().unwrap();
    let out = device.folder.path().join("leak");
    let pass = device.file("pass", "x");
    for form in ["--pem", "--pkcs12", "--pkcs12-old"] {
        let done = device.run(&["export", id, form, "--out", out.to_str().unwrap(), "--passphrase-file", &pass]).await;
        refused(&done, "agent.key-in-tpm");
        assert!(!out.exists());
    }
    let root = device.file("root.pem", &lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, server.site.root.der()));
    device.run(&["install", &root, "--yes", "--trust-roots"]).await.good();
    for program in
        [&["vpn", "--gateway", "vpn.example.org"][..], &["wifi", "--ssid", "Office", "--server-name", "radius.example.org"]]
    {
        let done = device.run(&[&["use"], program].concat()).await;
        refused(&done, "agent.needs-pkcs11");
        assert!(done.output.contains("cannot use it there"), "{}", done.output);
    }
    assert!(device.run(&["use", "list"]).await.good().trim().is_empty());
}

/// Public half, and private half as the TPM encrypted it, of a TPM key file.
fn halves(pem: &str) -> (Vec<u8>, Vec<u8>) {
    let der = lanyard_pki::pem::decode("TSS2 PRIVATE KEY", pem.split("-----BEGIN PUBLIC KEY").next().unwrap()).unwrap();
    let mut reader = Reader::sequence_of(&der, "TPM key").unwrap();
    reader.oid().unwrap();
    reader.optional(tag::context(0)).unwrap();
    reader.unsigned().unwrap();
    let mut half = || reader.expect(tag::OCTET_STRING).unwrap().contents.to_vec();
    (half(), half())
}

#[tokio::test(flavor = "multi_thread")]
async fn scep_takes_no_ec_key_and_a_tpm_no_long_rsa_key_and_both_are_said_plainly() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    let ec = device.enroll(&server, "host-1", &["--protection", "tpm", "--key", "ec:p256"]).await;
    assert!(!ec.success && ec.output.contains("cannot be used with SCEP"), "{}", ec.output);
    let long = device.enroll(&server, "host-2", &["--protection", "tpm", "--key", "rsa:4096"]).await;
    refused(&long, "agent.tpm-key-kind");
    let optional = device.enroll(&server, "host-3", &["--protection", "tpm-optional", "--key", "rsa:3072"]).await;
    // The server has its own rule for it; the device tried.
    assert!(optional.output.contains("made in software instead"), "{}", optional.output);
    assert!(optional.output.contains("made a key (rsa:3072)"), "{}", optional.output);
}

/// Enrolments and renewals one after another: no slot is ever lost, and nothing lies about.
#[tokio::test(flavor = "multi_thread")]
async fn cycles_of_enrolment_and_renewal_leave_every_slot_free() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    let cycles = size(10, 200);
    let pin = device.file("pin", "correct horse\n");
    for n in 0..cycles {
        let protection = if n % 5 == 4 { "tpm-pin" } else { "tpm" };
        device.enroll(&server, &format!("host-{n}"), &["--protection", protection, "--pin-file", &pin]).await.good();
        let id = device.current().await["id"].as_str().unwrap().to_owned();
        device.run(&["renew", &id, "--pin-file", &pin]).await.good();
        let renewed = device.current().await;
        assert_eq!((&renewed["predecessor"], &renewed["protection"]), (&id.as_str().into(), &protection.into()));
        device.run(&["remove", &id, "--yes"]).await.good();
        device.run(&["remove", renewed["id"].as_str().unwrap(), "--yes"]).await.good();
    }
    assert_eq!(tpm.occupied().await.trim(), "");
    assert_eq!(server.admin.certificates().await.len(), 2 * cycles);
    assert!(device.files().iter().all(|(path, _)| path.file_name().unwrap() != "key.tpm"));
}
