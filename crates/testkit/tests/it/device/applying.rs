//! `lanyard device apply`: the signed policy that the server exports, on a device that nobody manages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lanyard_agent::scep::options::fingerprint_text;
use lanyard_testkit::{
    process::{Process, lanyard},
    programs::{Done, faketime::WallClock, freeradius::FreeRadius, openssl::openssl, run},
    server::{Site, TestServer},
};
use serde_json::{Value, json};
use tokio::process::Command;

const POLICY: &str = r#"
format = 1
name = "laptops"
revision = 1
description = "Laptops that nobody manages"
[[trust]]
file = "radius-root.pem"
[[scep]]
name = "network"
template = "device-client"
[[wifi]]
ssid = "Example Office"
security = "wpa3"
eap = { scep = "network", server-names = ["radius.example.org"], roots = ["radius-root.pem"] }
"#;

const RADIUS: &str = r#"
openssl req -x509 -newkey rsa:2048 -nodes -keyout rr.key -out radius-root.pem -subj "/O=Example/CN=Radius Root" -days 30 \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
openssl req -newkey rsa:2048 -nodes -keyout radius.key -out radius.csr -subj "/CN=radius.example.org"
printf "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:radius.example.org\n" > ext
openssl x509 -req -in radius.csr -CA radius-root.pem -CAkey rr.key -CAcreateserial -out radius.pem -days 20 -extfile ext
"#;

/// A server with a policy, and a device.
struct Place {
    folder: tempfile::TempDir,
    site: Site,
    server: Process,
    clock: WallClock,
}

impl Place {
    async fn new(policy: &str) -> Self {
        let folder = lanyard_testkit::temporary::folder("applying");
        run(Command::new("sh").current_dir(folder.path()).args(["-euc", RADIUS])).await.good();
        let root = fs::read_to_string(folder.path().join("radius-root.pem")).unwrap();
        let builder = TestServer::builder().file("fleet/laptops.toml", policy).file("radius-root.pem", root);
        let held = [("approval = \"automatic\"", "approval = \"person\"")];
        let (site, _) = builder.profile("default", "laptops", &[]).template("device-client", "held-client", &held).create().await;
        let http = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = fs::read_to_string(site.dir.join("lanyard.toml")).unwrap();
        assert!(config.contains("url = "), "{config}");
        let config: String = config
            .lines()
            .map(|line| {
                if line.starts_with("url = ") && !line.contains("https") {
                    format!("url = \"http://{http}\"\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        fs::write(site.dir.join("lanyard.toml"), config).unwrap();
        let server = Process::serve_with(&site, &["--http", &http, "--https", "127.0.0.1:0"]).await;
        server.admin.save_device(json!({ "id": "laptop-7", "name": "laptop-7", "dns-name": "laptop-7.example.org" })).await;
        let clock = WallClock::new(folder.path());
        Self { folder, site, server, clock }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exports the policy into a file.
    async fn export(&self, platform: &str, file: &str) -> String {
        let mut command = Command::new(lanyard());
        command.args(["profile", "export", "laptops", "--platform", platform, "--device", "laptop-7", "--dir"]);
        let made = command.arg(&self.site.dir).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(self.at(file), made.stdout).unwrap();
        self.at(file).display().to_string()
    }

    async fn device(&self, arguments: &[&str]) -> Done {
        let mut command = self.clock.command(lanyard());
        run(command.arg("device").args(arguments).arg("--store").arg(self.at("store"))).await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.device(&[arguments, &["--json"]].concat()).await.good();
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    async fn refused(&self, file: &str, more: &[&str], why: &str) {
        let done = self.device(&[&["apply", file, "--yes", "--trust-roots"], more].concat()).await;
        assert!(!done.success && done.output.contains("[agent.policy]") && done.output.contains(why), "{why}: {}", done.output);
    }

    fn root(&self) -> String {
        fingerprint_text(&self.site.root.fingerprint())
    }
}

fn identities(list: &Value) -> usize {
    list["identities"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_policy_brings_roots_an_identity_and_a_network_that_lets_the_device_in() {
    let place = Place::new(POLICY).await;
    let file = place.export("linux", "first").await;

    // Nobody vouches for it yet, and only the root that is named counts.
    place.refused(&file, &[], "whoever signed it is not known").await;
    place.refused(&file, &["--trust", &fingerprint_text(&[7; 32])], "no root with that fingerprint").await;
    let radius = {
        let text = fs::read_to_string(place.at("radius-root.pem")).unwrap();
        lanyard_pki::certificate::Certificate::decode(&lanyard_pki::pem::decode("CERTIFICATE", &text).unwrap()).unwrap()
    };
    place.refused(&file, &["--trust", &fingerprint_text(&radius.fingerprint())], "whoever signed it is not known").await;

    let root = place.root();
    let looked = place.device(&["apply", &file, "--trust", &root, "--dry-run"]).await.good();
    for said in
        ["Policy \"laptops\", revision 1", "would trust the root", "would enrol", "CN=laptop-7", "\"Example Office\"", &root]
    {
        assert!(looked.contains(said), "{said}: {looked}");
    }
    assert_eq!(identities(&place.json(&["list"]).await), 0);
    assert_eq!(place.json(&["trust", "--list"]).await["certificates"], json!([]));
    // Nobody can be asked; a yes is not one to roots; the root that was named needs no other one.
    let asked = place.device(&["apply", &file, "--trust", &root]).await;
    assert!(!asked.success && asked.output.contains("agent.not-agreed"), "{}", asked.output);
    let roots = place.device(&["apply", &file, "--trust", &root, "--yes"]).await;
    assert!(!roots.success && roots.output.contains("agent.not-agreed"), "{}", roots.output);
    assert_eq!(place.json(&["trust", "--list"]).await["certificates"], json!([]), "nothing is half done");

    let done = place.json(&["apply", &file, "--trust", &root, "--yes", "--trust-roots"]).await;
    assert_eq!((&done["outcome"], done["trusted"].as_array().unwrap().len()), (&json!("applied"), 2), "{done}");
    assert_eq!(done["obtained"][0]["name"], "network");
    let list = place.json(&["list"]).await;
    assert_eq!((identities(&list), &list["identities"][0]["name"]), (1, &json!("laptops network")));

    // The network lets it in, by exactly that server.
    fs::write(place.at("clients.pem"), {
        let encode = |one: &lanyard_pki::certificate::Certificate| lanyard_pki::pem::encode("CERTIFICATE", one.der());
        encode(&place.site.root) + &encode(&place.site.issuing)
    })
    .unwrap();
    let server = FreeRadius::start(&place.at("radius.pem"), &place.at("radius.key"), &place.at("clients.pem")).await;
    let network = PathBuf::from(done["uses"][0]["file"].as_str().unwrap());
    assert!(fs::read_to_string(&network).unwrap().contains("WPA-EAP-SHA256"));
    let inside = server.try_network(&network).await;
    assert!(inside.success && inside.output.contains("SUCCESS"), "{}", inside.output);

    // The same again changes nothing; a newer one without the network takes it away; the older one is not taken any more.
    let again = place.json(&["apply", &file, "--yes"]).await;
    assert_eq!((&again["obtained"], &again["policy"]["identities"][0]["fate"]), (&json!([]), &json!("kept")), "{again}");
    assert_eq!(identities(&place.json(&["list"]).await), 1);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let without: String = POLICY.replace("revision = 1", "revision = 2").split("[[wifi]]").next().unwrap().to_owned();
    fs::write(place.site.dir.join("fleet/laptops.toml"), without).unwrap();
    run(Command::new(lanyard()).args(["profile", "reload", "--dir"]).arg(&place.site.dir)).await.good();
    let newer = place.export("linux", "second").await;
    let done = place.json(&["apply", &newer, "--yes"]).await;
    assert_eq!(done["policy"]["dropped"], json!(["laptops-wifi-example-office"]), "{done}");
    assert!(!network.exists());
    place.refused(&file, &[], "it is older than what is in force").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_expired_or_signed_by_somebody_else_is_refused() {
    let place = Place::new(POLICY).await;
    let file = place.export("linux", "policy").await;
    let root = place.root();
    let octets = fs::read(&file).unwrap();
    let write = |name: &str, octets: &[u8]| {
        fs::write(place.at(name), octets).unwrap();
        place.at(name).display().to_string()
    };
    // One letter of the content.
    let start = octets.windows(7).position(|window| window == b"network").unwrap();
    let mut altered = octets.clone();
    altered[start] = b'N';
    place.refused(&write("altered", &altered), &["--trust", &root], "its signature does not verify").await;
    place.refused(&write("half", &octets[..octets.len() / 2]), &["--trust", &root], "it is no signed file").await;
    place.refused(&write("text", b"{}"), &["--trust", &root], "it is no signed file").await;
    place.refused(&place.export("android", "android").await, &["--trust", &root], "it is for android").await;
    place.clock.set(40 * 86_400);
    place.refused(&file, &["--trust", &root], "it expired on").await;
    place.clock.set(0);

    // A device of the same authority signs what it likes; nobody believes it, although its chain is in order.
    place.json(&["apply", &file, "--trust", &root, "--yes", "--trust-roots"]).await;
    let list = place.json(&["list"]).await;
    let own = place.at("store").join("my").join(list["identities"][0]["id"].as_str().unwrap());
    let folder: &Path = place.folder.path();
    let at = |name: &str| own.join(name).display().to_string();
    let content = ["cms", "-verify", "-inform", "DER", "-binary", "-noverify", "-in", &file, "-out", "content"];
    openssl(&content, folder).await.good();
    let forge = async |signer: &str, key: &str, chain: &str| {
        let sign =
            ["cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-in", "content", "-out", "forged", "-signer", signer];
        openssl(&[&sign[..], &["-inkey", key, "-certfile", chain]].concat(), folder).await.good();
    };
    let forged = place.at("forged").display().to_string();
    forge(&at("certificate.pem"), &at("key.pem"), &at("chain.pem")).await;
    place.refused(&forged, &[], "not a registration authority's").await;
    // Somebody of another authority.
    forge("radius.pem", "radius.key", "radius-root.pem").await;
    place.refused(&forged, &[], "not a registration authority's").await;
    let own = "openssl req -x509 -newkey rsa:2048 -nodes -keyout e.key -out e.pem -subj /CN=evil -days 3 \
               -addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature";
    run(Command::new("sh").args(["-c", own]).current_dir(folder)).await.good();
    forge("e.pem", "e.key", "radius-root.pem").await;
    place.refused(&forged, &[], "whoever signed it is not known").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_waits_for_an_identity_that_a_person_must_approve() {
    let place = Place::new(&POLICY.replace("device-client", "held-client")).await;
    let file = place.export("linux", "policy").await;
    let held = place.device(&["apply", &file, "--trust", &place.root(), "--yes", "--trust-roots", "--json"]).await;
    assert!(!held.success, "{}", held.output);
    let told: Value = serde_json::from_str(&held.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["waiting"]), (&json!("incomplete"), &json!(["laptops-wifi-example-office"])), "{told}");
    let request = told["held"][0]["request_id"].as_str().unwrap();
    // Looking again meanwhile asks for nothing new.
    let again = place.json(&["apply", &file, "--dry-run"]).await;
    assert_eq!(again["policy"]["identities"][0]["fate"], "under-way");
    run(Command::new(lanyard()).args(["request", "approve", request, "--dir"]).arg(&place.site.dir)).await.good();
    place.device(&["resume"]).await.good();
    let network = place.at("store/use/laptops-wifi-example-office/wpa_supplicant.conf");
    assert!(fs::read_to_string(network).unwrap().contains("domain_match=\"radius.example.org\""));
    drop(place.server);
}
