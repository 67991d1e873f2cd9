//! Real programs that use a key in the TPM, by OpenSSL's provider.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::Stdio,
};

use lanyard_testkit::{
    process::lanyard,
    programs::{abrmd::with_tpm, program, run, swtpm::Swtpm, write_certificates},
    wait::until,
};
use tokio::process::Command;

use super::{Device, refused, server};

#[tokio::test(flavor = "multi_thread")]
async fn curl_and_openssl_take_a_key_that_never_leaves_the_tpm() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    device.enroll(&server, "laptop-1", &["--protection", "tpm"]).await.good();
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    let at = |name: &str| device.folder.path().join(name);

    // Servers of the same authority.
    let mut request = Command::new(program("openssl", "openssl"));
    request.args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Example/CN=localhost"]);
    request.args(["-addext", "subjectAltName=DNS:localhost", "-keyout"]).arg(at("server.key")).arg("-out").arg(at("server.csr"));
    run(&mut request).await.good();
    let mut issue = Command::new(lanyard());
    issue.args([
        "cert",
        "issue",
        "--template",
        "tls-server",
        "--subject",
        "CN=localhost,O=Example",
        "--san",
        "dns:localhost",
        "--csr",
    ]);
    fs::write(at("server.pem"), run(issue.arg(at("server.csr")).arg("--dir").arg(server.dir())).await.good()).unwrap();
    write_certificates(&at("roots.pem"), &[&server.site.root, &server.site.issuing]);

    let config = device.json(&["use", "curl"]).await;
    let (file, openssl) =
        (PathBuf::from(config["file"].as_str().unwrap()), PathBuf::from(config["openssl_conf"].as_str().unwrap()));
    assert!(fs::read_to_string(&file).unwrap().contains(&format!("{id}/key.tpm")), "the key is where it was");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut tls = Command::new(program("openssl", "openssl"));
    tls.args(["s_server", "-www", "-Verify", "2", "-verify_return_error", "-accept", &format!("127.0.0.1:{port}"), "-CAfile"]);
    tls.arg(at("roots.pem"))
        .arg("-cert")
        .arg(at("server.pem"))
        .arg("-cert_chain")
        .arg(at("roots.pem"))
        .arg("-key")
        .arg(at("server.key"));
    let _tls = tls.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("the server to listen", || async move { std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop) })
        .await;
    for version in ["1.2", "1.3"] {
        let mut curl = Command::new(program("curl", "curl"));
        curl.args(["--silent", "--show-error", "--fail", "--tls-max", version, "--config"]).arg(&file);
        curl.arg(format!("https://localhost:{port}/"));
        let page = run(&mut with_tpm(&tpm, &openssl, &curl)).await.good();
        assert!(page.contains("CN = laptop-1") || page.contains("CN=laptop-1"), "{page}");
    }

    // Signed mail, by the same key and the certificate beside the configuration.
    fs::write(at("letter"), "Dear user2\n").unwrap();
    let mut sign = Command::new(program("openssl", "openssl"));
    sign.args(["cms", "-sign", "-md", "sha256", "-text", "-in"]).arg(at("letter")).arg("-out").arg(at("signed"));
    sign.arg("-signer")
        .arg(file.with_file_name("client.pem"))
        .arg("-inkey")
        .arg(device.store().join("my").join(&id).join("key.tpm"));
    run(&mut with_tpm(&tpm, &openssl, &sign)).await.good();
    let mut verify = Command::new(program("openssl", "openssl"));
    verify.args(["cms", "-verify", "-text", "-purpose", "any", "-in"]).arg(at("signed")).arg("-CAfile").arg(at("roots.pem"));
    assert!(run(&mut verify).await.good().contains("Dear user2"));

    // Programs that could not use it are told so, instead of a configuration that does not work.
    refused(&device.run(&["use", "wifi", "--ssid", "Office", "--server-name", "localhost"]).await, "agent.needs-pkcs11");
    refused(&device.run(&["use", "vpn", "--gateway", "vpn.example.org"]).await, "agent.needs-pkcs11");
    let database = at("nssdb").display().to_string();
    refused(&device.run(&["use", "browser", "--database", &database]).await, "agent.needs-pkcs11");
}
