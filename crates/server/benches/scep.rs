//! What an enrolment costs beside the cryptography it cannot do without.
//!
//! Prepares distinct requests, measures the cryptographic floor (unwrap, three verifications, CA signature, envelope, reply signature; no I/O),
//! then answers the requests with durable commits on SQLite, and prints the ratio of the two from the same run.

// A benchmark prints and may give up.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lanyard_enroll::scep::{
    attributes::MessageType,
    client::{
        message::{Identity, request, self_signed, transaction_id},
        trust::CaCertificates,
    },
    reply::{CertRep, Replier, encode},
    request::{RegistrationKey, decode},
};
use lanyard_model::{
    key::KeyKind,
    secret::{SecretBytes, SecretText},
    time::Span,
};
use lanyard_pki::{
    cms::sign::certificates_only,
    crypto::software::{SoftwareSigner, generate},
    csr::encode::{CertificationRequestInfo, encode as encode_csr},
    key::Signer,
    name,
    signature::SignatureAlgorithm,
};
use lanyard_ra::challenge::ChallengeOrder;
use lanyard_server::{
    clock::{Clock, SystemClock},
    flow::{challenge, scep::pki_operation},
    init::{Plan, UnsealSource, init},
    serve::{Unseal, open},
    state::Server,
};

const KEYS: usize = 16;
const REQUESTS: usize = 1500;
const FLOOR_ROUNDS: usize = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let dir = std::env::temp_dir().join(format!("lanyard-bench-{}", std::process::id()));
    let server = server(&dir).await;
    let keys: Vec<SecretBytes> = (0..KEYS).map(|_| generate(KeyKind::Rsa(2048)).expect("a key")).collect();
    let messages = messages(&server, &keys, REQUESTS).await;

    let floor = floor(&server, &messages[0], &keys[0]);
    println!("crypto floor            {:>8.0} us CPU per enrolment", floor.as_secs_f64() * 1e6);
    let (third, rest) = messages.split_at(REQUESTS / 3);
    measure(&server, third, 1, floor).await;
    measure(&server, rest, 16, floor).await;
    server.store.close().await;
    let _ = fs::remove_dir_all(&dir);
}

async fn server(dir: &Path) -> Arc<Server> {
    fs::create_dir(dir).expect("a directory");
    let (ca, unseal) = (dir.join("ca"), dir.join("unseal"));
    let plan = Plan {
        dir: ca.clone(),
        organization: "Example".into(),
        ca_key: KeyKind::EcP256,
        unseal: UnsealSource::File(unseal.clone()),
        url: None,
        http: "127.0.0.1:8080".parse().expect("an address"),
        https: "127.0.0.1:8443".parse().expect("an address"),
        tls_names: Vec::new(),
    };
    init(plan, SystemClock.now()).await.expect("an installation");
    open(&ca, Unseal::File(unseal), Arc::new(SystemClock)).await.expect("a server")
}

fn trusted(server: &Server) -> CaCertificates {
    let ring = server.keyring.get();
    let issuing = "issuing".parse().expect("a name");
    let mut bag = vec![ring.registrations(&issuing)[0].certificate.der()];
    bag.extend(ring.chain(&issuing).iter().map(|c| c.der()));
    CaCertificates::decode(&certificates_only(&bag), &ring.roots()[0].fingerprint(), server.now()).expect("CA certificates")
}

async fn messages(server: &Server, keys: &[SecretBytes], count: usize) -> Vec<Vec<u8>> {
    let ca = trusted(server);
    let mut messages = Vec::with_capacity(count);
    for number in 0..count {
        let subject = name::parse(&format!("CN=device-{number},O=Example")).expect("a name");
        let order = ChallengeOrder {
            template: "device-client".parse().expect("a name"),
            profile: "default".parse().expect("a name"),
            subject: Some(subject.clone()),
            san: Some(Vec::new()),
            key: Some(KeyKind::Rsa(2048)),
            ttl: Some(Span::from_secs(3600)),
            user: None,
            device: None,
        };
        let made = challenge::create(server, order, None, None, "bench").await.expect("a challenge");
        let key = SoftwareSigner::from_pkcs8(&keys[number % keys.len()]).expect("a key");
        let info = CertificationRequestInfo {
            subject: subject.clone(),
            challenge: Some(SecretText::new(made.text.expose().to_owned())),
            ..CertificationRequestInfo::default()
        };
        let csr = encode_csr(&info, &key).expect("a CSR");
        let signer = self_signed(&name::encode(&subject), &key, server.now()).expect("a certificate");
        let transaction = format!("{}-{number}", transaction_id(&key));
        let identity = Identity { certificate: &signer, signer: &key };
        messages.push(request(MessageType::PkcsReq, &csr, &transaction, &identity, &ca).expect("a message").message);
    }
    messages
}

/// The cryptography of one enrolment, again and again on one thread.
fn floor(server: &Server, message: &[u8], key: &SecretBytes) -> Duration {
    let ring = server.keyring.get();
    let issuing = "issuing".parse().expect("a name");
    let registration = &ring.registrations(&issuing)[0];
    let ca_key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).expect("a key")).expect("a key");
    let device = SoftwareSigner::from_pkcs8(key).expect("a key");
    let keys = [RegistrationKey { certificate: &registration.certificate, decrypter: registration.decrypter.as_ref() }];
    let began = cpu();
    for _ in 0..FLOOR_ROUNDS {
        let received = decode(message, false).message.expect("a message");
        let envelope = received.envelope(false).expect("an envelope");
        let (plain, mirror) = received.open(&envelope, &keys, &server.rejection_secret).expect("a CSR");
        received.certification_request(&plain, false, false).expect("a CSR");
        let signature = ca_key.sign(SignatureAlgorithm::natural(KeyKind::EcP256), &[7; 700]).expect("a signature");
        let certificates: [&[u8]; 1] = [&[signature, vec![0; 700]].concat()];
        let reply = CertRep::Success {
            certificates: &certificates,
            recipient: &received.signer,
            recipient_key: device.public_key(),
            mirror,
        };
        let by = Replier { certificate: &registration.certificate, signer: registration.signer.as_ref() };
        encode(reply, &received.reply_to, by).expect("a reply");
    }
    (cpu() - began) / u32::try_from(FLOOR_ROUNDS).expect("a small number")
}

async fn measure(server: &Arc<Server>, messages: &[Vec<u8>], at_a_time: usize, floor: Duration) {
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut tasks = Vec::new();
    for share in messages.chunks(messages.len().div_ceil(at_a_time)) {
        let (server, share) = (Arc::clone(server), share.to_vec());
        tasks.push(tokio::spawn(async move {
            let policy = server.policy();
            let profile = policy.profiles.find(&"default".parse().expect("a name")).expect("a profile").clone();
            let mut times = Vec::with_capacity(share.len());
            for message in &share {
                let began = Instant::now();
                let answer = pki_operation(&server, &profile, message, Default::default()).await.expect("an answer");
                assert_eq!(answer.outcome, "issued");
                times.push(began.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a task"));
    }
    let (wall, cpu) = (began.elapsed(), cpu() - cpu_before);
    times.sort();
    let each = cpu.as_secs_f64() / times.len() as f64;
    println!(
        "{at_a_time:>2} at a time            {:>8.0} us CPU per enrolment, {:>6.0}/s, p50 {:.2} ms, p99 {:.2} ms, floor/CPU {:.2}",
        each * 1e6,
        times.len() as f64 / wall.as_secs_f64(),
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() * 99 / 100].as_secs_f64() * 1e3,
        floor.as_secs_f64() / each,
    );
}

/// CPU time of this process so far, in clock ticks of 10 ms.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("procfs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    Duration::from_millis(ticks * 10)
}
