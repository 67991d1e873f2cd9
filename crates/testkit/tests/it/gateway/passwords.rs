//! Passwords: what is asked of whoever keeps them, and how often.

use lanyard_testkit::gateway::{client::basic, pki, site::Builder};

use super::support::{BY_HEADER, application, echo};

const HOST: &str = "basic.example.org";

#[tokio::test(flavor = "multi_thread")]
async fn names_and_passwords_are_taken_as_devices_write_them_and_nothing_else_is() {
    let back_end = echo().await;
    let builder = Builder::new().sections(&application("app", HOST, "basic", &back_end.address.to_string(), BY_HEADER));
    let hash = lanyard_gateway::account::file::hash("pä:ss:");
    builder.file("users.toml", format!("{}[[user]]\nname = \"zoë\"\npassword-hash = \"{hash}\"\n[[user]]\nname = \"gone\"\ndisabled = true\npassword-hash = \"{hash}\"\n", lanyard_testkit::gateway::site::users()));
    let gateway = builder.head("[lockout]\nattempts = 1000").start().await;
    let client = gateway.client(None);
    for user in ["alice", "ALICE", "CORP\\alice", "alice@corp.test", "Alice@Corp.Test", "alice@example.org"] {
        assert_eq!(client.get(HOST, "/", &basic(user, "alicepw")).await.status, 200, "{user}");
    }
    // A name that a field cannot hold is handed to nobody.
    assert_eq!(client.get(HOST, "/", &basic("zoë", "pä:ss:")).await.status, 403);
    for (user, password) in [
        ("alice", ""),
        ("alice", "Alicepw"),
        ("alice", "alicepw "),
        ("", "alicepw"),
        ("mallory", "alicepw"),
        ("gone", "pä:ss:"),
        ("bob", "alicepw"),
        ("alice*", "alicepw"),
    ] {
        let answer = client.get(HOST, "/", &basic(user, password)).await;
        assert_eq!(answer.status, 401, "{user} {password}");
        assert_eq!(answer.field("www-authenticate"), Some("Basic realm=\"Lanyard\", charset=\"UTF-8\""));
    }
    for odd in [
        "Authorization: Basic\r\n",
        "Authorization: Basic !!!\r\n",
        "Authorization: Bearer x\r\n",
        "Authorization: Digest username=\"alice\"\r\n",
    ] {
        assert_eq!(client.get(HOST, "/", odd).await.status, 401, "{odd}");
    }
    let twice = format!("{}{}", basic("alice", "alicepw"), basic("bob", "bobpw"));
    assert_eq!(client.get(HOST, "/", &twice).await.status, 401);
    let huge = format!("Authorization: Basic {}\r\n", "A".repeat(60_000));
    assert!(matches!(client.get(HOST, "/", &huge).await.status, 400 | 431));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_wrong_passwords_is_stopped_and_certificates_go_on() {
    let back_end = echo().await;
    let address = back_end.address.to_string();
    let builder = Builder::new().head("[lockout]\nattempts = 3\nwindow = \"3s\"");
    let builder = builder.sections(&application("app", HOST, "basic", &address, BY_HEADER));
    let gateway =
        builder.sections(&application("else", "else.example.org", "certificate-else-basic", &address, BY_HEADER)).start().await;
    let client = gateway.client(None);
    // A phone that repeats one old password is one attempt, however often it comes.
    for _ in 0..50 {
        assert_eq!(client.get(HOST, "/", &basic("bob", "old")).await.status, 401);
    }
    assert_eq!(client.get(HOST, "/", &basic("bob", "bobpw")).await.status, 200);
    for n in 0..10 {
        assert_eq!(client.get(HOST, "/", &basic("alice", &format!("guess {n}"))).await.status, 401);
    }
    assert_eq!(gateway.count("app", "gateway.password-locked"), 7);
    // Locked for this source: the right password is not tried either. Others are let in, and so is alice with her certificate.
    assert_eq!(client.get(HOST, "/", &basic("alice", "alicepw")).await.status, 401);
    assert_eq!(client.get(HOST, "/", &basic("bob", "bobpw")).await.status, 200);
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    assert_eq!(gateway.client(Some(&alice)).get("else.example.org", "/", "").await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(3200)).await;
    assert_eq!(client.get(HOST, "/", &basic("alice", "alicepw")).await.status, 200);
}
