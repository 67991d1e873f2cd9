//! Users and devices from CSV files, by the command line.

use std::{fs, path::Path};

use lanyard_testkit::{
    process::{Process, lanyard},
    programs::{Done, run},
    server::TestServer,
};
use serde_json::Value;
use tokio::process::Command;

async fn say(dir: &Path, arguments: &[&str]) -> Done {
    run(Command::new(lanyard()).args(arguments).args(["--dir", "data"]).current_dir(dir)).await
}

async fn users(dir: &Path) -> Vec<Value> {
    serde_json::from_str(&say(dir, &["user", "list", "--json"]).await.good()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_whole_or_not_at_all() {
    let (site, _) = TestServer::builder().create().await;
    let process = Process::serve(&site).await;
    let dir = site.temp.path();
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    write("users.csv", "\u{feff}Name,display-name,email,disabled\r\njo,\"Döe, Jo\",jo@example.org,no\r\nann,Ann,,yes\r\n");
    let tried = say(dir, &["user", "import", "users.csv", "--dry-run"]).await.good();
    assert!(tried.contains("2 would be added"), "{tried}");
    assert!(users(dir).await.is_empty());
    assert!(say(dir, &["user", "import", "users.csv"]).await.good().contains("2 added, 0 changed, 0 unchanged"));
    let found = users(dir).await;
    assert_eq!((found[1]["display-name"].as_str(), found[0]["disabled"].as_bool()), (Some("Döe, Jo"), Some(true)));
    // What a file does not name stays; what it leaves empty goes.
    write("more.csv", "name,department,email\njo,Sales,\nann,,\nbob,IT,bob@example.org\n");
    assert!(say(dir, &["user", "import", "more.csv"]).await.good().contains("1 added, 1 changed, 1 unchanged"));
    let found = users(dir).await;
    assert_eq!((found[2]["display-name"].as_str(), found[2]["email"].as_str()), (Some("Döe, Jo"), None));
    assert_eq!(found[2]["department"].as_str(), Some("Sales"));

    for (text, expected) in [
        ("name,email\ncarl,c@example.org\na b,x\n", "line 3, column name: 'a b' is not a user name"),
        ("name,disabled\ncarl,no\ndora,perhaps\n", "line 3, column disabled: 'perhaps' is neither yes nor no"),
        ("name,shoe-size\ncarl,44\n", "line 2, column shoe-size: users have no field 'shoe-size'"),
        ("name,email\ncarl\n", "line 2, column : it has 1 columns, the first line 2"),
        ("name,email\ncarl,a\ncarl,b\n", "line 3, column name: 'carl' stands in an earlier line too"),
        ("email\nx@example.org\n", "line 1, column name: the first line names no column 'name'"),
        ("name,email\n\"carl,x\n", "line 2, column 1: the quotes are not closed"),
        ("name,email\ncarl,\"a\u{1b}[31m\"\n", "line 2, column email: it has a control character"),
    ] {
        write("bad.csv", text);
        let done = say(dir, &["user", "import", "bad.csv"]).await;
        assert!(
            !done.success && done.output.contains(expected) && done.output.contains("nothing was imported"),
            "{}",
            done.output
        );
        assert_eq!(users(dir).await.len(), 3, "{text}");
    }
    write("devices.csv", "id,name,serial,user,blocked\nL-1,laptop-1,SN1,jo,\nL-2,laptop-2,SN2,,yes\n");
    assert!(say(dir, &["fleet", "import", "devices.csv"]).await.good().contains("devices: 2 added"));
    assert!(say(dir, &["fleet", "list"]).await.good().contains("blocked"));
    // Names on record make the certificate; a blocked device gets nothing.
    let create = async |device: &str| say(dir, &["challenge", "create", "--template", "wifi", "--device", device]).await;
    assert_eq!(create("L-1").await.good().trim().len(), 88);
    assert!(create("L-2").await.output.contains("ra.device-blocked"));
    say(dir, &["fleet", "remove", "L-1"]).await.good();
    assert!(!create("L-1").await.success);
    say(dir, &["group", "add", "staff"]).await.good();
    say(dir, &["group", "set", "staff", "--add-user", "jo", "--add-device", "L-2"]).await.good();
    assert!(say(dir, &["group", "show", "staff"]).await.good().contains("L-2"));
    assert!(say(dir, &["group", "list"]).await.good().contains("staff"));
    say(dir, &["group", "remove", "staff"]).await.good();
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_one_write() {
    let server = TestServer::start().await;
    let mut csv = String::from("id,name,dns-name\n");
    for n in 0..20_000 {
        csv.push_str(&format!("L-{n},laptop-{n},laptop-{n}.example.org\n"));
    }
    let body = serde_json::json!({ "csv": csv }).to_string();
    let answered = server.admin.call("POST", "/import/devices", body.as_bytes()).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    let told: Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!((told["added"].as_u64(), told["mistakes"].as_array().map(Vec::len)), (Some(20_000), Some(0)));
    let imports = server.admin.audit().await.into_iter().filter(|e| e.object.as_deref() == Some("import of devices"));
    assert_eq!(imports.count(), 1);
}
