//! Invitations seen from the administrator: listed, withdrawn one by one, and what became of each.

use lanyard_testkit::{
    process::lanyard,
    programs::{Done, run},
    server::TestServer,
};
use serde_json::Value;
use tokio::process::Command;

use super::support::{Person, add_person, portal};

async fn say(server: &TestServer, arguments: &[&str]) -> Done {
    run(Command::new(lanyard()).args(arguments).arg("--dir").arg(server.dir())).await
}

async fn list(server: &TestServer, more: &[&str]) -> Vec<Value> {
    let printed = say(server, &[&["invitation", "list", "--json"], more].concat()).await.good();
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_listed_and_withdrawn_one_by_one() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    assert!(list(&server, &[]).await.is_empty());
    let mut links = Vec::new();
    for _ in 0..3 {
        let link = say(&server, &["invite", "user1", "--template", "user-client"]).await.good();
        links.push(link.trim().split_once("/portal").unwrap().1.to_owned());
    }
    let made = list(&server, &[]).await;
    assert_eq!(made.iter().filter(|one| one["state"] == "open" && one["user"] == "user1").count(), 3, "{made:?}");
    assert!(made[0]["what"].as_str().unwrap().contains("user-client"));
    // The list gives nobody a link.
    let printed = say(&server, &["invitation", "list", "--json"]).await.good();
    assert!(links.iter().all(|link| !printed.contains(link.rsplit('/').next().unwrap())));

    // The newest is listed first: the third is withdrawn, the second used.
    let id = made[0]["id"].as_str().unwrap();
    say(&server, &["invitation", "withdraw", id]).await.good();
    let nobody = Person::new(&server);
    let path = |n: usize| format!("/portal{}", links[n]);
    assert_eq!((nobody.get(&path(2)).await.status, nobody.post(&path(2), &[]).await.status), (410, 410));
    assert!(server.admin.certificates().await.is_empty());
    assert_eq!(nobody.post(&path(1), &[]).await.status, 200);
    let states = |all: &[Value]| all.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let all = list(&server, &[]).await;
    assert_eq!(states(&all), ["withdrawn", "used", "open"]);
    assert!(all[0]["withdrawn-by"].as_str().is_some() && all[1]["withdrawn-by"].is_null() && !all[1]["ended-at"].is_null());
    assert_eq!(states(&list(&server, &["--open"]).await), ["open"]);
    let table = say(&server, &["invitation", "list"]).await.good();
    assert!(table.contains("withdrawn") && table.contains("TO FETCH"), "{table}");

    // What is over stays over.
    for n in [0, 1] {
        let again = say(&server, &["invitation", "withdraw", all[n]["id"].as_str().unwrap()]).await;
        assert!(!again.success && again.output.contains("already"), "{}", again.output);
    }
    let unknown = say(&server, &["invitation", "withdraw", "019a9f2e-0000-7000-8000-000000000000"]).await;
    assert!(!unknown.success && unknown.output.contains("invitation"), "{}", unknown.output);
    server.advance(lanyard_model::time::Span::from_days(4));
    assert_eq!(states(&list(&server, &[]).await), ["withdrawn", "used", "expired"]);
    let audit = server.admin.audit().await;
    assert_eq!(audit.iter().filter(|record| record.kind == "invitation-withdrawn").count(), 1);
}
