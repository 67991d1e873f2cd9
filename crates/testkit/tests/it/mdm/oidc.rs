//! Federated enrolment where people sign in at an OpenID Connect provider: a real one, and a double that lies.

use lanyard_mdm::{
    discovery::sign_in::decode_final_page,
    soap::{BinarySecurityToken, Security, ValueType},
};
use lanyard_model::{secret::SecretBytes, time::Span};
use lanyard_testkit::{
    http::{Response, encode},
    keys::rsa,
    mdm::{Door, issue},
    oidc::{CLIENT_ID, CLIENT_SECRET, KEY, Provider, Sent, Token, write},
    programs::{
        glewlwyd::{self, Glewlwyd},
        postgres::Postgres,
    },
    server::{Builder, TestServer},
    service::Says,
};
use serde_json::json;

use super::support::{assert_refused as assert_refused_by_service, reason, start};

const PAGE: &str = "/EnrollmentServer/Authentication";
const CALLBACK: &str = "/EnrollmentServer/Authentication/callback";
const APPRU: &str = "ms-app://windows.immersivecontrolpanel";

fn builder(issuer: &str, secret: &str, certificate: String, more: &str) -> Builder {
    let section = format!(
        "[oidc]\nissuer = \"{issuer}\"\nclient-id = \"{CLIENT_ID}\"\nclient-secret-file = \"oidc.secret\"\nca-file = \"oidc.pem\"\n\
         allow-addresses = [\"127.0.0.0/8\", \"::1/128\"]\ntimeout = \"5s\"\n{more}\n[listen]"
    );
    TestServer::builder().config("[listen]", &section).file("oidc.secret", secret).file("oidc.pem", certificate)
}

async fn with(provider: &Provider) -> TestServer {
    start(builder(&provider.issuer(), CLIENT_SECRET, provider.certificate.clone(), "")).await
}

/// A web view: what it was sent to, and its cookie.
async fn opened(server: &TestServer) -> (String, String) {
    let target = format!("{PAGE}?appru={}&login_hint=user1", APPRU.replace(':', "%3A"));
    let page = Door::first(server).exchange(&encode("GET", &target, "", b"")).await.unwrap();
    assert_eq!(page.status, 302, "{}", page.text());
    let cookie = page.field("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    (page.field("location").unwrap().to_owned(), cookie.split(';').next().unwrap().to_owned())
}

/// The web view comes back.
async fn back(server: &TestServer, query: &str, cookie: &str) -> Response {
    let fields = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    Door::first(server).exchange(&encode("GET", &format!("{CALLBACK}?{query}"), &fields, b"")).await.unwrap()
}

async fn enrols(server: &TestServer, page: &Response, n: usize) {
    let token = decode_final_page(&page.body, APPRU).expect("the last page");
    let octets = SecretBytes::new(token.expose().as_bytes().to_vec());
    let token = BinarySecurityToken { id: None, value_type: ValueType::DeviceEnrollmentUserToken, octets };
    Door::first(server).token(Security { token: Some(token), ..Security::default() }, &issue(n, rsa(n))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_enrols_whose_user_signs_in_at_a_real_provider() {
    // The provider must know where people are sent back to, and the server where the provider is: the port is taken first.
    let https = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = Glewlwyd::start(&format!("https://localhost:{}{CALLBACK}", https.port())).await;
    let builder = builder(&provider.issuer(), glewlwyd::CLIENT_SECRET, provider.certificate(), "");
    let server = start(builder.config("https = \"127.0.0.1:0\"", &format!("https = \"{https}\""))).await;
    let (location, cookie) = opened(&server).await;
    let sent = provider.visit(&location).await;
    let query = sent.strip_prefix(&format!("https://localhost:{}{CALLBACK}?", https.port())).expect(&sent);
    let page = back(&server, query, &cookie).await;
    assert_eq!(page.status, 200, "{} {}", page.text(), reason(&server).await);
    enrols(&server, &page, 0).await;
    // The same once more is nothing.
    assert_eq!(back(&server, query, &cookie).await.status, 403);
    assert_eq!(reason(&server).await, "server.oidc-state");
}

/// Signs in with this token; the page that comes of it.
async fn try_with(server: &TestServer, provider: &Provider, change: impl FnOnce(&mut Token)) -> Response {
    let (location, cookie) = opened(server).await;
    let sent = Sent::to(provider, &location);
    let mut token = provider.token(&sent, "user1", server.now());
    change(&mut token);
    let code = provider.code(&sent, &token);
    back(server, &format!("code={code}&state={}", sent.query["state"]), &cookie).await
}

async fn assert_refused(server: &TestServer, page: &Response, code: &str, what: &str) {
    assert_eq!(page.status, 403, "{what}: {}", page.text());
    assert!(!page.text().contains("wresult") && !page.text().contains(code), "{what}: the person learns a number only");
    assert_eq!(reason(server).await, code, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_core_3_1_3_7_every_flaw_of_a_token_alone_signs_nobody_in() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    let good = try_with(&server, &provider, |_| {}).await;
    assert_eq!(good.status, 200, "{}", good.text());
    enrols(&server, &good, 0).await;
    let now = server.now().0 / 1000;
    let other = rsa(KEY + 1);
    let public = other.pem();
    type Flaw<'a> = (&'a str, Box<dyn Fn(&mut Token) + 'a>);
    let flaws: Vec<Flaw<'_>> = vec![
        ("audience", Box::new(|t| t.claims["aud"] = json!("somebody else"))),
        ("no audience", Box::new(|t| drop(t.claims.as_object_mut().unwrap().remove("aud")))),
        ("several audiences", Box::new(|t| t.claims["aud"] = json!([CLIENT_ID, "somebody else"]))),
        ("made for another", Box::new(|t| t.claims["azp"] = json!("somebody else"))),
        ("issuer", Box::new(|t| t.claims["iss"] = json!("https://evil.example"))),
        ("nonce", Box::new(|t| t.claims["nonce"] = json!("00"))),
        ("no nonce", Box::new(|t| drop(t.claims.as_object_mut().unwrap().remove("nonce")))),
        ("expired", Box::new(move |t| t.claims["exp"] = json!(now - 120))),
        ("no end", Box::new(|t| drop(t.claims.as_object_mut().unwrap().remove("exp")))),
        ("from the future", Box::new(move |t| t.claims["iat"] = json!(now + 3600))),
        ("not good yet", Box::new(move |t| t.claims["nbf"] = json!(now + 3600))),
        ("no subject", Box::new(|t| drop(t.claims.as_object_mut().unwrap().remove("sub")))),
        ("no name", Box::new(|t| drop(t.claims.as_object_mut().unwrap().remove("preferred_username")))),
        ("a name that is a number", Box::new(|t| t.claims["preferred_username"] = json!(1))),
        ("alg none", Box::new(|t| (t.header["alg"], t.key) = (json!("none"), None))),
        ("alg None", Box::new(|t| (t.header["alg"], t.key) = (json!("None"), None))),
        ("alg HS256", Box::new(|t| t.header["alg"] = json!("HS256"))),
        ("alg ES256 with an RSA key", Box::new(|t| t.header["alg"] = json!("ES256"))),
        ("alg RS512 with a key for RS256", Box::new(|t| t.header["alg"] = json!("RS512"))),
        ("unknown key", Box::new(|t| t.header["kid"] = json!("key-2"))),
        ("another key under the name", Box::new(|t| t.key = Some(KEY + 1))),
        (
            "its own key in the head",
            Box::new(|t| {
                t.key = Some(KEY + 1);
                t.header["jwk"] = json!({ "kty": "RSA", "n": public, "e": "AQAB" });
            }),
        ),
        ("no signature", Box::new(|t| t.key = None)),
        ("an extension", Box::new(|t| t.header["crit"] = json!(["b64"]))),
    ];
    for (what, flaw) in flaws {
        let page = try_with(&server, &provider, |token| flaw(token)).await;
        assert_refused(&server, &page, "server.oidc-token", what).await;
    }
    let nobody = try_with(&server, &provider, |token| token.claims["preferred_username"] = json!("nobody")).await;
    assert_refused(&server, &nobody, "mdm.credentials", "a user who is not known here").await;
    server.admin.save_user(json!({ "name": "user2", "disabled": true })).await;
    let disabled = try_with(&server, &provider, |token| token.claims["preferred_username"] = json!("user2")).await;
    assert_refused(&server, &disabled, "mdm.user-disabled", "a user who is disabled here").await;
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_good_once_for_the_browser_that_began_and_so_is_a_code() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    let begun = async || {
        let (location, cookie) = opened(&server).await;
        let sent = Sent::to(&provider, &location);
        let code = provider.code(&sent, &provider.token(&sent, "user1", server.now()));
        (format!("code={code}&state={}", sent.query["state"]), cookie, sent, code)
    };
    let (query, cookie, ..) = begun().await;
    assert_eq!(back(&server, &query, &cookie).await.status, 200);
    assert_refused(&server, &back(&server, &query, &cookie).await, "server.oidc-state", "the same state again").await;
    // A code that was used, under a state that was not.
    let (_, _, _, used) = begun().await;
    let (query, cookie, first, _) = begun().await;
    assert_eq!(back(&server, &query, &cookie).await.status, 200);
    let (_, cookie, fresh, _) = begun().await;
    let replayed = format!("code={}&state={}", query.split(['=', '&']).nth(1).unwrap(), fresh.query["state"]);
    assert_refused(&server, &back(&server, &replayed, &cookie).await, "server.oidc-refused", "a code that was used").await;
    // A code of somebody else's attempt: the verifier does not fit.
    let (_, cookie, mine, _) = begun().await;
    let stolen = format!("code={used}&state={}", mine.query["state"]);
    assert_refused(&server, &back(&server, &stolen, &cookie).await, "server.oidc-refused", "another one's code").await;
    // Another browser, or none that can be told.
    let (query, ..) = begun().await;
    assert_refused(&server, &back(&server, &query, "").await, "server.oidc-state", "no cookie").await;
    let (_, other, ..) = begun().await;
    assert_refused(&server, &back(&server, &query, &other).await, "server.oidc-state", "another browser's cookie").await;
    // What was not begun here, or long ago.
    let (query, cookie, ..) = begun().await;
    let forged = query.replace("state=", "state=AAAA");
    assert_refused(&server, &back(&server, &forged, &cookie).await, "server.oidc-state", "a forged state").await;
    assert_eq!(back(&server, &format!("{query}&{query}"), &cookie).await.status, 400, "everything twice");
    let (query, cookie, sent, _) = begun().await;
    let said = format!("error=access_denied&state={}", sent.query["state"]);
    assert_refused(&server, &back(&server, &said, &cookie).await, "server.oidc-refused", "the provider says no").await;
    assert_refused(&server, &back(&server, &query, &cookie).await, "server.oidc-state", "its state is used up").await;
    let (query, cookie, ..) = begun().await;
    let mixed = format!("{query}&iss=https%3A%2F%2Fevil.example");
    assert_refused(&server, &back(&server, &mixed, &cookie).await, "server.oidc-refused", "another provider").await;
    let (query, cookie, ..) = begun().await;
    server.advance(Span::from_secs(901));
    assert_refused(&server, &back(&server, &query, &cookie).await, "server.oidc-state", "too late").await;
    // Nobody signs in here any more, and nothing was sent that should not be.
    let form =
        Door::first(&server).exchange(&encode("POST", PAGE, "Content-Type: application/x-www-form-urlencoded\r\n", b"a=b")).await;
    assert_eq!(form.unwrap().status, 404);
    assert!(!first.query.contains_key("code_verifier") && !first.query.contains_key("client_secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_believed_signs_nobody_in() {
    let discovery = "/.well-known/openid-configuration";
    let page = async |server: &TestServer| {
        let target = format!("{PAGE}?appru={}&login_hint=", APPRU.replace(':', "%3A"));
        Door::first(server).exchange(&encode("GET", &target, "", b"")).await.unwrap().status
    };
    let endpoints = |issuer: &str, of: &str| {
        json!({ "issuer": issuer, "authorization_endpoint": format!("{of}/authorize"), "token_endpoint": format!("{of}/token"),
            "jwks_uri": format!("{of}/keys") })
    };
    let provider = Provider::start().await;
    let (issuer, plain) = (provider.issuer(), provider.issuer().replace("https", "http"));
    let redirect = Says { fields: "Location: /elsewhere\r\n".into(), ..Says::status(302) };
    for (what, says, code) in [
        ("another issuer", Says::json(&endpoints("https://evil.example", &issuer)), "server.oidc-answer"),
        ("services without TLS", Says::json(&endpoints(&issuer, &plain)), "server.oidc-answer"),
        ("no document", Says::text("hello"), "server.oidc-answer"),
        ("an error", Says::status(500), "server.oidc-answer"),
        ("a redirection", redirect, "server.oidc-unreachable"),
        ("too much", Says::text(&"x".repeat(70_000)), "server.oidc-unreachable"),
    ] {
        let server = with(&provider).await;
        provider.instead(discovery, says);
        assert_eq!(page(&server).await, 502, "{what}");
        assert_eq!(reason(&server).await, code, "{what}");
    }
    // An address that nobody has listed, and a certificate that nobody trusts.
    let provider = Provider::start().await;
    let builder = |certificate: String| builder(&provider.issuer(), CLIENT_SECRET, certificate, "");
    let unlisted = builder(provider.certificate.clone()).config("allow-addresses = [\"127.0.0.0/8\", \"::1/128\"]\n", "");
    let other = Provider::start().await;
    for (what, builder) in [("address", unlisted), ("certificate", builder(other.certificate.clone()))] {
        let server = start(builder).await;
        assert_eq!(page(&server).await, 502, "{what}");
        assert_eq!(reason(&server).await, "server.oidc-unreachable", "{what}");
    }
    assert!(provider.service.asked().is_empty());
    // One that does not answer is not asked again for everybody who opens the page.
    let provider = Provider::start().await;
    let server = with(&provider).await;
    provider.instead(discovery, Says::status(500));
    for _ in 0..5 {
        assert_eq!(page(&server).await, 502);
    }
    assert_eq!(provider.service.asked().len(), 1);
    server.advance(Span::from_secs(6));
    page(&server).await;
    assert_eq!(provider.service.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_not_safe_keeps_the_server_from_starting() {
    let provider = Provider::start().await;
    for (from, to, told) in [
        ("issuer = \"https:", "issuer = \"http:", "oidc.issuer"),
        ("client-id = \"lanyard\"", "client-id = \"a b\"", "oidc.client-id"),
        ("timeout = \"5s\"", "timeout = \"1h\"", "oidc.timeout"),
        ("ca-file = \"oidc.pem\"", "ca-file = \"oidc.secret\"", "oidc.ca-file"),
        ("ca-file = \"oidc.pem\"", "", "ca-file"),
        ("client-secret-file = \"oidc.secret\"", "client-secret-file = \"nothing\"", "nothing"),
        ("client-secret-file = \"oidc.secret\"", "client-secret = \"abc\"", "client-secret"),
    ] {
        let builder = builder(&provider.issuer(), CLIENT_SECRET, provider.certificate.clone(), "");
        let (site, clock) = builder.config(from, to).create().await;
        let unseal = lanyard_server::serve::Unseal::File(site.unseal.clone());
        let Err(error) = lanyard_server::serve::open(&site.dir, unseal, clock).await else { panic!("{to}") };
        assert!(error.to_string().contains(told), "{to}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_device_brings_from_elsewhere_stays_refused() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    let (location, _) = opened(&server).await;
    let sent = Sent::to(&provider, &location);
    let token = write(&provider.token(&sent, "user1", server.now()));
    let token = BinarySecurityToken { id: None, value_type: ValueType::Jwt, octets: SecretBytes::new(token.into_bytes()) };
    let refused = Door::first(&server).token(Security { token: Some(token), ..Security::default() }, &issue(0, rsa(0))).await;
    assert_refused_by_service(&server, refused, "mdm.method", 0x8018_0015).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_of_the_provider_are_learnt_and_a_mail_address_must_be_verified() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    assert_eq!(try_with(&server, &provider, |_| {}).await.status, 200);
    provider.publish(&[(KEY, "key-1"), (KEY + 1, "key-2")]);
    let with_new = |token: &mut Token| {
        token.header["kid"] = json!("key-2");
        token.key = Some(KEY + 1);
    };
    assert_eq!(try_with(&server, &provider, with_new).await.status, 403, "not before a minute has passed");
    server.advance(Span::from_secs(61));
    assert_eq!(try_with(&server, &provider, with_new).await.status, 200);
    // A token that names no key, where there are several.
    let unnamed = try_with(&server, &provider, |token| drop(token.header.as_object_mut().unwrap().remove("kid"))).await;
    assert_refused(&server, &unnamed, "server.oidc-token", "no key is named").await;
    let by_mail = "scopes = [\"openid\", \"email\"]\nuser-claim = \"email\"\n";
    let server = start(builder(&provider.issuer(), CLIENT_SECRET, provider.certificate.clone(), by_mail)).await;
    for (verified, status) in [(json!(true), 200), (json!(false), 403), (json!("true"), 403), (json!(null), 403)] {
        let page = try_with(&server, &provider, |token| {
            token.claims["email"] = json!("user1@example.org");
            token.claims["email_verified"] = verified.clone();
        });
        assert_eq!(page.await.status, status, "{verified}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attempt_comes_back_to_any_node_and_once_on_all_of_them() {
    let provider = Provider::start().await;
    let builder = builder(&provider.issuer(), CLIENT_SECRET, provider.certificate.clone(), "");
    let builder = builder.config("# url = \"https://mdm.example.org\"", "url = \"https://localhost:1\"");
    let server = start(builder.database(Postgres::shared().database())).await;
    let other = server.further().await;
    let (location, cookie) = opened(&server).await;
    let sent = Sent::to(&provider, &location);
    let code = provider.code(&sent, &provider.token(&sent, "user1", server.now()));
    let query = format!("code={code}&state={}", sent.query["state"]);
    let octets = encode("GET", &format!("{CALLBACK}?{query}"), &format!("Cookie: {cookie}\r\n"), b"");
    let elsewhere = Door { address: other.https, ..Door::first(&server) };
    assert_eq!(elsewhere.exchange(&octets).await.unwrap().status, 200);
    for door in [&Door::first(&server), &elsewhere] {
        assert_refused(&server, &door.exchange(&octets).await.unwrap(), "server.oidc-state", "again").await;
    }
    other.stop().await;
}
