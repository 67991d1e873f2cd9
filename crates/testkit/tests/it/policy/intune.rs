//! The Intune validation protocol against a double (ndes-policy, section 3.2, and the vendor's test matrix).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_pki::crypto::digest::sha1;
use lanyard_testkit::{
    intune::{CLIENT_SECRET, Deviations, Intune},
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
    service::Says,
};
use serde_json::json;

use super::with_profile;

/// As long and as odd as Intune's own.
fn challenge(n: usize) -> String {
    format!("MIIH{}+/={n}", "QkM2N0FERg".repeat(80))
}

async fn start() -> (Intune, TestServer, Endpoint) {
    let double = Intune::start().await;
    let builder = with_profile(TestServer::builder(), "intune", &double.module("wifi"));
    let server = builder.file("intune.secret", format!("{CLIENT_SECRET}\n")).start().await;
    let endpoint = Endpoint::at(server.http, "intune").await;
    (double, server, endpoint)
}

fn device(n: usize) -> Device {
    Device::new(rsa(n), &format!("CN=phone-{n},O=Example")).challenge(&challenge(n))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_request_gets_its_certificate_and_intune_knows_first() {
    let (double, server, endpoint) = start().await;
    let device = device(0);
    let message = device.message(&endpoint);
    let reply = endpoint.send(&message, &device).await;
    let certificate = reply.certificate();
    // Known before the answer left, not afterwards.
    let (validated, told) = (double.calls("/validateRequest"), double.calls("/successNotification"));
    assert_eq!((validated.len(), told.len()), (1, 1));
    let csr = STANDARD.encode(device.csr());
    let caller = concat!("Lanyard/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        validated[0].json(),
        json!({ "request": { "transactionId": device.transaction, "certificateRequest": csr, "callerInfo": caller } })
    );
    let thumbprint: String = sha1(certificate.der()).iter().map(|o| format!("{o:02X}")).collect();
    assert_eq!(
        told[0].json(),
        json!({ "notification": {
            "transactionId": device.transaction,
            "certificateRequest": csr,
            "certificateThumbprint": thumbprint,
            "certificateSerialNumber": reply.serial(),
            "certificateExpirationDateUtc": server.admin.certificate(&reply.serial()).await.not_after,
            "issuingCertificateAuthority": certificate.issuer().unwrap().to_string(),
            "callerInfo": caller,
            "caConfiguration": "issuing",
            "certificateAuthority": "issuing",
        } })
    );
    assert_eq!(double.calls("/token").len(), 2, "one token for the directory, one for the service");
    assert_eq!(double.calls("/endpoints").len(), 1);

    // The same message, and the same CSR in a new message, are answered without asking again.
    assert_eq!(endpoint.send(&message, &device).await.serial(), reply.serial());
    assert_eq!(endpoint.enrol(&device).await.serial(), reply.serial());
    assert_eq!(double.calls("/validateRequest").len(), 1);
    // Tokens and the directory are remembered.
    let second = self::device(1);
    endpoint.enrol(&second).await.assert_issued();
    assert_eq!((double.calls("/token").len(), double.calls("/endpoints").len()), (2, 1));
    assert_eq!(double.calls("/failureNotification").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_code_is_a_refusal() {
    let (double, server, endpoint) = start().await;
    let device = device(0);
    for code in [
        "ChallengePasswordMissing",
        "DeserializationError",
        "DecryptionError",
        "DecodingError",
        "SignatureValidationFailed",
        "ChallengeInvalidTimestamp",
        "ChallengeExpired",
        "SubjectNameMissing",
        "SubjectNameMismatch",
        "SubjectAltNameMissing",
        "SubjectAltNameMismatch",
        "KeyUsageMismatch",
        "KeyLengthMismatch",
        "EnhancedKeyUsageMissing",
        "EnhancedKeyUsageMismatch",
        "AadKeyIdentifierListMissing",
        "RegisteredKeyMismatch",
        "SigningCertThumbprintMismatch",
        "ScepProfileNoLongerTargetedToTheClient",
        "BadCertificateRequestId",
        "BadDeviceId",
        "BadUserIdInChallenge",
        "CertificateRequestDecodingFailed",
        "SomethingNobodyHasHeardOf",
        "success",
        "Success ",
        "",
    ] {
        double.answers_code("validateRequest", code);
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        let told = server.admin.request(&reply.request_id).await;
        assert_eq!(told.reason.as_deref(), Some("ra.module-denied"), "{code}");
        assert!(told.detail.unwrap().contains(&format!("Intune answered {code}: as the test wants it")), "{code}");
    }
    assert!(server.admin.certificates().await.is_empty());
    let failure = double.service.was_asked("the failure to be told", |a| a.path.ends_with("/failureNotification")).await.json();
    let failure = &failure["notification"];
    assert_eq!(failure["hResult"], json!(-2_147_024_891));
    assert_eq!(
        (&failure["transactionId"], &failure["errorDescription"]),
        (&json!(device.transaction), &json!("ra.module-denied"))
    );
    assert_eq!(failure["certificateRequest"], json!(STANDARD.encode(device.csr())));
    // The refusals spent nothing: once Intune says yes, the device gets its certificate.
    double.deviates(Deviations::new());
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_while_validating_is_a_refusal() {
    let (double, server, endpoint) = start().await;
    let device = device(0);
    let slow = Says { after: Duration::from_secs(4), ..Says::json(&json!({ "code": "Success" })) };
    let elsewhere = format!("Location: http://{}/elsewhere\r\n", double.service.address);
    let cases: [(&'static str, Says, &str); 13] = [
        ("validateRequest", Says::status(500), "ra.module-answer"),
        ("validateRequest", Says::status(503), "ra.module-answer"),
        ("validateRequest", Says::status(401), "ra.module-answer"),
        ("validateRequest", slow, "ra.module-timeout"),
        ("validateRequest", Says { fields: elsewhere, ..Says::status(302) }, "ra.module-answer"),
        ("validateRequest", Says::text("<html>Success</html>"), "ra.module-answer"),
        ("validateRequest", Says::json(&json!({ "Code": "Success" })), "ra.module-answer"),
        ("validateRequest", Says::json(&json!({ "code": ["Success"] })), "ra.module-answer"),
        (
            "validateRequest",
            Says::text(&format!("{{\"code\":\"Success\",\"x\":\"{}\"}}", "y".repeat(70_000))),
            "ra.module-answer",
        ),
        ("token", Says::status(401), "ra.module-answer"),
        ("token", Says::json(&json!({ "token_type": "Bearer", "access_token": "" })), "ra.module-answer"),
        ("endpoints", Says::status(403), "ra.module-answer"),
        ("endpoints", Says::json(&json!({ "value": [] })), "ra.module-answer"),
    ];
    for (call, says, reason) in cases {
        double.answers(call, says.clone());
        // What was remembered from better times must not help.
        server.admin.call("POST", "/policy/reload", b"null").await;
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        let told = server.admin.request(&reply.request_id).await;
        assert_eq!(told.reason.as_deref(), Some(reason), "{call} {says:?}");
    }
    assert!(double.service.asked().iter().all(|a| a.path != "/elsewhere"));
    assert!(server.admin.certificates().await.is_empty());
    double.deviates(Deviations::new());
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_which_intune_cannot_be_told_is_revoked_and_kept_back() {
    let (double, server, endpoint) = start().await;
    for (n, says) in [Says::status(500), Says::json(&json!({ "code": "ServerError" })), Says::text("?")].into_iter().enumerate() {
        double.answers("successNotification", says);
        let device = device(n);
        let message = device.message(&endpoint);
        let reply = endpoint.send(&message, &device).await;
        reply.assert_refused("2");
        let told = server.admin.request(&reply.request_id).await;
        assert_eq!((told.state.as_str(), told.reason.as_deref()), ("denied", Some("ra.module-notify")));
        let issued = server.admin.certificates().await;
        assert_eq!(issued.len(), n + 1);
        assert!(issued.iter().all(|c| c.status == "revoked"), "{issued:?}");
        // Neither a repetition nor a poll gets it, even when Intune is well again.
        double.deviates(Deviations::new());
        endpoint.send(&message, &device).await.assert_refused("2");
        endpoint.send(&device.poll(&endpoint), &device).await.assert_refused("2");
    }
    let issued = server.admin.certificates().await;
    assert_eq!(issued.len(), 3);
    double.service.was_asked("the failure to be told", |a| a.path.ends_with("/failureNotification")).await;
    let crl = server.server.store.begin_crl(&"issuing".parse().unwrap(), server.now()).await.unwrap();
    assert_eq!(crl.entries.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_moved_is_looked_up_again() {
    let (double, _server, endpoint) = start().await;
    endpoint.enrol(&device(0)).await.assert_issued();
    let other = Intune::start().await;
    let base = format!("http://{}/StatelessScep", other.service.address);
    double.deviates(Deviations::from([
        ("validateRequest", Says::status(404)),
        ("endpoints", Says::json(&json!({ "value": [{ "providerName": "ScepRequestValidationFEService", "uri": base }] }))),
    ]));
    endpoint.enrol(&device(1)).await.assert_issued();
    assert_eq!((other.calls("/validateRequest").len(), other.calls("/successNotification").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_no_longer_accepted_is_replaced() {
    let (double, _server, endpoint) = start().await;
    endpoint.enrol(&device(0)).await.assert_issued();
    let before = double.calls("/token").len();
    let base = format!("http://{}/StatelessScep", double.service.address);
    let mut refused = false;
    double.service.now_says(move |asked| {
        let first = !std::mem::replace(&mut refused, true);
        match asked.path.rsplit('/').next() {
            Some("validateRequest") if first => Says::status(401),
            Some("token") => Says::json(&json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "another" })),
            Some("endpoints") => {
                Says::json(&json!({ "value": [{ "providerName": "ScepRequestValidationFEService", "uri": base }] }))
            }
            _ => Says::json(&json!({ "code": "Success" })),
        }
    });
    endpoint.enrol(&device(1)).await.assert_issued();
    assert_eq!(double.calls("/token").len(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_limits_what_a_validated_request_may_have() {
    let (double, server, endpoint) = start().await;
    let base = |n: usize| device(n);
    let san = |text: &str| {
        let mut device = base(0);
        device.info.san = vec![text.parse().unwrap()];
        device
    };
    let mut elsewhere = base(0);
    elsewhere.info.subject = lanyard_pki::name::parse("CN=phone-0,O=Somebody Else").unwrap();
    let cases = [
        (elsewhere, "ra.subject-mismatch"),
        (san("ip:10.0.0.1"), "ra.san-mismatch"),
        // T11: a security identifier comes from a directory look-up or not at all.
        (san("uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"), "ra.san-mismatch"),
    ];
    for (device, reason) in cases {
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
    }
    assert!(double.calls("/validateRequest").is_empty(), "what our own rules refuse is not asked about");
    endpoint.enrol(&san("dns:phone-0.example.org")).await.assert_issued();
    // Without a challenge nobody is asked, and our own challenges are nothing here.
    let reply = endpoint.enrol(&Device::new(rsa(1), "CN=phone-1,O=Example")).await;
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.challenge-missing"));
    let order = json!({ "template": "wifi", "profile": "intune", "subject": "CN=x,O=Example" }).to_string();
    let refused = server.admin.call("POST", "/challenges", order.as_bytes()).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("modules.denied"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_challenge_is_one_certificate_however_many_ask_at_once() {
    let (_double, server, endpoint) = start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let endpoint = endpoint.clone();
        tasks.spawn(async move {
            let device = Device::new(rsa(n), "CN=phone,O=Example").challenge(&challenge(0));
            endpoint.enrol(&device).await.status
        });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|s| *s == "0").count(), 1, "{statuses:?}");
    assert_eq!(server.admin.certificates().await.len(), 1);
    assert!(crate::support::audited(&server).await.keys().any(|(kind, _)| kind == "incident"));
}
