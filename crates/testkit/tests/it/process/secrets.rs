//! Secrets stay out of everything that is written or can be listed.

use std::fs;

use base64::Engine;
use lanyard_pki::pem;
use lanyard_testkit::{
    keys::rsa,
    process::Process,
    scep::{device::Device, endpoint::Endpoint, envelope::Envelope},
    server::{TestServer, order},
};

use crate::support::csr_with_attributes;

/// Places where a text occurs, among all files of the installation and what the process shows of itself.
fn places(site: &lanyard_testkit::server::Site, process: &Process, secret: &[u8]) -> Vec<String> {
    let mut files = vec![format!("/proc/{}/cmdline", process.pid()), format!("/proc/{}/environ", process.pid())];
    let mut folders = vec![site.temp.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.path() != site.unseal {
                files.push(entry.path().to_str().unwrap().to_owned());
            }
        }
    }
    let holds = |path: &String| fs::read(path).unwrap().windows(secret.len()).any(|w| w == secret);
    files.into_iter().filter(holds).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_and_keys_are_in_no_log_database_or_process_listing() {
    let (site, _) =
        TestServer::builder().template("wifi", "held", &[("approval = \"automatic\"", "approval = \"person\"")]).create().await;
    let process = Process::serve_with(&site, &["--log", "trace"]).await;
    let endpoint = Endpoint::at(process.http, "default").await;
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    let mut expose = |what: &str, text: &str| {
        secrets.push((what.to_owned(), text.as_bytes().to_vec()));
        // What proves the challenge genuine, without its public beginning.
        secrets.push((format!("{what}, its end"), text.as_bytes()[text.len() - 40..].to_vec()));
    };

    let issued = process.admin.challenge(&order("wifi", "issued")).await;
    expose("a used challenge", &issued.challenge);
    let device = Device::with_challenge(rsa(0), &issued);
    let message = device.message(&endpoint);
    endpoint.send(&message, &device).await.assert_issued();
    endpoint.send(&message, &device).await.assert_issued();
    let unused = process.admin.challenge(&order("wifi", "unused")).await;
    expose("an unused challenge", &unused.challenge);

    let burnt = process.admin.challenge(&order("wifi", "burnt")).await;
    expose("a challenge of a refused request", &burnt.challenge);
    let mut wrong = Device::with_challenge(rsa(0), &burnt);
    wrong.info.san = vec!["dns:dc.example.org".parse().unwrap()];
    endpoint.enrol(&wrong).await.assert_refused("2");

    let held = process.admin.challenge(&order("held", "held")).await;
    expose("a challenge of a held request", &held.challenge);
    let waiting = endpoint.enrol(&Device::with_challenge(rsa(0), &held)).await;
    assert_eq!(waiting.status, "3");

    // By GET, where the message stands in the address; and one that cannot be read after it was decrypted.
    let by_get = process.admin.challenge(&order("wifi", "by-get")).await;
    expose("a challenge sent by GET", &by_get.challenge);
    let device = Device::with_challenge(rsa(0), &by_get);
    let broken = csr_with_attributes(&device, &[lanyard_pki::write::printable_string(&by_get.challenge)]);
    endpoint
        .send(&device.draft_of(Some(Envelope::seal(&broken, &endpoint.ra).encode())).sign(), &device)
        .await
        .assert_refused("1");
    endpoint.get(&device.message(&endpoint), &device).await.assert_issued();
    let typed = "correct horse battery staple, which is nobody's challenge";
    expose("what somebody typed for a challenge", typed);
    endpoint.enrol(&Device::new(rsa(0), "CN=x,O=Example").challenge(typed)).await.assert_refused("2");
    process.admin.approve(&waiting.request_id).await;

    let unseal = fs::read_to_string(&site.unseal).unwrap();
    let key_text = unseal.lines().max_by_key(|line| line.len()).unwrap().trim().to_owned();
    secrets.push(("the unseal key".into(), key_text.into_bytes()));
    for (what, secret) in &secrets {
        assert_eq!(places(&site, &process, secret), Vec::<String>::new(), "{what}");
    }
    for text in ["PRIVATE KEY", "-----BEGIN RSA"] {
        assert_eq!(places(&site, &process, text.as_bytes()), Vec::<String>::new());
    }
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authoritys_keys_are_sealed_in_the_database() {
    let server = TestServer::start().await;
    let tls = server.server.keyring.get().tls().unwrap().key.expose().to_vec();
    let (site, _) = server.stop().await;
    let database = fs::read(site.dir.join("lanyard.db")).unwrap();
    // The end of the key alone, in case its frame differs; in octets, hexadecimal and base64.
    for part in [&tls[..], &tls[36..68]] {
        let forms = [
            part.to_vec(),
            lanyard_model::text::hex(part).into_bytes(),
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(&part[..30]).into_bytes(),
        ];
        for form in forms {
            assert!(!database.windows(form.len()).any(|w| w == form), "the key of the TLS certificate lies open");
        }
    }
    // An EC key in PKCS#8 begins so, whatever key it is.
    let beginning = &tls[..26];
    assert!(!database.windows(beginning.len()).any(|w| w == beginning), "{}", pem::PRIVATE_KEY);
}
