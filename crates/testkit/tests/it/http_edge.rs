//! HTTP as real clients speak it, and as they read it.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::time::Span;
use lanyard_pki::cms::signed::SignedData;
use lanyard_testkit::{
    http::{self, Response},
    keys::rsa,
    programs::{openssl::openssl, program, run},
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::TestServer,
};
use tokio::process::Command;

const OPERATION: &str = "/scep/default?operation=PKIOperation";

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_1_a_message_may_be_spelt_in_every_way_clients_spell_it() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    // Percent-encoded; `+` and `/` raw as macOS and jscep send them; in lines as Cisco and sscep do; without padding.
    let spellings: [fn(&str) -> String; 5] = [
        |text| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        |text| text.replace('=', "%3D"),
        |text| text.to_owned(),
        |text| text.as_bytes().chunks(64).map(|l| format!("{}%0A", std::str::from_utf8(l).unwrap())).collect(),
        |text| text.trim_end_matches('=').to_owned(),
    ];
    for (n, spelling) in spellings.into_iter().enumerate() {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{n}")).await);
        // One with both odd characters in it.
        let message = loop {
            let message = device.message(&endpoint);
            let text = STANDARD.encode(&message);
            if text.contains('+') && text.contains('/') {
                break message;
            }
        };
        let target = format!("{OPERATION}&message={}", spelling(&STANDARD.encode(message)));
        CertRep::read(&http::get(server.http, &target).await, &endpoint.ra, &device).assert_issued();
    }
    let by_get = server.admin.certificates().await;
    assert_eq!(by_get.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_without_host_and_posts_without_type_or_operation_are_served() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let raw = async |head: &str, body: &[u8]| {
        let octets = [head.as_bytes(), b"\r\n", body].concat();
        Response::parse(&http::raw(server.http, &octets).await.unwrap())
    };
    // Cisco IOS.
    let caps = raw("GET /scep/default/pkiclient.exe?operation=GetCACaps&message=LAB HTTP/1.0\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)\r\n", b"").await;
    assert_eq!(caps.status, 200);
    // strongSwan blanks Host.
    let certificate = raw("GET /scep/default?operation=GetCACert HTTP/1.1\r\nConnection: close\r\n", b"").await;
    assert_eq!(certificate.status, 200);
    let variants = [
        "/scep/default",
        "/scep/default?operation=PKIOperation&message=ignored",
        "/scep/default/pkiclient.exe",
        "/certsrv/mscep/mscep.dll",
        "/certsrv/mscep/mscep.dll/pkiclient.exe?operation=PKIOperation",
    ];
    for (n, target) in variants.into_iter().enumerate() {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{n}")).await);
        let message = device.message(&endpoint);
        let head = format!("POST {target} HTTP/1.0\r\nContent-Length: {}\r\n", message.len());
        CertRep::read(&raw(&head, &message).await, &endpoint.ra, &device).assert_issued();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_answers_have_exact_media_types_and_lengths() {
    let server = TestServer::start().await;
    let plain_fields = |response: &Response, media_type: &str| {
        assert_eq!(response.status, 200);
        assert_eq!(response.field("content-type"), Some(media_type), "without parameters");
        assert_eq!(response.field("content-length"), Some(response.body.len().to_string().as_str()));
        for name in ["transfer-encoding", "content-encoding", "location"] {
            assert_eq!(response.field(name), None);
        }
    };
    let caps = http::get(server.http, "/scep/default?operation=GetCACaps&message=anything").await;
    plain_fields(&caps, "text/plain");
    let text = caps.text();
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(text.len() < 1024 && lines.iter().all(|l| !l.trim().is_empty()), "{text:?}");
    for keyword in ["AES", "POSTPKIOperation", "Renewal", "SCEPStandard", "SHA-256", "SHA-512"] {
        assert!(lines.contains(&keyword), "{keyword}");
    }
    for keyword in ["DES3", "SHA-1", "GetNextCACert"] {
        assert!(!lines.contains(&keyword), "{keyword}");
    }
    for operation in ["GetCACert", "GetCACert&message=SCEP%20Authority", "GetCAChain&message=0"] {
        let answer = http::get(server.http, &format!("/scep/default?operation={operation}")).await;
        plain_fields(&answer, "application/x-x509-ca-ra-cert");
        let certificates = SignedData::decode(&answer.body).unwrap().certificates;
        assert_eq!(certificates.len(), 3);
        // Registration certificate first, issuing CA, root last; and it is issued by the issuing CA itself.
        certificates[0].verify_issued_by(&certificates[1]).unwrap();
        certificates[1].verify_issued_by(&certificates[2]).unwrap();
        assert!(!certificates[0].is_ca() && certificates[2].is_self_issued());
    }
    // Where nothing but RSA is offered and one certificate is left, it comes bare.
    let bare = http::get(server.http, "/scep/legacy?operation=GetCACert").await;
    plain_fields(&bare, "application/x-x509-ca-cert");
    lanyard_pki::certificate::Certificate::decode(&bare.body).unwrap();
    for (path, media_type) in [
        ("/ca/issuing.cer", "application/pkix-cert"),
        ("/ca/root.p7b", "application/x-pkcs7-certificates"),
        ("/crl/issuing.crl", "application/pkix-crl"),
        ("/crl/root.crl", "application/pkix-crl"),
    ] {
        plain_fields(&http::get(server.http, path).await, media_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_has_its_status() {
    let server = TestServer::start().await;
    let get = async |target: &str| http::get(server.http, target).await.status;
    assert_eq!(get("/scep/nowhere?operation=GetCACaps").await, 404);
    assert_eq!(get("/scep/..%2Fdefault?operation=GetCACaps").await, 404);
    assert_eq!(get("/scep/default").await, 400);
    assert_eq!(get("/scep/default?operation=GetEverything").await, 400);
    assert_eq!(get("/scep/default?operation=PKIOperation").await, 400);
    assert_eq!(get("/scep/default?operation=PKIOperation&message=%zz").await, 400);
    assert_eq!(get("/scep/default?operation=GetNextCACert").await, 404);
    for path in ["/", "/ca/nowhere.cer", "/crl/nowhere.crl", "/crl/issuing", "/api/v1/certificates", "/admin.sock"] {
        assert_eq!(get(path).await, 404, "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
        let answer = http::request(server.http, method, "/scep/default", "", &[]).await.unwrap();
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, POST")), "{method}");
    }
    let empty = http::post(server.http, OPERATION, &[]).await;
    assert_eq!(empty.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let server = TestServer::start().await;
    let limit = 64 * 1024;
    assert_eq!(http::post(server.http, OPERATION, &vec![0x30; limit]).await.status, 400);
    assert_eq!(http::post(server.http, OPERATION, &vec![0x30; limit + 1]).await.status, 413);
    let chunked = format!("POST {OPERATION} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = format!("1000\r\n{}\r\n", "0".repeat(4096)).repeat(20);
    let answer = http::raw(server.http, format!("{chunked}{chunks}0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(Response::parse(&answer).status, 413);
    for (octets, expected) in [(60 * 1024, vec![400]), (65 * 1024, vec![413, 414]), (200 * 1024, vec![414, 431])] {
        let target = format!("{OPERATION}&message={}", "A".repeat(octets));
        let status = http::get(server.http, &target).await.status;
        assert!(expected.contains(&status), "{octets}: {status}");
    }
    let fields = "X-Field: a\r\n".repeat(200);
    assert_eq!(http::request(server.http, "GET", "/healthz", &fields, &[]).await.unwrap().status, 431);
    let long = format!("X-Field: {}\r\n", "a".repeat(40_000));
    assert_eq!(http::request(server.http, "GET", "/healthz", &long, &[]).await.unwrap().status, 431);
    assert_eq!(http::get(server.http, "/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_others_are_served_meanwhile() {
    use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
    let server = TestServer::builder()
        .config("head-timeout = \"10s\"", "head-timeout = \"1s\"")
        .config("handshake-timeout = \"10s\"", "handshake-timeout = \"1s\"")
        .config("body-window = \"28s\"", "body-window = \"1s\"")
        .start()
        .await;
    let endpoint = Endpoint::of(&server).await;
    let head = format!("POST {OPERATION} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n0");
    let mut open = Vec::new();
    for begin in ["", "GET /healthz HTTP/1.1\r\nHost:", head.as_str()] {
        for address in [server.http, server.https] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begin.as_bytes()).await.unwrap();
            open.push((format!("{begin:?} to {address}"), stream));
        }
    }
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    endpoint.enrol(&device).await.assert_issued();
    for (what, mut stream) in open {
        let mut answer = Vec::new();
        let cut = tokio::time::timeout(lanyard_testkit::wait::PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(cut.is_ok(), "{what} is still open");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || !answer.contains(" 200 "), "{what}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn https_serves_the_same_with_a_certificate_under_the_root_and_asks_for_none() {
    let server = TestServer::start().await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    lanyard_testkit::programs::write_certificates(&folder.path().join("root.pem"), &[&server.site.root]);
    let mut curl = Command::new(program("curl", "curl"));
    curl.current_dir(folder.path()).args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert", "root.pem"]);
    curl.arg(format!("https://127.0.0.1:{}/scep/default?operation=GetCACaps", server.https.port()));
    assert!(run(&mut curl).await.good().contains("SCEPStandard"));
    for version in ["-tls1_2", "-tls1_3"] {
        let address = server.https.to_string();
        let arguments = ["s_client", "-connect", address.as_str(), version, "-CAfile", "root.pem", "-verify_return_error"];
        let told = openssl(&arguments, folder.path()).await.output;
        assert!(told.contains("Verification: OK") && told.contains("No client certificate CA names sent"), "{version}: {told}");
    }
    let address = server.https.to_string();
    let old = openssl(&["s_client", "-connect", &address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], folder.path()).await;
    assert!(!old.success, "{}", old.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc5280_5_a_list_names_the_revoked_with_a_higher_number_and_is_cached_by_it() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    lanyard_testkit::programs::write_certificates(&folder.path().join("issuing.pem"), &[&server.site.issuing]);
    let parse = async |crl: &[u8]| {
        fs::write(folder.path().join("list.crl"), crl).unwrap();
        let arguments = ["crl", "-inform", "DER", "-in", "list.crl", "-CAfile", "issuing.pem", "-noout", "-text"];
        let text = openssl(&arguments, folder.path()).await;
        assert!(text.success && text.output.contains("verify OK"), "{}", text.output);
        let text = text.output;
        let number =
            text.split_once("X509v3 CRL Number:").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap().to_owned();
        let number =
            u64::from_str_radix(number.trim_start_matches("0x"), if number.starts_with("0x") { 16 } else { 10 }).unwrap();
        (number, text)
    };
    let mut serials = Vec::new();
    for n in 0..3 {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{n}")).await);
        serials.push(endpoint.enrol(&device).await.serial());
    }
    let before = http::get(server.http, "/crl/issuing.crl").await;
    let (first, text) = parse(&before.body).await;
    assert!(text.contains("No Revoked Certificates"), "{text}");

    assert!(server.admin.revoke(&serials[0], "key-compromise").await.changed);
    let told = server.admin.revoke(&serials[1], "cessationOfOperation").await;
    assert!(!server.admin.revoke(&serials[0], "superseded").await.changed, "the first reason stays");
    let after = http::get(server.http, "/crl/issuing.crl").await;
    let (second, text) = parse(&after.body).await;
    assert!(second > first && told.crl_number == Some(second));
    for (serial, listed) in serials.iter().zip([true, true, false]) {
        assert_eq!(text.contains(serial.as_str()), listed, "{serial}: {text}");
    }
    assert!(text.contains("Key Compromise") && text.contains("Cessation Of Operation") && !text.contains("Superseded"));
    let unknown = server.admin.call("POST", "/certificates/00FF/revoke", br#"{"reason":"keyCompromise"}"#).await;
    assert_eq!(unknown.status, 404);
    let nonsense = server.admin.call("POST", &format!("/certificates/{}/revoke", serials[2]), br#"{"reason":"tired"}"#).await;
    assert_eq!(nonsense.status, 400, "{}", nonsense.text());

    let tag = after.field("etag").expect("an ETag").to_owned();
    assert_ne!(before.field("etag"), Some(tag.as_str()));
    let head = http::request(server.http, "HEAD", "/crl/issuing.crl", "", &[]).await.unwrap();
    assert_eq!((head.status, head.body.len(), head.field("etag")), (200, 0, Some(tag.as_str())));
    assert_eq!(head.field("content-length"), Some(after.body.len().to_string().as_str()));
    let same = http::request(server.http, "GET", "/crl/issuing.crl", &format!("If-None-Match: {tag}\r\n"), &[]).await.unwrap();
    assert_eq!((same.status, same.body.len()), (304, 0));
    let other = http::request(server.http, "GET", "/crl/issuing.crl", "If-None-Match: \"old\"\r\n", &[]).await.unwrap();
    assert_eq!(other.status, 200);

    // Numbers rise over a restart too, and a list that has grown old is signed anew.
    let server = server.restart().await;
    server.advance(Span::from_days(2));
    server.server.crl_wanted.notify_one();
    let third = lanyard_testkit::wait::until("a newer CRL", || async {
        let crl = http::get(server.http, "/crl/issuing.crl").await;
        (crl.field("etag") != Some(tag.as_str())).then_some(crl)
    })
    .await;
    let (third, text) = parse(&third.body).await;
    assert!(third > second && text.contains(&serials[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    let serial = {
        let reply = endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await;
        reply.assert_issued();
        reply.serial()
    };
    endpoint.enrol(&Device::with_challenge(rsa(1), &challenge)).await.assert_refused("2");
    server.admin.revoke(&serial, "keyCompromise").await;
    let answer = http::get(server.http, "/metrics").await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    for line in [
        "lanyard_requests_total{protocol=\"scep\",profile=\"default\",outcome=\"issued\"} 1",
        "lanyard_requests_total{protocol=\"scep\",profile=\"default\",outcome=\"refused\"} 1",
        "lanyard_certificates_issued_total{template=\"wifi\"} 1",
        "lanyard_certificates_revoked_total{reason=\"keyCompromise\"} 1",
        "lanyard_challenges_created_total 1",
        "lanyard_request_seconds_count 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}
