//! Several `lanyard serve` on one PostgreSQL database.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::bars::{size, tell};
use lanyard_server::api::types::Node;
use lanyard_testkit::{
    http,
    keys::rsa,
    process::Process,
    programs::postgres::Postgres,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::{Site, TestServer, order},
    wait::until,
};

use tokio::{
    sync::{RwLock, Semaphore},
    task::JoinSet,
};

/// Submitters of each challenge.
const SUBMITTERS: usize = 16;

/// Challenges in the middle of it at a time.
const AT_A_TIME: usize = 12;

async fn site() -> Site {
    TestServer::builder().database(Postgres::shared().database()).create().await.0
}

/// A further node on the same directory.
async fn node(site: &Site) -> Process {
    Process::serve_with(site, &["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mtls", "127.0.0.1:0"]).await
}

/// Sends a message until a node decides: whoever got no answer, or PENDING because a killed node was about to sign, asks again, as
/// devices do.
async fn persistent(
    nodes: &RwLock<Vec<SocketAddr>>,
    which: usize,
    endpoint: &Endpoint,
    device: &Device,
    message: &[u8],
) -> CertRep {
    let target = format!("{}?operation=PKIOperation", endpoint.path);
    for attempt in 0.. {
        let address = {
            let nodes = nodes.read().await;
            nodes[(which + attempt) % nodes.len()]
        };
        let answer = http::request(address, "POST", &target, "", message).await;
        let whole =
            answer.ok().filter(|r| r.status == 200 && r.field("content-length") == Some(r.body.len().to_string().as_str()));
        if let Some(reply) = whole.map(|answer| CertRep::read(&answer, &endpoint.ra, device))
            && reply.status != "3"
        {
            return reply;
        }
        assert!(attempt < 600, "no node answers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_three_nodes_with_kills_every_challenge_is_one_certificate() {
    let site = Arc::new(site().await);
    let first = node(&site).await;
    let endpoint = Endpoint::at(first.http, "default").await;
    let mut made = Vec::new();
    for n in 0..size(60, 2000) {
        made.push(first.admin.challenge(&order("wifi", &format!("node-{n}"))).await);
    }
    let (second, third) = (node(&site).await, node(&site).await);
    let nodes = Arc::new(RwLock::new(vec![first.http, second.http, third.http]));
    let finished = Arc::new(AtomicBool::new(false));
    let killer = {
        let (site, nodes, finished) = (Arc::clone(&site), Arc::clone(&nodes), Arc::clone(&finished));
        tokio::spawn(async move {
            // Never the first: it has the administrator's socket that the end of the test asks.
            let mut running = vec![second, third];
            let mut kills = 0_usize;
            while !finished.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(400)).await;
                let victim = running.remove(0);
                let address = victim.http;
                victim.kill().await;
                kills += 1;
                let again = node(&site).await;
                let mut nodes = nodes.write().await;
                nodes.retain(|a| *a != address);
                nodes.push(again.http);
                running.push(again);
            }
            (kills, running)
        })
    };
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for (n, challenge) in made.into_iter().enumerate() {
        let (nodes, endpoint, turns) = (Arc::clone(&nodes), endpoint.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let mut submitters = JoinSet::new();
            for submitter in 0..SUBMITTERS {
                let device = Device::with_challenge(rsa(submitter), &challenge);
                let message = device.message(&endpoint);
                let (nodes, endpoint) = (Arc::clone(&nodes), endpoint.clone());
                submitters.spawn(async move { persistent(&nodes, n + submitter, &endpoint, &device, &message).await });
            }
            let replies = submitters.join_all().await;
            (challenge.subject, replies.iter().filter(|r| r.status == "0").map(CertRep::serial).collect())
        });
    }
    let told: BTreeMap<String, BTreeSet<String>> = tasks.join_all().await.into_iter().collect();
    finished.store(true, Ordering::SeqCst);
    let (kills, _running) = killer.await.unwrap();
    let certificates = first.admin.certificates().await;
    for (subject, serials) in &told {
        let valid: BTreeSet<String> =
            certificates.iter().filter(|c| c.subject == *subject && c.status == "valid").map(|c| c.serial.clone()).collect();
        assert_eq!(valid.len(), 1, "{subject}: {valid:?}");
        assert_eq!(*serials, valid, "{subject}: what was told is what is stored");
    }
    let verdict = first.admin.verify_audit().await;
    assert!(verdict.intact, "{:?}", verdict.problem);
    let valid = certificates.iter().filter(|c| c.status == "valid").count();
    let interrupted = certificates.len() - valid;
    tell(
        3,
        &format!(
            "{} challenges × {SUBMITTERS} submitters on 3 nodes, {kills} kills: {valid} certificates, one each, none that was told is lost; \
            {interrupted} interrupted signatures revoked",
            told.len()
        ),
    );
    assert!(kills > 0);
    first.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_node_leads_and_another_takes_over_when_it_is_killed() {
    let site = site().await;
    let leader = node(&site).await;
    let endpoint = Endpoint::at(leader.http, "default").await;
    let follower = node(&site).await;
    assert!(leader.logged().contains("this node does the periodic work now"), "{}", leader.logged());
    assert!(!follower.logged().contains("this node does the periodic work now"));

    // A revocation at the leader's is listed, and the follower serves the same list.
    let enrol = async |name: &str, address: SocketAddr| {
        let challenge = leader.admin.challenge(&order("wifi", name)).await;
        let device = Device::with_challenge(rsa(0), &challenge);
        Endpoint { address, ..endpoint.clone() }.enrol(&device).await.serial()
    };
    let serial = enrol("follower-issues", follower.http).await;
    let before = http::get(follower.http, "/crl/issuing.crl").await.body;
    assert_eq!(http::get(leader.http, "/crl/issuing.crl").await.body, before);
    let revoked = leader.admin.call("POST", &format!("/certificates/{serial}/revoke"), br#"{"reason":"key-compromise"}"#).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let after = http::get(follower.http, "/crl/issuing.crl").await.body;
    assert_ne!(before, after, "listed before the answer, on every node");
    assert_eq!(http::get(leader.http, "/crl/issuing.crl").await.body, after);

    leader.kill().await;
    until("the other node to take over", || async {
        follower.logged().contains("this node does the periodic work now").then_some(())
    })
    .await;
    follower.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_with_an_installation_is_not_taken_for_another() {
    let url = Postgres::shared().database();
    let _site = TestServer::builder().database(url.clone()).create().await;
    let temp = lanyard_testkit::temporary::folder("scratch");
    let file = temp.path().join("url");
    std::fs::write(&file, url).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
    command.args(["init", "--org", "Example", "--dir"]).arg(temp.path().join("data"));
    command.arg("--unseal-file").arg(temp.path().join("unseal.key")).arg("--database-file").arg(&file);
    let done = lanyard_testkit::programs::run(&mut command).await;
    assert!(!done.success && done.output.contains("holds an installation already"), "{}", done.output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_with_other_templates_or_profiles_are_told_of() {
    let site = site().await;
    let first = node(&site).await;
    let listed = async || -> Vec<Node> {
        let answer = first.admin.call("GET", "/nodes", b"null").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    };
    let alone = listed().await;
    assert!(alone.len() == 1 && alone[0].answers && alone[0].leads && alone[0].differs.is_empty(), "{alone:?}");
    assert!(alone[0].files >= 9, "{alone:?}");
    let template = site.dir.join("templates/wifi.toml");
    let text = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, format!("{text}\n# changed\n")).unwrap();
    std::fs::write(site.dir.join("templates/more.toml"), text.replace("name = \"wifi\"", "name = \"more\"")).unwrap();
    let second = node(&site).await;
    assert!(second.logged().contains("has other files: templates/more.toml, templates/wifi.toml"), "{}", second.logged());
    assert!(!first.logged().contains("has other files"));
    let nodes = listed().await;
    assert_eq!(nodes.iter().filter(|n| n.leads).count(), 1);
    assert_eq!(nodes[1].differs, ["templates/more.toml", "templates/wifi.toml"]);
    let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
    command.args(["node", "list", "--dir"]).arg(&site.dir);
    let told = lanyard_testkit::programs::run(&mut command).await.good();
    assert!(told.contains("templates/wifi.toml") && told.contains("answers, leads"), "{told}");

    // The first reads the files that the second has, and then others again.
    let reload = async || first.admin.call("POST", "/policy/reload", b"null").await.text();
    assert!(!reload().await.contains("has other files"));
    assert!(listed().await.iter().all(|node| node.differs.is_empty()));
    std::fs::write(&template, text).unwrap();
    assert!(reload().await.contains("has other files: templates/wifi.toml"));
    assert!(first.logged().contains("has other files: templates/wifi.toml"));

    // Who stops signs off.
    let mut second = second;
    second.terminate().await;
    second.ended().await;
    assert_eq!(listed().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_a_text_says_where_to_go_on() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for n in 0..3 {
        let device = Device::with_challenge(rsa(n), &server.challenge(&format!("laptop-{n}")).await);
        endpoint.enrol(&device).await.assert_issued();
    }
    let search = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
        command.args(["cert", "list", "--dir"]).arg(server.dir()).args(arguments);
        lanyard_testkit::programs::run(&mut command).await
    };
    let all = search(&["--text", "LAPTOP"]).await;
    assert!(all.success && all.stdout.matches("CN=laptop-").count() == 3 && !all.output.contains("--before"), "{}", all.output);
    let page = search(&["--text", "laptop", "--limit", "2"]).await;
    assert!(page.stdout.contains("CN=laptop-2") && page.stdout.contains("CN=laptop-1"), "{}", page.output);
    let (_, before) = page.output.split_once("go on with --before ").expect("where to go on");
    let rest = search(&["--text", "laptop", "--limit", "2", "--before", before.trim()]).await;
    assert!(rest.stdout.contains("CN=laptop-0") && !rest.stdout.contains("CN=laptop-1"), "{}", rest.output);
    assert!(!search(&["--text", "x", "--status", "good"]).await.success);
}
