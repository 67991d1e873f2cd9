//! Certificates that come with their key (PKCS#12): every rule of their nodes, every file, and their end.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{
    csp::{Format, LocUri, Scope},
    profile::job::{Expect, Job, add, atomic, delete, expect, replace},
    syncml::Item,
};
use lanyard_model::secret::SecretText;
use lanyard_pki::{
    error::PkiError,
    oids, pem,
    pkcs12::{self, Pkcs12},
    tlv::tag,
    write,
};
use lanyard_server::{
    api::types::Order,
    fleet::{
        job::{StoredJob, What},
        sealed::RecordKey,
    },
};
use lanyard_testkit::{
    keys::rsa,
    programs::vectors,
    scep::device::Device,
    server::{TestServer, order, subject},
};

use super::{
    fleet::call,
    items::{HEAD, Joined, PFX_PASSWORD, pfx, pfx_of, put, secret},
    support::server,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_its_key_is_opened_whatever_made_it_or_its_error_is_told() {
    let server = server().await;
    let folder = server.dir();
    let device = Joined::to(&server).await;
    fs::create_dir(folder.join("pfx")).unwrap();
    secret(&folder.join("pfx/password"), PFX_PASSWORD);
    let table =
        |more: &str| format!("[[pfx]]\nname = \"p\"\nfile = \"pfx/{{user.name}}.p12\"\npassword-file = \"pfx/password\"\n{more}");
    put(&server, &table("")).await;
    device.sync(&server).await;
    let details = device.details(&server).await;
    assert!(details.impossible.iter().any(|(key, why)| key == "pfx/p" && why.contains("user1.p12")), "{details:?}");
    let legacy = ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    let aes = ["-keypbe", "AES-128-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha512", "-iter", "5000"];
    // What old programs wrote is read and never written.
    let rc2 = ["-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-40"];
    let half = ["-keypbe", "AES-256-CBC", "-certpbe", "NONE"];
    for (n, algorithms) in [&[][..], &legacy, &aes, &half, &rc2].into_iter().enumerate() {
        let name = format!("number {n}");
        pfx(folder, "pfx/user1.p12", &name, algorithms).await;
        device.sync(&server).await;
        assert_eq!(device.job(&server, "certificate with key p").await.0, "verified", "{name}");
        let subjects = device.subjects();
        assert!(
            subjects.len() == 2 && subjects.contains(&format!("CN={name}")),
            "one takes the place of the other: {subjects:?}"
        );
    }
    // What Windows would say: the wrong password; no TPM; no container; not a file at all.
    let expect = async |code: u32| {
        device.sync(&server).await;
        let (state, result) = device.job(&server, "certificate with key p").await;
        assert!(state == "failed" && result.contains(&format!("Status={}", code.cast_signed())), "{code:#x}: {state} {result}");
    };
    secret(&folder.join("pfx/password"), "wrong");
    expect(0x8007_0056).await;
    secret(&folder.join("pfx/password"), PFX_PASSWORD);
    put(&server, &table("key-location = \"tpm\"\n")).await;
    expect(0x8009_0029).await;
    put(&server, &table("key-location = { hello = { container = \"c\" } }\n")).await;
    expect(0x8009_0029).await;
    put(&server, &table("")).await;
    fs::write(folder.join("pfx/user1.p12"), "nothing").unwrap();
    expect(0x8009_2002).await;
    assert_eq!(device.subjects().len(), 1, "the one before went with its node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_file_does_not_open_is_refused() {
    let server = server().await;
    pfx(server.dir(), "mail.p12", "signing", &[]).await;
    secret(&server.dir().join("mail.password"), "wrong");
    let table = "[[pfx]]\nname = \"p\"\nfile = \"mail.p12\"\npassword-file = \"mail.password\"\n";
    for (tables, named) in [
        (table.to_owned(), "mail.p12: decryption failed"),
        (table.replace("mail.p12", "nothing.p12"), "nothing.p12"),
        (table.replace("name = \"p\"", "name = \"a b\""), "pfx.name"),
        (table.replace("mail.p12", "{user.nothing}.p12"), "user.nothing"),
        ("[[company-token]]\nenterprise-id = \"1\"\ntoken-file = \"nothing\"\n".to_owned(), "nothing"),
    ] {
        fs::write(server.dir().join("fleet/mdm.toml"), format!("{HEAD}{tables}")).unwrap();
        let refused = server.admin.call("POST", "/policy/reload", b"").await;
        assert!(refused.status >= 400 && refused.text().contains(named), "{tables}: {}", refused.text());
    }
}

/// Has a device do this at once: state and result.
async fn told(server: &TestServer, device: &Joined, job: Job) -> (String, String) {
    let client = device.store.joined().unwrap().device_id;
    let enrollment = server.server.store.find_enrollments_by_client(&client).await.unwrap().remove(0).0;
    let key = RecordKey::of(&server.server.fleet_secret, enrollment.id);
    let stored = StoredJob::new(job, What::Setting);
    let record = stored.record(&key, enrollment.id, "by hand", "test", server.now()).unwrap();
    let id = record.id.to_string();
    server.server.store.save_jobs(vec![record], vec![]).await.unwrap();
    device.sync(server).await;
    let found = device.jobs(server).await.into_iter().find(|one| one.id == id).unwrap();
    (found.state, found.result.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn csps_3_1_each_node_of_a_file_with_its_key_has_its_rules() {
    let server = server().await;
    pfx(server.dir(), "p.p12", "first", &[]).await;
    secret(&server.dir().join("p.password"), PFX_PASSWORD);
    put(&server, "[[pfx]]\nname = \"p\"\nfile = \"p.p12\"\npassword-file = \"p.password\"\n").await;
    let device = Joined::to(&server).await;
    device.sync(&server).await;
    assert!(device.subjects().contains(&"CN=first".to_owned()));
    let base = LocUri::device(&["Vendor", "MSFT", "ClientCertificateInstall", "PFXCertInstall"]);
    let node = base.child("p");
    let value = |name: &str, format, text: &str| Item::value(node.child(name), format, text);
    let elsewhere = Item::value(base.child("q").child("PFXCertBlob"), Format::Bin, "AAAA");
    for (what, command, status) in [
        ("a node that is there", add(Item::bare(&node, Format::Node)), "status 418"),
        ("a file where there is one", add(value("PFXCertBlob", Format::Bin, "AAAA")), "status 418"),
        ("a file in place of none", replace(elsewhere), "status 404"),
        ("a place that there is not", replace(value("KeyLocation", Format::Int, "9")), "0x80070057"),
        ("a place that is no number", replace(value("KeyLocation", Format::Int, "x")), "status 415"),
        ("a number as text", replace(value("KeyLocation", Format::Chr, "3")), "status 415"),
        ("a file that is not base64", replace(value("PFXCertBlob", Format::Bin, "***")), "status 415"),
        ("a leaf without its node", delete(&node.child("KeyLocation")), "status 405"),
        ("what the device tells", replace(value("Status", Format::Int, "0")), "status 405"),
        ("what the device tells, once more", add(value("Thumbprint", Format::Chr, "00")), "status 405"),
    ] {
        let job = Job::change(Scope::Device, vec![command], vec![expect(&node, Expect::Present)]);
        let (state, result) = told(&server, &device, job).await;
        assert!(state == "failed" && result.contains(status), "{what}: {state} {result}");
    }
    assert!(device.subjects().contains(&"CN=first".to_owned()), "none of it did anything");
    // Replace renews: another file under the same node.
    pfx(server.dir(), "second.p12", "second", &[]).await;
    let blob = STANDARD.encode(fs::read(server.dir().join("second.p12")).unwrap());
    let both =
        atomic(vec![add(value("PFXCertPassword", Format::Chr, PFX_PASSWORD)), replace(value("PFXCertBlob", Format::Bin, &blob))]);
    let proof = vec![expect(&node.child("Status"), Expect::Value("0".into()))];
    assert_eq!(told(&server, &device, Job::change(Scope::Device, vec![both], proof)).await.0, "verified");
    assert_eq!(device.subjects().iter().filter(|one| one.contains("second")).count(), 1);
    assert!(!device.subjects().contains(&"CN=first".to_owned()));
    // An Atomic that fails leaves everything as it was.
    let half = atomic(vec![delete(&node), add(value("Status", Format::Int, "0"))]);
    let proof = vec![expect(&node, Expect::Present)];
    assert_eq!(told(&server, &device, Job::change(Scope::Device, vec![half], proof)).await.0, "failed");
    assert!(device.subjects().contains(&"CN=second".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ours_that_came_with_its_key_is_revoked_with_its_device() {
    let server = server().await;
    let issued = async |n: usize, name: &str| {
        let csr = Device::new(rsa(n), &subject(name)).csr();
        let order = Order { csr: Some(pem::encode("CERTIFICATE REQUEST", &csr)), ..order("wifi", name) };
        let serial = server.admin.issue(&order).await.certificate.expect("a certificate");
        let text = server.admin.certificate(&serial).await.pem.unwrap();
        (serial, text)
    };
    let (own, own_pem) = issued(97, "own").await;
    let (shared, shared_pem) = issued(98, "shared").await;
    pfx_of(server.dir(), "user1.p12", &rsa(97).pem(), &own_pem).await;
    pfx_of(server.dir(), "shared.p12", &rsa(98).pem(), &shared_pem).await;
    secret(&server.dir().join("password"), PFX_PASSWORD);
    let tables = "[[pfx]]\nname = \"own\"\nfile = \"{user.name}.p12\"\npassword-file = \"password\"\n\
        [[pfx]]\nname = \"shared\"\nfile = \"shared.p12\"\npassword-file = \"password\"\n";
    put(&server, tables).await;
    let device = Joined::to(&server).await;
    device.sync(&server).await;
    let details = device.details(&server).await;
    let given = details.given.iter().find(|one| one.key == "pfx/own").unwrap();
    assert_eq!(given.certificate.as_deref(), Some(own.as_str()));
    let path = format!("/fleet/{}/block", device.name);
    assert_eq!(call::<usize>(&server, "POST", &path, &serde_json::json!({})).await, 1);
    assert_eq!(server.admin.certificate(&own).await.status, "revoked");
    assert_eq!(server.admin.certificate(&shared).await.status, "valid", "others have it too");
}

#[test]
fn the_vectors_of_pkcs12_are_opened_or_refused_for_a_reason() {
    let files = vectors::all().into_iter().filter(|(path, _)| path.extension().is_some_and(|one| one == "p12" || one == "pfx"));
    let (mut opened, mut refused) = (0, Vec::new());
    for (path, octets) in files {
        let tries = ["cryptography", "password", "senha", ""].map(|text| Pkcs12::decode(&octets, &SecretText::new(text.into())));
        if let Some(found) = tries.iter().find_map(|one| one.as_ref().ok()) {
            assert!(
                !found.keys.is_empty() || !found.certificates.is_empty() || path.to_string_lossy().contains("no-"),
                "{path:?}"
            );
            opened += 1;
        } else {
            refused.push((path, tries.into_iter().next().unwrap().unwrap_err()));
        }
        // A file that was changed anywhere is no longer what the password vouches for.
        for place in (0..octets.len()).step_by(97) {
            let mut changed = octets.clone();
            changed[place] ^= 0x10;
            let _ = Pkcs12::decode(&changed[..changed.len() - place % 3], &SecretText::new("x".into()));
        }
    }
    // Files without a MAC, and such whose algorithms nobody should use.
    for (path, error) in &refused {
        assert!(matches!(error, PkiError::Unsupported { .. } | PkiError::Decrypt), "{path:?}: {error:?}");
    }
    assert!(opened > 25, "{opened} opened; refused: {refused:?}");
}

#[test]
fn a_file_that_wants_too_much_work_is_refused_before_any_is_done() {
    // An empty safe whose MAC takes five million rounds.
    let safe = write::constructed(tag::context(0), &[write::octet_string(&write::sequence::<&[u8]>(&[]))]);
    let mac = write::sequence(&[write::sequence(&[write::oid(oids::SHA256)]), write::octet_string(&[0; 32])]);
    let rounds = vec![0x02, 0x03, 0x4c, 0x4b, 0x40];
    let file = write::sequence(&[
        vec![0x02, 0x01, 0x03],
        write::sequence(&[write::oid(oids::DATA), safe]),
        write::sequence(&[mac, write::octet_string(b"salt"), rounds]),
    ]);
    let began = std::time::Instant::now();
    let refused = Pkcs12::decode(&file, &SecretText::new("x".into()));
    assert!(matches!(refused, Err(PkiError::Limit { limit: 4_000_000, .. })), "{refused:?}");
    assert!(began.elapsed().as_millis() < 500);
    let large = vec![0x30; pkcs12::MAX_SIZE + 1];
    assert!(matches!(Pkcs12::decode(&large, &SecretText::new("x".into())), Err(PkiError::Limit { .. })));
}
