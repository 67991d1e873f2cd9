//! Real programs with the configuration that `lanyard device use` writes.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use lanyard_testkit::{
    programs::{
        charon::{GATEWAY, Gateway},
        chromium::{Chromium, Seat},
        freeradius::FreeRadius,
        openssl::openssl,
        program, run,
    },
    temporary,
    wait::until,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{device, device_json};

/// Two authorities; from `home` a certificate for networks, one for mail and a server's, from `away` another one for networks.
const MAKE: &str = r#"
exec 2>&1
printf x > pass
root() { openssl req -x509 -newkey rsa:2048 -nodes -keyout $1.key -out $1.pem -subj "/O=Example/CN=$1" -days 30 \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign; }
issue() { # authority, name, purpose, SAN
  openssl req -newkey rsa:2048 -nodes -keyout $2.key -out $2.csr -subj "/O=Example/CN=$2"
  printf "extendedKeyUsage=$3\nsubjectAltName=$4\n" > ext
  openssl x509 -req -in $2.csr -CA $1.pem -CAkey $1.key -CAcreateserial -out $2.pem -days 20 -extfile ext
  openssl pkcs12 -export -inkey $2.key -in $2.pem -certfile $1.pem -name $2 -passout pass:x -out $2.pfx
}
root home; root away
issue home network clientAuth email:user1@example.org
issue home letters emailProtection email:user1@example.org
issue away elsewhere clientAuth email:user1@example.com
issue home server serverAuth DNS:radius.example.org
issue away impostor serverAuth DNS:radius.example.org
"#;

/// A folder with these files, and a store with the three identities, which may be copied, and both roots.
async fn place() -> (TempDir, PathBuf) {
    let folder = temporary::folder("using");
    run(Command::new("sh").current_dir(folder.path()).args(["-euc", MAKE])).await.good();
    let store = folder.path().join("store");
    for name in ["network", "letters", "elsewhere"] {
        let (file, pass) = (at(folder.path(), &format!("{name}.pfx")), at(folder.path(), "pass"));
        device(&store, &["install", &file, "--passphrase-file", &pass, "--yes", "--trust-roots", "--exportable"]).await.good();
    }
    (folder, store)
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

async fn file(store: &Path, arguments: &[&str]) -> PathBuf {
    let done = device_json(store, arguments).await;
    PathBuf::from(done["file"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_certificates_the_right_one_gets_into_the_network_and_only_by_the_right_server() {
    let (folder, store) = place().await;
    let wifi = ["use", "wifi", "--ssid", "Büro 1", "--server-name", "radius.example.org", "--root", "home"];
    let several = device(&store, &wifi).await;
    assert!(!several.success && several.output.contains("agent.several-identities"), "{}", several.output);
    let network = file(&store, &[&wifi[..], &["--issuer", "home"]].concat()).await;

    let path = |name: &str| folder.path().join(name);
    let radius = FreeRadius::start(&path("server.pem"), &path("server.key"), &path("home.pem")).await;
    let inside = radius.try_network(&network).await;
    assert!(inside.success && inside.output.contains("SUCCESS"), "{}", inside.output);
    let other = file(&store, &[&wifi[..], &["--issuer", "away", "--name", "other"]].concat()).await;
    let outside = radius.try_network(&other).await;
    assert!(!outside.success, "a certificate of another authority: {}", outside.output);
    let name =
        ["use", "wifi", "--ssid", "x", "--server-name", "else.example.org", "--root", "home", "--issuer", "home", "--name", "n"];
    let outside = radius.try_network(&file(&store, &name).await).await;
    assert!(!outside.success, "a server of another name: {}", outside.output);
    let impostor = FreeRadius::start(&path("impostor.pem"), &path("impostor.key"), &path("home.pem")).await;
    let outside = impostor.try_network(&network).await;
    assert!(!outside.success, "a server of another authority: {}", outside.output);

    let used = device_json(&store, &["use", "list"]).await;
    assert_eq!(used["uses"].as_array().unwrap().len(), 3);
    device(&store, &["use", "remove", "other"]).await.good();
    assert!(!other.exists() && network.exists());
    for bad in ["a\"b", "a;b.example.org", ""] {
        let refused =
            device(&store, &["use", "wifi", "--ssid", "x", "--server-name", bad, "--issuer", "home", "--root", "home"]).await;
        assert!(!refused.success && refused.output.contains("agent.usage"), "{}", refused.output);
    }
}

/// A server with the certificate of `server`, whose page tells who its client is; its port.
async fn serve(folder: &Path, arguments: &[&str]) -> (Child, u16) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut server = Command::new(program("openssl", "openssl"));
    server.current_dir(folder).args(["s_server", "-www", "-cert", "server.pem", "-key", "server.key"]).args(arguments);
    server.args(["-accept", &format!("127.0.0.1:{port}")]);
    let child = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("the server to listen", || async move { std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop) })
        .await;
    (child, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_shows_the_certificate_that_was_chosen() {
    let (folder, store) = place().await;
    let config = file(&store, &["use", "curl", "--issuer", "home", "--root", "home"]).await;
    let (_server, port) = serve(folder.path(), &["-CAfile", "home.pem", "-Verify", "2", "-verify_return_error"]).await;
    let url = format!("https://radius.example.org:{port}/");
    let resolve = format!("radius.example.org:{port}:127.0.0.1");
    let mut curl = Command::new(program("curl", "curl"));
    curl.args(["--silent", "--show-error", "--fail", "--resolve", &resolve, "--config"]).arg(&config).arg(&url);
    let page = run(&mut curl).await.good();
    assert!(page.contains("CN = network") || page.contains("CN=network"), "{page}");
    let mut without = Command::new(program("curl", "curl"));
    without.args(["--silent", "--fail", "--resolve", &resolve, "--cacert", &at(folder.path(), "home.pem"), &url]);
    assert!(!run(&mut without).await.success);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_signed_with_the_certificate_for_mail() {
    let (folder, store) = place().await;
    let config = std::fs::read_to_string(file(&store, &["use", "mail", "--root", "home"]).await).unwrap();
    let value = |name: &str| config.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let (signer, key, roots) = (value("SIGNER="), value("KEY="), value("ROOTS="));
    std::fs::write(folder.path().join("letter"), "Dear user2\n").unwrap();
    let sign = ["smime", "-sign", "-in", "letter", "-signer", &signer, "-inkey", &key, "-out", "signed"];
    openssl(&sign, folder.path()).await.good();
    let verify = ["smime", "-verify", "-in", "signed", "-CAfile", &roots, "-signer", "who.pem"];
    assert!(openssl(&verify, folder.path()).await.good().contains("Dear user2"));
    assert!(std::fs::read_to_string(folder.path().join("who.pem")).unwrap().contains("BEGIN CERTIFICATE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_the_right_identity_into_their_database_and_out_again() {
    let (folder, store) = place().await;
    let database = folder.path().join("nssdb");
    let arguments = ["use", "browser", "--database", &database.display().to_string(), "--issuer", "home", "--root", "home"];
    device(&store, &arguments).await.good();
    let listed = |kind: &'static str| {
        let mut command = Command::new(program("certutil", "libnss3-tools"));
        command.arg(kind).arg("-d").arg(&database);
        async move { run(&mut command).await.output }
    };
    assert!(listed("-K").await.contains("lanyard browser"), "{}", listed("-K").await);
    let certificates = listed("-L").await;
    let root =
        certificates.lines().find(|line| line.starts_with("lanyard browser root")).unwrap_or_else(|| panic!("{certificates}"));
    assert!(root.trim_end().ends_with("CT,C,"), "{certificates}");
    // Valid for a TLS client, as NSS sees it.
    let mut verify = Command::new(program("certutil", "libnss3-tools"));
    verify.args(["-V", "-u", "C", "-n", "lanyard browser", "-d"]).arg(&database);
    run(&mut verify).await.good();
    device(&store, &["use", "refresh"]).await.good();
    assert_eq!(listed("-K").await.matches("lanyard browser").count(), 1, "the same again is there once");
    device(&store, &["use", "remove", "browser"]).await.good();
    assert!(!listed("-L").await.contains("lanyard") && !listed("-K").await.contains("lanyard"));

    let kept = folder.path().join("kept");
    let (file, pass) = (at(folder.path(), "network.pfx"), at(folder.path(), "pass"));
    device(&kept, &["install", &file, "--passphrase-file", &pass, "--yes", "--trust-roots"]).await.good();
    let refused = device(&kept, &arguments).await;
    assert!(!refused.success && refused.output.contains("agent.not-exportable"), "{}", refused.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_shows_the_certificate_that_was_chosen_for_a_site_and_none_after_removal() {
    let (folder, store) = place().await;
    let (home, computer) = (folder.path().join("home-of-user1"), folder.path().join("chromium"));
    let (database, policies) = (home.join(".pki/nssdb").display().to_string(), computer.join("policies/managed"));
    std::fs::create_dir_all(&computer).unwrap();
    std::fs::create_dir(&home).unwrap();
    // Two identities in the browser, and a server that would take either; each site is to see its own.
    let folders = policies.display().to_string();
    let used = |issuer: &'static str, site: &'static str| {
        let (store, database, folders) = (store.clone(), database.clone(), folders.clone());
        async move {
            let wanted = ["use", "browser", "--database", &database, "--policies", &folders, "--site", site];
            device(&store, &[&wanted[..], &["--issuer", issuer, "--root", "home", "--name", issuer]].concat()).await.good()
        }
    };
    used("away", "https://other.example.org").await;
    used("home", "https://radius.example.org").await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    std::fs::write(folder.path().join("both.pem"), read("home.pem") + &read("away.pem")).unwrap();
    let (_server, port) = serve(folder.path(), &["-CAfile", "both.pem", "-verify", "2"]).await;
    let shown = async || {
        let browser = Chromium::start_at(Seat { home: &home, computer: &computer }).await;
        browser.open(&format!("https://radius.example.org:{port}/")).await;
        let page = browser.text("body").await;
        browser.close().await;
        page
    };
    let named = |page: &str, name: &str| page.contains(&format!("CN = {name}")) || page.contains(&format!("CN={name}"));
    let page = shown().await;
    assert!(named(&page, "network") && !named(&page, "elsewhere"), "{page}");
    // The same two, the other way round.
    used("home", "https://other.example.org").await;
    used("away", "https://radius.example.org").await;
    let page = shown().await;
    assert!(named(&page, "elsewhere") && !named(&page, "network"), "{page}");

    device(&store, &["use", "remove", "away"]).await.good();
    assert!(policies.join("lanyard-certificates.json").exists(), "the other one still wants it");
    let mut roots = Command::new(program("certutil", "libnss3-tools"));
    let roots = run(roots.args(["-L", "-d", &format!("sql:{database}")])).await.good();
    assert!(roots.contains("CT,C,"), "the root is that of the other one, too: {roots}");
    device(&store, &["use", "remove", "home"]).await.good();
    assert_eq!(std::fs::read_dir(&policies).unwrap().count(), 0, "nothing is left");
    // Without its root the server would not be believed, so it is put back for this look.
    let mut trust = Command::new(program("certutil", "libnss3-tools"));
    trust.args(["-A", "-n", "home", "-t", "CT,,", "-i", "home.pem", "-d", &format!("sql:{database}")]);
    run(trust.current_dir(folder.path())).await.good();
    let page = shown().await;
    assert!(page.contains("no client certificate available"), "{page}");

    for bad in ["https://a\"b", "", "https://a b"] {
        let wanted = ["use", "browser", "--database", &database, "--site", bad, "--issuer", "home", "--root", "home"];
        let refused = device(&store, &wanted).await;
        assert!(!refused.success && refused.output.contains("agent.usage"), "{}", refused.output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_opens_a_tunnel_with_the_certificate_that_was_chosen_and_only_to_the_right_gateway() {
    let (folder, store) = place().await;
    let path = |name: &str| folder.path().join(name);
    let vpn = ["use", "vpn", "--gateway", GATEWAY, "--gateway-name", "radius.example.org", "--root", "home"];
    let config = file(&store, &[&vpn[..], &["--issuer", "home"]].concat()).await;
    let (chosen, child) = (config.parent().unwrap(), "lanyard-radius-example-org");
    assert!(std::fs::symlink_metadata(chosen.join("private/key.pem")).unwrap().is_symlink(), "the key is not copied");
    let gateway = Gateway::new("radius.example.org", &path("server.pem"), &path("server.key"), &path("home.pem"));
    let inside = gateway.try_with(chosen, child).await;
    let told = || gateway.told("client") + &gateway.told("gateway");
    assert!(inside.success && inside.output.contains("hello from behind the gateway"), "{}{}", inside.output, told());
    assert!(inside.output.contains("local  'user1@example.org'"), "{}", inside.output);
    // The certificate of another authority.
    let other = file(&store, &[&vpn[..], &["--issuer", "away", "--name", "other"]].concat()).await;
    let outside = gateway.try_with(other.parent().unwrap(), child).await;
    assert!(!outside.success && outside.output.contains("AUTHENTICATION_FAILED"), "{}", outside.output);
    // A gateway of another authority, which calls itself the same.
    let impostor = Gateway::new("radius.example.org", &path("impostor.pem"), &path("impostor.key"), &path("home.pem"));
    let outside = impostor.try_with(chosen, child).await;
    assert!(
        !outside.success && !outside.output.contains("CHILD_SA lanyard-radius-example-org{1} established"),
        "{}",
        outside.output
    );
    device(&store, &["use", "remove", "other"]).await.good();
    assert!(!other.exists() && store.join("my").read_dir().unwrap().count() == 3, "the link went, not the key");
}
