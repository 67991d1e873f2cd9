//! What a renewed identity keeps of the one before.

use super::{DAY, Place};

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_identity_keeps_owner_name_and_whether_its_key_may_leave() {
    let place = Place::new().await;
    let server = place.serve().await;
    let more = ["--for", "user", "--name", "Laptop of user1", "--protection", "software-exportable"];
    place.enroll(&server, "hosts", "laptop-1", &more).await.good();
    let told = |one: &serde_json::Value| ["owner", "name", "exportable", "protection"].map(|key| one[key].clone());
    let first = place.current("laptop-1").await.pop().unwrap();
    assert_eq!((first["owner"].as_str(), first["name"].as_str()), (Some("user"), Some("Laptop of user1")), "{first}");
    server.kill().await;

    place.clock.set(300 * DAY);
    let server = place.serve().await;
    place.device(&["renew", "--all"]).await.good();
    let mut renewed = place.current("laptop-1").await;
    assert_eq!(renewed.len(), 1);
    let second = renewed.pop().unwrap();
    assert_eq!(second["predecessor"], first["id"]);
    assert_eq!(told(&second), told(&first));
    let id = second["id"].as_str().unwrap();
    assert!(place.device(&["show", id]).await.good().contains("Laptop of user1"));
    let (key, pass) = (place.site.temp.path().join("laptop.pfx"), place.site.temp.path().join("pass"));
    std::fs::write(&pass, "x").unwrap();
    let (key, pass) = (key.display().to_string(), pass.display().to_string());
    place.device(&["export", id, "--pkcs12", "--out", &key, "--passphrase-file", &pass]).await.good();
    server.kill().await;
}
