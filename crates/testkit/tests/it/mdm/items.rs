//! Every item of a policy over HTTP with this program's own device: told, shown, and taken back when the policy drops it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use lanyard_agent::{
    key::KeyPlace,
    mdm::{
        Synced,
        account::{Poll, Turns},
        join, sync,
    },
    scep::options::Clock,
    store::DeviceStore,
};
use lanyard_model::fleet::RenewSchedule;
use lanyard_server::api::fleet_types::{FleetDetails, FleetDevice, FleetJob};
use lanyard_testkit::{
    process::{lanyard, lanyard_tpm},
    programs::{program, run, swtpm::Swtpm},
    server::TestServer,
};
use tokio::process::Command;

use super::{
    agent::options,
    fleet::call,
    support::{PASSWORD, server},
};

pub const HEAD: &str = "format = 1\nname = \"mdm\"\nrevision = 1\n";
pub const PFX_PASSWORD: &str = "open sesame";

/// A device of this program, joined to a server.
pub struct Joined {
    _folder: tempfile::TempDir,
    pub store: DeviceStore,
    pub name: String,
}

impl Joined {
    pub async fn to(server: &TestServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
        join(Some(&store), options(server, PASSWORD)).await.unwrap();
        let fleet: Vec<FleetDevice> = call(server, "GET", "/fleet", &()).await;
        let name = fleet.iter().find(|one| one.enrollment.is_some()).unwrap().id.clone();
        Self { _folder: folder, store, name }
    }

    pub async fn sync(&self, server: &TestServer) -> Synced {
        let now = server.now();
        let clock: Clock = Arc::new(move || now);
        sync(&self.store, &clock).await.unwrap()
    }

    pub async fn details(&self, server: &TestServer) -> FleetDetails {
        call(server, "GET", &format!("/fleet/{}", self.name), &()).await
    }

    pub async fn jobs(&self, server: &TestServer) -> Vec<FleetJob> {
        call(server, "GET", &format!("/fleet/{}/jobs", self.name), &()).await
    }

    /// State and result of the newest job whose purpose begins so.
    pub async fn job(&self, server: &TestServer, purpose: &str) -> (String, String) {
        let jobs = self.jobs(server).await;
        let found = jobs.into_iter().rev().find(|job| job.purpose.starts_with(purpose)).expect(purpose);
        (found.state, found.result.unwrap_or_default())
    }

    /// Subjects of what is in the store with its key.
    pub fn subjects(&self) -> Vec<String> {
        self.store.identities().unwrap().into_iter().map(|one| one.about.subject).collect()
    }
}

pub async fn put(server: &TestServer, tables: &str) {
    fs::write(server.dir().join("fleet/mdm.toml"), format!("{HEAD}{tables}")).unwrap();
    call::<String>(server, "POST", "/policy/reload", &()).await;
}

/// A file that only its owner may read.
pub fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A key and its certificate as PKCS#12, made by OpenSSL.
pub async fn pfx_of(folder: &Path, file: &str, key: &str, certificate: &str) {
    let (key_file, pem) = (folder.join("pfx.key"), folder.join("pfx.pem"));
    fs::write(&key_file, key).unwrap();
    fs::write(&pem, certificate).unwrap();
    let mut export = Command::new(program("openssl", "openssl"));
    export.args(["pkcs12", "-export", "-passout", &format!("pass:{PFX_PASSWORD}")]).arg("-inkey").arg(&key_file);
    run(export.arg("-in").arg(&pem).arg("-out").arg(folder.join(file))).await.good();
}

/// The same with a new key and a certificate that nobody else has issued.
pub async fn pfx(folder: &Path, file: &str, name: &str, algorithms: &[&str]) {
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
async fn a_certificate_whose_key_must_be_in_the_tpm_has_it_there_and_is_verified() {
    let (server, tpm) = (server().await, Swtpm::start().await);
    let url = server.scep_url("default");
    put(
        &server,
        &format!("[[scep]]\nname = \"c\"\ntemplate = \"device-client\"\nkey-protection = \"tpm\"\nurls = [\"{url}\"]\n"),
    )
    .await;
    let device = Joined::to(&server).await;
    assert!(lanyard_tpm().is_file());
    for _ in 0..2 {
        let mut command = Command::new(lanyard());
        command.args(["device", "sync", "--store"]).arg(device.store.path()).env("LANYARD_TPM", tpm.name());
        run(&mut command).await.good();
    }
    let (state, result) = device.job(&server, "certificate c").await;
    assert_eq!(state, "verified", "{result}");
    let identities = device.store.identities().unwrap();
    let places: Vec<KeyPlace> = identities.iter().map(|one| one.about.place).collect();
    assert_eq!(places, [KeyPlace::Software, KeyPlace::Tpm], "the identity of the device, and the certificate");
    assert!(device.store.key_file(&identities[1].about.id).ends_with("key.tpm"));
    assert!(!device.store.identity_folder(&identities[1].about.id).join("key.pem").exists());
    assert_eq!(tpm.occupied().await.trim(), "");
}

/// What the device says about a certificate that was to have its key here.
async fn with_protection(protection: &str) -> (FleetDetails, (String, String), Vec<String>) {
    let server = server().await;
    let url = server.scep_url("default");
    let scep =
        format!("[[scep]]\nname = \"c\"\ntemplate = \"device-client\"\nkey-protection = {protection}\nurls = [\"{url}\"]\n");
    put(&server, &scep).await;
    let device = Joined::to(&server).await;
    device.sync(&server).await;
    device.sync(&server).await;
    (device.details(&server).await, device.job(&server, "certificate c").await, device.subjects())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_must_be_where_the_device_has_no_place_fails_and_one_that_may_be_elsewhere_is() {
    // NTE_NOT_SUPPORTED.
    for protection in ["\"tpm\"", "{ hello = { container = \"c\" } }"] {
        let (details, (state, result), subjects) = with_protection(protection).await;
        assert!(result.contains("80090029") || result.contains("-2146893783"), "{protection}: {state}, {result}");
        assert!(details.given.iter().all(|one| one.key != "scep/c" || one.progress != "done"), "{details:?}");
        assert_eq!(subjects.len(), 1, "the identity alone: {subjects:?}");
    }
    for protection in ["\"tpm-optional\"", "\"software\""] {
        let (details, (state, result), subjects) = with_protection(protection).await;
        assert_eq!(state, "verified", "{protection}: {result}");
        assert!(details.given.iter().any(|one| one.key == "scep/c" && one.progress == "done"), "{details:?}");
        assert_eq!(subjects.len(), 2, "{subjects:?}");
    }
}
