//! What one node counted, another knows: wrong passwords and used sign-in tokens.

use lanyard_mdm::soap::{BinarySecurityToken, Security, ValueType};
use lanyard_model::{secret::SecretBytes, time::Span};
use lanyard_server::mdm::sign_in;
use lanyard_testkit::{
    keys::rsa,
    mdm::{Door, issue, password},
    programs::postgres::Postgres,
    server::TestServer,
};

use super::support::{PASSWORD, assert_refused, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wrong_passwords_count_on_every_node() {
    let builder = TestServer::builder().database(Postgres::shared().database());
    let server = start(builder.config("wrong-passwords = 10", "wrong-passwords = 4")).await;
    let other = server.further().await;
    let first = Door::first(&server);
    let second = Door { address: other.https, ..first.clone() };
    for n in 0..4 {
        let door = if n % 2 == 0 { &first } else { &second };
        let wrong = door.token(password("user1", "wrong"), &issue(0, rsa(0))).await;
        assert_refused(&server, wrong, "mdm.credentials", 0x8018_0002).await;
    }
    for door in [&first, &second] {
        let right = door.token(password("user1", PASSWORD), &issue(0, rsa(0))).await;
        assert_refused(&server, right, "mdm.attempts", 0x8018_0002).await;
    }
    second.token(password("user2", PASSWORD), &issue(1, rsa(1))).await.unwrap();
    server.advance(Span::from_secs(300));
    second.token(password("user1", PASSWORD), &issue(0, rsa(0))).await.unwrap();
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_token_is_used_up_on_every_node() {
    let server = start(TestServer::builder().database(Postgres::shared().database())).await;
    let other = server.further().await;
    let first = Door::first(&server);
    let second = Door { address: other.https, ..first.clone() };
    let token = sign_in::token(&server.server.fleet_secret, &"user1".parse().unwrap(), server.now()).unwrap();
    let with = || {
        let octets = SecretBytes::new(token.expose().as_bytes().to_vec());
        let token = BinarySecurityToken { id: None, value_type: ValueType::DeviceEnrollmentUserToken, octets };
        Security { token: Some(token), ..Security::default() }
    };
    first.token(with(), &issue(0, rsa(0))).await.unwrap();
    assert_refused(&server, second.token(with(), &issue(1, rsa(1))).await, "mdm.token", 0x8018_0002).await;
    other.stop().await;
}
