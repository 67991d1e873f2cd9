//! The program itself: the example file, what it explains, how it is reloaded and stopped.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use lanyard_testkit::{
    gateway::{
        client::{Client, encode},
        pki::{self, Authority, server},
        site::Builder,
    },
    process::{Process, lanyard},
    programs::run,
    server::TestServer,
    temporary,
    wait::until,
};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{
    back_end::BackEnd,
    support::{BY_HEADER, application, echo},
};

const HOST: &str = "certificate.example.org";

fn write(path: &Path, contents: impl AsRef<[u8]>) {
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(lanyard());
    command.arg("gateway").args(arguments);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_file_is_sound_and_a_slip_in_it_is_named() {
    let folder = temporary::folder("example");
    let file = |name: &str| folder.path().join(name);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gateway.toml");
    let text = fs::read_to_string(example).unwrap();
    let root = Authority::root("CN=Root,O=Example");
    let identity = root.issue(&server(&["basic.localhost", "mail.localhost", "both.localhost", "else.localhost"]));
    write(&file("gateway.toml"), &text);
    write(&file("server.pem"), identity.pem());
    write(&file("server.key"), identity.key.pem());
    write(&file("lanyard-root.pem"), root.pem());
    write(&file("gateway.token"), "a token");
    let path = file("gateway.toml").display().to_string();
    let check = || async { run(&mut gateway(&["--config", &path, "--check-config"])).await };
    let good = check().await;
    assert!(good.success && good.stdout.contains("4 applications"), "{}", good.output);
    for (from, to, problem) in [
        ("mode = \"both\"", "mode = \"most\"", "most"),
        ("grace =", "grays =", "grays"),
        ("trust = [\"devices\"]", "trust = [\"device\"]", "no [[trust]]"),
        ("hosts = [\"both.localhost\"]", "hosts = [\"mail.localhost\"]", "published twice"),
        ("hosts = [\"both.localhost\"]", "hosts = [\"other.localhost\"]", "no [[certificate]] is for the host"),
        ("url = \"https://localhost:8443\"", "url = \"http://localhost:8443\"", "https"),
        ("server.key", "server.pem", "private key"),
        ("mode = \"both\"", "mode = \"both\"\nanswer-timeout = \"60s\"", "60m"),
    ] {
        assert!(text.contains(from), "{from}");
        write(&file("gateway.toml"), text.replacen(from, to, 1));
        let bad = check().await;
        assert!(!bad.success && bad.output.contains(problem) && bad.output.contains("[gateway."), "{to}: {}", bad.output);
    }
    write(&file("gateway.toml"), &text);
    fs::set_permissions(file("gateway.token"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(check().await.output.contains("chmod 600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_what_would_become_of_a_request_and_sends_nothing() {
    let back_end = echo().await;
    let builder = Builder::new();
    let rules =
        format!("{BY_HEADER}\nkind = \"activesync\"\n[[application.device]]\naction = \"block\"\ndevice-type = \"Old\"\n");
    let builder = builder.sections(&application("mail", HOST, "certificate", &back_end.address.to_string(), &rules));
    let builder = builder.sections(&application("both", "both.example.org", "both", &back_end.address.to_string(), BY_HEADER));
    let alice = builder.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let rogue = Authority::root("CN=Rogue").issue(&pki::client("alice", &["upn:alice@corp.test"]));
    builder.file("alice.pem", alice.pem());
    builder.file("rogue.pem", rogue.pem());
    builder.file("gateway.toml", builder.text());
    let folder = builder.folder.path();
    let config = folder.join("gateway.toml").display().to_string();
    let explain = |url: String, cert: Option<&'static str>, user: Option<&'static str>| {
        let mut command = gateway(&["explain", "--config", &config, "--json", "--url", &url]);
        if let Some(name) = cert {
            command.arg("--cert").arg(folder.join(name));
        }
        if let Some(user) = user {
            command.args(["--user", user]);
        }
        async move {
            let done = run(&mut command).await;
            let told: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", done.output));
            (done.success, told)
        }
    };
    let device = |kind: &str| format!("https://{HOST}/x?Cmd=Sync&DeviceId=d&DeviceType={kind}");
    let (good, told) = explain(device("New"), Some("alice.pem"), None).await;
    assert!(good && told["outcome"].as_str().unwrap().contains("would go on to /x?Cmd=Sync"), "{told}");
    let steps = told["steps"].to_string();
    for expected in ["alice (by upn)", "x-webobjects-remote-user: alice", "good: CN=alice", "a certificate is asked for"] {
        assert!(steps.contains(expected), "{expected}: {steps}");
    }
    for (url, cert, user, code) in [
        (device("New"), None, Some("alice"), "gateway.certificate-required"),
        (device("New"), Some("rogue.pem"), None, "gateway.certificate-untrusted"),
        (device("Old"), Some("alice.pem"), None, "gateway.device-refused"),
        ("https://both.example.org/".to_owned(), Some("alice.pem"), None, "gateway.password-required"),
        ("https://both.example.org/".to_owned(), Some("alice.pem"), Some("bob"), "gateway.accounts-differ"),
        ("https://nowhere.example.org/".to_owned(), None, None, "gateway.not-published"),
    ] {
        let (good, told) = explain(url, cert, user).await;
        assert_eq!((good, told["code"].as_str()), (false, Some(code)), "{told}");
    }
    assert!(explain("https://both.example.org/".to_owned(), Some("alice.pem"), Some("CORP\\alice")).await.0);
    assert!(back_end.asked().is_empty());
}

async fn start(config: &Path, log: &Path) -> (Child, SocketAddr) {
    let mut command = gateway(&["--config", &config.display().to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(log).unwrap()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let address = until("the gateway to listen", || {
        let text = fs::read_to_string(log).unwrap_or_default();
        assert!(child.try_wait().unwrap().is_none(), "the gateway ended: {text}");
        let address =
            text.split_once("publishing at https://").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        async move { address }
    })
    .await;
    (child, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_file_again_and_a_broken_one_changes_nothing() {
    let back_end = echo().await;
    let builder = Builder::new().sections(&application("app", HOST, "certificate", &back_end.address.to_string(), BY_HEADER));
    let alice = builder.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    builder.file("gateway.toml", builder.text());
    let (config, log) = (builder.folder.path().join("gateway.toml"), builder.folder.path().join("log"));
    let (mut child, address) = start(&config, &log).await;
    let signal = |name: &'static str| {
        let id = child.id().unwrap();
        async move { run(Command::new("sh").args(["-c", &format!("kill -{name} {id}")])).await.good() }
    };
    let logged = |what: &'static str| {
        let log = log.clone();
        async move { until(what, || async { fs::read_to_string(&log).unwrap().contains(what).then_some(()) }).await }
    };
    let client = Client::new(address, &builder.root, Some(&alice));
    let mut open = client.connect(HOST).await.unwrap();
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    let text = fs::read_to_string(&config).unwrap();
    write(&config, text.replace("mode = \"certificate\"", "mode = \"certificat\""));
    signal("HUP").await;
    logged("the configuration stays as it was").await;
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    write(&config, text.replace("mode = \"certificate\"", "mode = \"both\""));
    signal("HUP").await;
    logged("the configuration was read again").await;
    // The connection is the same, the rule is the new one.
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 401);
    let access = fs::read_to_string(&log).unwrap();
    assert!(access.contains("user=\"alice\"") || access.contains("user=alice"), "{access}");
    signal("TERM").await;
    assert!(child.wait().await.unwrap().success());
    open.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_slow_with_handshake_or_head_are_cut_off_and_others_are_served() {
    let back_end = echo().await;
    let text = application("app", "none.example.org", "none", &back_end.address.to_string(), "");
    let gateway =
        Builder::new().head("[limits]\nhandshake-timeout = \"1s\"\nhead-timeout = \"1s\"").sections(&text).start().await;
    let client = gateway.client(None);
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(tokio::net::TcpStream::connect(gateway.address).await.unwrap());
    }
    let mut half = Vec::new();
    for _ in 0..20 {
        let mut connection = client.connect("none.example.org").await.unwrap();
        connection.send(b"GET / HTTP/1.1\r\nHost: none.example.org\r\nX: ").await.unwrap();
        half.push(connection);
    }
    assert_eq!(client.get("none.example.org", "/", "").await.status, 200);
    for mut connection in half {
        // 408, or nothing at all, and then the end.
        let answer = connection.answer().await;
        assert!(answer.is_err() || answer.unwrap().status == 408);
    }
    for mut stream in silent {
        use tokio::io::AsyncReadExt;
        let mut chunk = [0; 64];
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read(&mut chunk)).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    }
    assert!(
        gateway.running.gateway.render().contains("lanyard_gateway_handshakes_failed_total 50"),
        "{}",
        gateway.running.gateway.render()
    );
}

/// Memory of a process in octets.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_costs_little_memory() {
    const HELD: usize = 400;
    let back_end = BackEnd::start(|_| Vec::new()).await;
    let more = format!("kind = \"activesync\"\n{BY_HEADER}");
    let builder = Builder::new().sections(&application("app", HOST, "certificate", &back_end.address.to_string(), &more));
    let alice = builder.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    builder.file("gateway.toml", builder.text());
    let (child, address) = start(&builder.folder.path().join("gateway.toml"), &builder.folder.path().join("log")).await;
    let process = child.id().unwrap();
    let client = Client::new(address, &builder.root, Some(&alice));
    let ping = encode("POST", "/?Cmd=Ping&DeviceId=d&DeviceType=t", &format!("Host: {HOST}\r\nUser-Agent: phone\r\n"), &[]);
    let mut held = Vec::new();
    let mut before = 0;
    for n in 0..HELD + 50 {
        if n == 50 {
            // What is needed once is there by now.
            until("the first ones", || async { (back_end.open() == 50).then_some(()) }).await;
            before = memory(process);
        }
        let mut connection = client.connect(HOST).await.unwrap();
        connection.send(&ping).await.unwrap();
        held.push(connection);
    }
    until("all of them", || async { (back_end.open() == HELD + 50).then_some(()) }).await;
    let each = memory(process).saturating_sub(before) / u64::try_from(HELD).unwrap();
    // The allocator of a debug build touches all that it hands out, so the limit is loose.
    assert!(each <= 128 * 1024, "{each} octets for each held request");
}

#[tokio::test(flavor = "multi_thread")]
async fn lanyard_serve_hosts_a_gateway() {
    let back_end = echo().await;
    let builder = Builder::new().sections(&application("app", "none.example.org", "none", &back_end.address.to_string(), ""));
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    builder.file("gateway.toml", builder.text().replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
    let (site, _) = TestServer::builder().create().await;
    let file = builder.folder.path().join("gateway.toml").display().to_string();
    let mut process = Process::serve_with(&site, &["--gateway", &file]).await;
    let client = Client::new(SocketAddr::from(([127, 0, 0, 1], port)), &builder.root, None);
    assert_eq!(client.get("none.example.org", "/", "").await.status, 200);
    process.terminate().await;
    assert!(process.ended().await.success(), "{}", process.logged());
}
