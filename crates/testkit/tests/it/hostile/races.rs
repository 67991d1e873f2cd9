//! One challenge is good for one certificate, however many ask at once.

use std::{collections::BTreeSet, sync::Arc};

use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::TestServer,
};
use tokio::{sync::Barrier, task::JoinSet};

const SUBMITTERS: usize = 16;
const ROUNDS: usize = 4;

/// Sends all messages at the same moment, each over a connection of its own.
async fn at_once(endpoint: &Endpoint, messages: Vec<(Device, Vec<u8>)>) -> Vec<CertRep> {
    let start = Arc::new(Barrier::new(messages.len()));
    let mut tasks = JoinSet::new();
    for (device, message) in messages {
        let (endpoint, start) = (endpoint.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            endpoint.send(&message, &device).await
        });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_keys_with_one_challenge_one_gets_a_certificate() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for round in 0..ROUNDS {
        let challenge = server.challenge(&format!("laptop-{round}")).await;
        let devices: Vec<Device> = (0..SUBMITTERS).map(|n| Device::with_challenge(rsa(n), &challenge)).collect();
        let messages = devices.into_iter().map(|d| (d.clone(), d.message(&endpoint))).collect();
        let replies = at_once(&endpoint, messages).await;
        let (issued, refused): (Vec<CertRep>, Vec<CertRep>) = replies.into_iter().partition(|r| r.status == "0");
        assert_eq!((issued.len(), refused.len()), (1, SUBMITTERS - 1));
        refused.iter().for_each(|r| r.assert_refused("2"));
        assert_eq!(server.admin.certificates().await.len(), round + 1);
    }
    let incidents = server.admin.audit().await.into_iter().filter(|e| e.kind == "incident").count();
    assert_eq!(incidents, ROUNDS * (SUBMITTERS - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_times_the_same_message_is_one_certificate_for_all() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for round in 0..ROUNDS {
        let device = Device::with_challenge(rsa(round), &server.challenge(&format!("laptop-{round}")).await);
        let message = device.message(&endpoint);
        let replies = at_once(&endpoint, vec![(device, message); SUBMITTERS]).await;
        let serials: BTreeSet<String> = replies.iter().map(CertRep::serial).collect();
        assert_eq!(serials.len(), 1);
        assert_eq!(server.admin.certificates().await.len(), round + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_messages_around_one_csr_are_one_certificate_for_all() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for round in 0..ROUNDS {
        let device = Device::with_challenge(rsa(round), &server.challenge(&format!("laptop-{round}")).await);
        let messages = (0..SUBMITTERS).map(|_| (device.clone(), device.message(&endpoint))).collect();
        let serials: BTreeSet<String> = at_once(&endpoint, messages).await.iter().map(CertRep::serial).collect();
        assert_eq!(serials.len(), 1);
        assert_eq!(server.admin.certificates().await.len(), round + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_challenges_at_once_are_sixteen_certificates_with_serials_of_their_own() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let mut messages = Vec::new();
    for n in 0..SUBMITTERS {
        let device = Device::with_challenge(rsa(n), &server.challenge(&format!("laptop-{n}")).await);
        messages.push((device.clone(), device.message(&endpoint)));
    }
    let serials: BTreeSet<String> = at_once(&endpoint, messages).await.iter().map(CertRep::serial).collect();
    assert_eq!(serials.len(), SUBMITTERS);
    assert!(server.admin.verify_audit().await.intact);
}
