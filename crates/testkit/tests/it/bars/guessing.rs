//! Bar 4: whoever guesses challenges is slowed down within a minute, and nobody else is.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lanyard_testkit::{
    http::{self, Response},
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::TestServer,
};
use tokio::{net::TcpSocket, task::JoinSet};

use super::{percentile, size, tell};

/// Posts a message from an address of this machine.
async fn post_from(source: &str, endpoint: &Endpoint, message: &[u8]) -> std::io::Result<Response> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{source}:0").parse::<SocketAddr>().unwrap())?;
    let stream = socket.connect(endpoint.address).await?;
    let target = format!("{}?operation=PKIOperation", endpoint.path);
    Ok(Response::parse(&http::exchange(stream, &http::encode("POST", &target, "", message)).await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bar_4_wrong_challenges_are_slowed_down_and_nobody_is_locked_out() {
    const ATTACKERS: usize = 16;
    let guesses = size(800, 10_000);
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let honest_of = async |name: &str| Device::with_challenge(rsa(0), &server.challenge(name).await);
    let mut neighbours = Vec::new();
    let mut others = Vec::new();
    for n in 0..size(20, 200) {
        neighbours.push(honest_of(&format!("neighbour-{n}")).await);
        others.push(honest_of(&format!("other-{n}")).await);
    }
    // A few messages are signed beforehand; each guess has its own text in a real attack, but the server does the same work for these.
    let messages: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..64)
            .map(|n| Device::new(rsa(1), &format!("CN=guess-{n},O=Example")).challenge(&format!("guess-{n}")).message(&endpoint))
            .collect(),
    );
    let began = Instant::now();
    let (sent, slowed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    let first = Arc::new(std::sync::Mutex::new(None));
    let mut attack = JoinSet::new();
    for attacker in 0..ATTACKERS {
        let (endpoint, messages) = (endpoint.clone(), Arc::clone(&messages));
        let (sent, slowed, first) = (Arc::clone(&sent), Arc::clone(&slowed), Arc::clone(&first));
        attack.spawn(async move {
            loop {
                let n = sent.fetch_add(1, Ordering::SeqCst);
                if n >= guesses {
                    return;
                }
                let answer = post_from("127.0.0.2", &endpoint, &messages[(n + attacker) % messages.len()]).await.unwrap();
                if answer.status == 429 {
                    assert!(answer.field("retry-after").is_some_and(|after| after.parse::<u64>().is_ok_and(|s| s <= 300)));
                    slowed.fetch_add(1, Ordering::SeqCst);
                    first.lock().unwrap().get_or_insert_with(|| began.elapsed());
                } else {
                    assert_eq!(answer.status, 200);
                }
            }
        });
    }
    // Honest devices meanwhile, from elsewhere and from the attacker's own address.
    let honest = async |source: &str, devices: Vec<Device>| {
        let mut took = Vec::new();
        for device in devices {
            let message = device.message(&endpoint);
            let asked = Instant::now();
            let answer = post_from(source, &endpoint, &message).await.unwrap();
            took.push(asked.elapsed());
            CertRep::read(&answer, &endpoint.ra, &device).assert_issued();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        took
    };
    let (mut elsewhere, mut beside) = tokio::join!(honest("127.0.0.1", others), honest("127.0.0.2", neighbours));
    while attack.join_next().await.transpose().unwrap().is_some() {}
    over.store(true, Ordering::SeqCst);
    let lasted = began.elapsed();

    let slowed = slowed.load(Ordering::SeqCst);
    let first = first.lock().unwrap().expect("nobody was slowed down");
    let budget = 200 + ATTACKERS;
    assert!(first < Duration::from_secs(60), "{first:?}");
    // The budget, and what sank meanwhile.
    let sank = usize::try_from(lasted.as_secs()).unwrap() * 2;
    assert!(guesses - slowed <= budget + sank, "{slowed} of {guesses} were slowed down");
    let (p99, beside_p99) = (percentile(&mut elsewhere, 0.99), percentile(&mut beside, 0.99));
    assert!(p99 < Duration::from_secs(2), "other devices: {p99:?}");
    assert!(beside_p99 < Duration::from_secs(2), "devices behind the attacker's address: {beside_p99:?}");
    let denied = server.admin.audit().await.iter().filter(|e| e.reason.as_deref() == Some("ra.challenge-malformed")).count();
    assert!(denied >= guesses * 9 / 10, "{denied} of {guesses} guesses are audited");
    // Afterwards a right challenge is good at once, at the very address of the attack.
    let device = honest_of("after").await;
    let answer = post_from("127.0.0.2", &endpoint, &device.message(&endpoint)).await.unwrap();
    CertRep::read(&answer, &endpoint.ra, &device).assert_issued();
    tell(
        4,
        &format!(
            "{guesses} wrong challenges in {:.1} s: first slowed down after {:.2} s, {slowed} in all; p99 of others {} ms, of devices at the \
             same address {} ms; none locked out",
            lasted.as_secs_f64(),
            first.as_secs_f64(),
            p99.as_millis(),
            beside_p99.as_millis(),
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_come_from_the_socket_or_from_a_configured_proxy_alone() {
    let few = ("wrong-challenges = 200", "wrong-challenges = 5");
    let guess = async |server: &TestServer, endpoint: &Endpoint, forwarded: &str| {
        let message = Device::new(rsa(0), "CN=x,O=Example").challenge("guess").message(endpoint);
        let target = format!("{}?operation=PKIOperation", endpoint.path);
        let fields = format!("X-Forwarded-For: {forwarded}\r\n");
        http::request(server.http, "POST", &target, &fields, &message).await.unwrap().status
    };
    // Without a configured proxy the field counts for nothing: one source, however it calls itself.
    let server = TestServer::builder().config(few.0, few.1).start().await;
    let endpoint = Endpoint::of(&server).await;
    let mut last = 0;
    for n in 0..6 {
        last = guess(&server, &endpoint, &format!("198.51.100.{n}")).await;
    }
    assert_eq!(last, 429);
    // Behind one, each client has a budget of its own, and its address stands in the record.
    let server = TestServer::builder().config(few.0, few.1).config("trusted = []", "trusted = [\"127.0.0.0/8\"]").start().await;
    let endpoint = Endpoint::of(&server).await;
    for n in 0..6 {
        assert_eq!(guess(&server, &endpoint, &format!("198.51.100.{n}")).await, 200);
    }
    let peer = server.admin.requests("denied").await[0].peer.clone().unwrap();
    assert!(peer.starts_with("198.51.100.5 (by proxy 127.0.0.1:"), "{peer}");
    for _ in 0..4 {
        last = guess(&server, &endpoint, "198.51.100.5").await;
    }
    assert_eq!(last, 429);
    let metrics = http::get(server.http, "/metrics").await.text();
    assert!(metrics.contains("lanyard_http_refused_total{cause=\"throttled\"}"), "{metrics}");
}
