//! What keeps a server from starting: readable secrets, wrong keys, unknown settings.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use lanyard_model::time::Span;
use lanyard_server::{
    clock::{Clock, ShiftedClock, SystemClock},
    serve::{Unseal, open},
};
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::{Site, TestServer},
};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Code of the error that keeps the server from starting.
async fn refused(site: &Site, unseal: Unseal) -> &'static str {
    match open(&site.dir, unseal, Arc::new(SystemClock)).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.code(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_can_reach_stop_the_start() {
    let (site, _) = TestServer::builder().create().await;
    let unseal = || Unseal::File(site.unseal.clone());
    let paths = [
        (site.dir.clone(), 0o700),
        (site.dir.join("lanyard.db"), 0o600),
        (site.dir.join("lanyard.toml"), 0o600),
        (site.unseal.clone(), 0o600),
    ];
    for (path, good) in &paths {
        for bad in [0o040, 0o004, 0o020, 0o002] {
            chmod(path, good | bad);
            assert_eq!(refused(&site, unseal()).await, "server.mode", "{} with {:o}", path.display(), good | bad);
        }
        chmod(path, *good);
    }
    let server = open(&site.dir, unseal(), Arc::new(SystemClock)).await.unwrap();
    server.store.close().await;
    // And everything that init and a running server make is as strict.
    let server = TestServer::on(site, Arc::default()).await;
    let site = &server.site;
    let mut folders = vec![site.dir.clone()];
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_unseal_key_stops_the_start() {
    let (site, _) = TestServer::builder().create().await;
    let (other, _) = TestServer::builder().create().await;
    assert_eq!(refused(&site, Unseal::File(other.unseal.clone())).await, "ca.wrong-unseal-key");
    let garbage = site.temp.path().join("garbage.key");
    fs::write(&garbage, "garbage\n").unwrap();
    chmod(&garbage, 0o600);
    assert_eq!(refused(&site, Unseal::File(garbage)).await, "ca.unseal-file");
    assert_eq!(refused(&site, Unseal::File(site.temp.path().join("absent.key"))).await, "server.file");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_configuration_templates_and_profiles_stop_the_start() {
    let (site, _) = TestServer::builder().create().await;
    for (file, from, to) in [
        ("lanyard.toml", "[limits]", "[limits]\nconections = 9"),
        ("templates/wifi.toml", "format = 1", "format = 2"),
        ("templates/wifi.toml", "clientAuth", "anyExtendedKeyUsage"),
        ("templates/vpn.toml", "name = \"vpn\"", "name = \"wifi\""),
        ("profiles/default.toml", "include-root = true", "include-rot = true"),
        ("profiles/default.toml", "templates = []", "templates = [\"nowhere\"]"),
    ] {
        let path = site.dir.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let code = refused(&site, Unseal::File(site.unseal.clone())).await;
        assert!(code.starts_with("server.config") || code.starts_with("ra."), "{file}: {code}");
        fs::write(&path, text).unwrap();
    }
    let server = open(&site.dir, Unseal::File(site.unseal.clone()), Arc::new(SystemClock)).await.unwrap();
    server.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_init_is_not_served() {
    let (site, _) = TestServer::builder().create().await;
    fs::remove_file(site.dir.join("lanyard.db")).unwrap();
    assert_eq!(refused(&site, Unseal::File(site.unseal.clone())).await, "server.conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_issued_while_the_clock_is_behind_what_was_signed() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    endpoint.enrol(&device).await.assert_issued();
    // Four minutes back are forgiven; half an hour more is not.
    server.advance(Span::from_secs(-240));
    let challenge = server.challenge("laptop-2").await;
    endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await.assert_issued();
    server.advance(Span::from_secs(-1800));
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-3").await);
    let answer = endpoint.post(&device.message(&endpoint)).await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert_eq!(server.admin.certificates().await.len(), 2);
    let clock: &ShiftedClock = &server.clock;
    clock.advance(Span::from_secs(2040));
    assert!(clock.now() > server.server.started_at);
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn validity_is_exact_to_the_second() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let before = server.now();
    let reply = endpoint.enrol(&Device::with_challenge(rsa(0), &server.challenge("laptop-1").await)).await;
    let (first, last) = reply.certificate().validity().unwrap();
    assert_eq!(last.secs() - first.secs() + 1, 365 * 86_400);
    let begun = first + Span::from_secs(3600);
    assert!(begun >= before.truncated() - Span::from_secs(3600) && begun <= server.now());
    assert_eq!(reply.certificate().serial().unwrap().magnitude().len(), 16);
}
