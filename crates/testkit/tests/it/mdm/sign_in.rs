//! The sign-in page and its token.

use lanyard_mdm::{
    discovery::sign_in::decode_final_page,
    soap::{BinarySecurityToken, Security, ValueType},
};
use lanyard_model::{secret::SecretBytes, time::Span};
use lanyard_testkit::{
    http::{Response, encode},
    keys::rsa,
    mdm::{Door, issue},
    server::TestServer,
};

use super::support::{PASSWORD, assert_refused, server};

const PAGE: &str = "/EnrollmentServer/Authentication";
const APPRU: &str = "ms-app://windows.immersivecontrolpanel";

async fn opened(server: &TestServer, appru: &str) -> Response {
    let target = format!("{PAGE}?appru={}&login_hint=user1", appru.replace(':', "%3A"));
    Door::first(server).exchange(&encode("GET", &target, "", b"")).await.unwrap()
}

fn stamp(page: &Response) -> String {
    let text = page.text();
    text.split_once("name=\"stamp\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

async fn submitted(server: &TestServer, stamp: &str, password: &str, fields: &str) -> Response {
    let form = format!("appru={}&stamp={stamp}&user=user1&password={}", APPRU.replace(':', "%3A"), password.replace(' ', "+"));
    let fields = format!("Content-Type: application/x-www-form-urlencoded\r\n{fields}");
    Door::first(server).exchange(&encode("POST", PAGE, &fields, form.as_bytes())).await.unwrap()
}

fn with(token: &str) -> Security {
    let octets = SecretBytes::new(token.as_bytes().to_vec());
    let token = BinarySecurityToken { id: None, value_type: ValueType::DeviceEnrollmentUserToken, octets };
    Security { token: Some(token), ..Security::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn enrollment_4_2_the_page_gives_a_token_that_enrols_once() {
    let server = server().await;
    let page = opened(&server, APPRU).await;
    assert_eq!(page.status, 200);
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    let last =
        submitted(&server, &stamp(&page), PASSWORD, &format!("Origin: https://localhost:{}\r\n", server.https.port())).await;
    let token = decode_final_page(&last.body, APPRU).expect("the last page");
    let door = Door::first(&server);
    let document = door.token(with(token.expose()), &issue(0, rsa(0))).await.unwrap();
    assert!(document.certificate_store.renew.unwrap().robo_support);
    assert_refused(&server, door.token(with(token.expose()), &issue(1, rsa(1))).await, "mdm.token", 0x8018_0002).await;
    assert_refused(&server, door.token(with("nonsense"), &issue(1, rsa(1))).await, "mdm.token", 0x8018_0002).await;
    // A token does not keep.
    let late = submitted(&server, &stamp(&page), PASSWORD, "").await;
    let late = decode_final_page(&late.body, APPRU).unwrap();
    server.advance(Span::from_secs(601));
    assert_refused(&server, door.token(with(late.expose()), &issue(1, rsa(1))).await, "mdm.token", 0x8018_0002).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_or_to_elsewhere_is_refused() {
    let server = server().await;
    for appru in ["https://evil.example", "javascript:alert(1)", ""] {
        assert_eq!(opened(&server, appru).await.status, 400, "{appru}");
    }
    let page = opened(&server, APPRU).await;
    assert_eq!(submitted(&server, &stamp(&page), PASSWORD, "Origin: https://evil.example\r\n").await.status, 403);
    assert_eq!(submitted(&server, "1.ab", PASSWORD, "").await.status, 403);
    let wrong = submitted(&server, &stamp(&page), "wrong", "").await;
    assert!(wrong.text().contains("The user name or password is incorrect."), "{}", wrong.text());
}
