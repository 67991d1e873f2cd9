//! kill -9 under load: nothing that was acknowledged is ever lost, and nothing is issued twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lanyard_testkit::{
    http,
    keys::rsa,
    process::Process,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::{TestServer, order},
    wait::until,
};
use tokio::task::JoinSet;

use crate::bars::{size, soaking, tell};

const SUBMITTERS: usize = 6;
const PER_SUBMITTER: usize = 12;

/// Submits one message after the other until the server is gone; what was acknowledged, by subject, and the messages.
async fn submit(
    endpoint: Endpoint,
    messages: Vec<(Device, Vec<u8>)>,
    acknowledged: Arc<AtomicUsize>,
) -> Vec<(Device, Vec<u8>, Option<String>)> {
    let target = format!("{}?operation=PKIOperation", endpoint.path);
    let mut told = Vec::new();
    for (device, message) in messages {
        let answer = http::request(endpoint.address, "POST", &target, "", &message).await;
        // An answer cut off in the middle is none.
        let whole = answer.ok().filter(|r| r.field("content-length") == Some(r.body.len().to_string().as_str()));
        let serial = whole.map(|r| CertRep::read(&r, &endpoint.ra, &device).serial());
        if serial.is_some() {
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        told.push((device, message, serial));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_under_load_nothing_acknowledged_is_lost_and_every_device_gets_its_certificate() {
    let rounds = size(6, 500);
    let (site, _) = TestServer::builder().create().await;
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let (mut cut_off, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let process = Process::serve(&site).await;
        let endpoint = Endpoint::at(process.http, "default").await;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for submitter in 0..SUBMITTERS {
            let mut messages = Vec::new();
            for n in 0..PER_SUBMITTER {
                let challenge = process.admin.challenge(&order("wifi", &format!("d-{round}-{submitter}-{n}"))).await;
                let device = Device::with_challenge(rsa(submitter), &challenge);
                messages.push((device.clone(), device.message(&endpoint)));
            }
            tasks.spawn(submit(endpoint.clone(), messages, Arc::clone(&acknowledged)));
        }
        // Each round ends at another moment of the work.
        let enough = 3 + (round * 9) % (SUBMITTERS * PER_SUBMITTER - 20);
        until("acknowledgements", || async { (acknowledged.load(Ordering::SeqCst) >= enough).then_some(()) }).await;
        process.kill().await;
        let told: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        cut_off += told.iter().filter(|(_, _, serial)| serial.is_none()).count();

        let began = Instant::now();
        let process = Process::serve(&site).await;
        slowest = slowest.max(began.elapsed());
        // The bar is 3 s; with unoptimised code, while other tests run, a restart gets longer.
        let bar = Duration::from_secs(if soaking() { 3 } else { 30 });
        assert!(began.elapsed() < bar, "the restart took {:?}", began.elapsed());
        let endpoint = Endpoint { address: process.http, ..endpoint };
        for (device, message, serial) in told {
            // Whoever has no answer asks again with the same message, and everybody gets what was or would have been acknowledged.
            let reply = endpoint.send(&message, &device).await;
            if let Some(serial) = serial {
                assert_eq!(reply.serial(), serial);
            }
            all.insert(device.info.subject.to_string(), reply.serial());
        }
        process.kill().await;
    }
    assert!(cut_off > 0, "every kill came too late to cut anything off");
    let process = Process::serve(&site).await;
    let certificates = process.admin.certificates().await;
    assert_eq!(all.len(), rounds * SUBMITTERS * PER_SUBMITTER);
    for (subject, serial) in &all {
        let valid: Vec<&str> =
            certificates.iter().filter(|c| c.subject == *subject && c.status == "valid").map(|c| c.serial.as_str()).collect();
        assert_eq!(valid, [serial.as_str()], "{subject}");
    }
    let verdict = process.admin.verify_audit().await;
    assert!(verdict.intact, "{:?}", verdict.problem);
    assert!(process.admin.requests("granted").await.is_empty(), "a request was left in the middle");
    process.kill().await;
    tell(
        13,
        &format!(
            "{rounds} kills under load: {} certificates, {cut_off} answers cut off, nothing acknowledged lost; slowest restart {:.2} s",
            all.len(),
            slowest.as_secs_f64()
        ),
    );
}
