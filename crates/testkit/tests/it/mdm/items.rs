//! Every item of a policy over HTTP with this program's own device: told, shown, and taken back when the policy drops it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use lanyard_agent::{
    mdm::{
        Synced,
        account::{Poll, Turns},
        join, sync,
    },
    scep::options::Clock,
    store::DeviceStore,
};
use lanyard_model::{fleet::RenewSchedule, secret::SecretText};
use lanyard_pki::{
    error::PkiError,
    oids,
    pkcs12::{self, Pkcs12},
    tlv::tag,
    write,
};
use lanyard_server::api::fleet_types::{FleetDetails, FleetDevice, FleetJob};
use lanyard_testkit::{
    programs::{program, run, vectors},
    server::TestServer,
};
use tokio::process::Command;

use super::{
    agent::options,
    fleet::call,
    support::{PASSWORD, server},
};

const HEAD: &str = "format = 1\nname = \"mdm\"\nrevision = 1\n";
const PFX_PASSWORD: &str = "open sesame";

/// A device of this program, joined to a server.
struct Joined {
    _folder: tempfile::TempDir,
    store: DeviceStore,
    name: String,
}

impl Joined {
    async fn to(server: &TestServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
        join(Some(&store), options(server, PASSWORD)).await.unwrap();
        let fleet: Vec<FleetDevice> = call(server, "GET", "/fleet", &()).await;
        let name = fleet.iter().find(|one| one.enrollment.is_some()).unwrap().id.clone();
        Self { _folder: folder, store, name }
    }

    async fn sync(&self, server: &TestServer) -> Synced {
        let now = server.now();
        let clock: Clock = Arc::new(move || now);
        sync(&self.store, &clock).await.unwrap()
    }

    async fn details(&self, server: &TestServer) -> FleetDetails {
        call(server, "GET", &format!("/fleet/{}", self.name), &()).await
    }

    async fn jobs(&self, server: &TestServer) -> Vec<FleetJob> {
        call(server, "GET", &format!("/fleet/{}/jobs", self.name), &()).await
    }

    /// State and result of the newest job whose purpose begins so.
    async fn job(&self, server: &TestServer, purpose: &str) -> (String, String) {
        let jobs = self.jobs(server).await;
        let found = jobs.into_iter().rev().find(|job| job.purpose.starts_with(purpose)).expect(purpose);
        (found.state, found.result.unwrap_or_default())
    }

    /// Subjects of what is in the store with its key.
    fn subjects(&self) -> Vec<String> {
        self.store.identities().unwrap().into_iter().map(|one| one.about.subject).collect()
    }
}

async fn put(server: &TestServer, tables: &str) {
    fs::write(server.dir().join("fleet/mdm.toml"), format!("{HEAD}{tables}")).unwrap();
    call::<String>(server, "POST", "/policy/reload", &()).await;
}

/// A file that only its owner may read.
fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A key and its certificate as PKCS#12, made by OpenSSL.
async fn pfx(folder: &Path, file: &str, name: &str, algorithms: &[&str]) {
    let (key, pem) = (folder.join("pfx.key"), folder.join("pfx.pem"));
    let mut own = Command::new(program("openssl", "openssl"));
    own.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &format!("/CN={name}"), "-keyout"]);
    run(own.arg(&key).arg("-out").arg(&pem)).await.good();
    let mut export = Command::new(program("openssl", "openssl"));
    export.args(["pkcs12", "-export", "-passout", &format!("pass:{PFX_PASSWORD}")]).args(algorithms);
    run(export.arg("-inkey").arg(&key).arg("-in").arg(&pem).arg("-out").arg(folder.join(file))).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_of_a_policy_is_seen_on_the_device_and_taken_back() {
    let server = server().await;
    pfx(server.dir(), "mail.p12", "signing", &[]).await;
    secret(&server.dir().join("mail.password"), &format!("{PFX_PASSWORD}\n"));
    fs::write(server.dir().join("aet.token"), "QUVUIHRva2Vu\n").unwrap();
    let policy = format!(
        "[[scep]]\nname = \"client\"\ntemplate = \"device-client\"\nkey-protection = \"software\"\nurls = [\"{url}\"]\n\
         [[wifi]]\nssid = \"Office\"\neap = {{ scep = \"client\", server-names = [\"radius.example.org\"] }}\n\
         [[vpn]]\nname = \"Example VPN\"\nservers = [\"vpn.example.org\"]\ntunnel = \"ikev2\"\nscep = \"client\"\n\
         [[mail]]\nguid = \"{{c556e16f-56c4-4edb-9c64-d9469ee1fbe0}}\"\naccount-name = \"Example\"\nserver-name = \"mail.example.org\"\n\
         email-address = \"{{user.upn}}\"\nuser-name = \"{{user.name}}\"\n\
         [[pfx]]\nname = \"signing\"\nfile = \"mail.p12\"\npassword-file = \"mail.password\"\n\
         [[company-token]]\nenterprise-id = \"4000000001\"\ntoken-file = \"aet.token\"\ncertificate-subject = \"CN=x, O=y\"\n\
         [poll]\nfirst-sessions = 2\nfirst-interval = \"2m\"\nsecond-sessions = 3\nsecond-interval = \"20m\"\ninterval = \"4h\"\n\
         [renewal]\nperiod = \"45d\"\nretry = \"5d\"\n",
        url = server.scep_url("default"),
    );
    put(&server, &policy).await;
    let device = Joined::to(&server).await;
    let before = device.store.joined().unwrap();
    device.sync(&server).await;
    let details = device.details(&server).await;
    assert!(details.given.iter().all(|one| one.progress == "done"), "{details:?}");
    for key in ["scep/client", "wifi/Office", "vpn/Example VPN", "pfx/signing", "company-token/4000000001", "poll", "renewal"] {
        assert!(details.given.iter().any(|one| one.key == key), "{key}: {details:?}");
    }
    assert!(details.given.iter().any(|one| one.key.starts_with("mail/")));
    let jobs = device.jobs(&server).await;
    assert!(jobs.iter().all(|job| job.state == "verified"), "{jobs:?}");
    // What the device does by it.
    assert!(device.subjects().contains(&"CN=signing".to_owned()));
    let account = device.store.joined().unwrap();
    let turns = |count, minutes| Turns { count, minutes };
    let told = Poll { first: turns(2, 2), second: turns(3, 20), remaining: turns(0, 240) };
    assert_eq!((account.poll, account.renewal.period_days, account.renewal.retry_days), (told, 45, 5));
    let enrolled = server.server.store.find_enrollments_by_client(&account.device_id).await.unwrap().remove(0).0;
    assert_eq!(enrolled.schedule, RenewSchedule { period_days: 45, retry_days: 5, robo: true });
    // Neither the file nor its password lies about on the device.
    let nodes = fs::read_to_string(device.store.path().join("mdm/nodes.json")).unwrap();
    assert!(!nodes.contains(PFX_PASSWORD) && nodes.contains("PFXCertInstall/signing/Status"), "{nodes}");
    // And once more, with nothing new.
    device.sync(&server).await;
    assert_eq!(device.jobs(&server).await.len(), jobs.len());

    put(&server, "").await;
    device.sync(&server).await;
    let jobs = device.jobs(&server).await;
    assert!(jobs.iter().all(|job| job.state == "verified"), "{jobs:?}");
    assert_eq!(jobs.iter().filter(|job| job.purpose.starts_with("remove ")).count(), 8, "{jobs:?}");
    let details = device.details(&server).await;
    assert!(details.given.iter().all(|one| one.key.starts_with("trust/") || one.key.starts_with("inventory/")), "{details:?}");
    let account = device.store.joined().unwrap();
    assert_eq!((account.poll, account.renewal.period_days), (before.poll, before.renewal.period_days), "as it was told at first");
    assert_eq!(device.subjects().len(), 1, "only its identity is left: {:?}", device.subjects());
    let nodes = fs::read_to_string(device.store.path().join("mdm/nodes.json")).unwrap();
    for gone in ["WiFi", "VPNv2", "ActiveSync", "PFXCertInstall", "EnterpriseAppManagement", "SCEP"] {
        assert!(!nodes.contains(gone), "{gone}: {nodes}");
    }
}

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
    for (n, algorithms) in [&[][..], &legacy, &aes, &["-keypbe", "AES-256-CBC", "-certpbe", "NONE"]].into_iter().enumerate() {
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
    // What Windows would say: the wrong password; no TPM; no container; not a file at all; RC2, which nobody should use.
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
    pfx(folder, "pfx/user1.p12", "rc2", &["-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-40"]).await;
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
    // RC2, and files without a MAC.
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
