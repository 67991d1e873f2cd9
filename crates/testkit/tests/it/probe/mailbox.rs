//! Answers over HTTP and ActiveSync.

use std::time::Duration;

use lanyard_gateway::activesync::wbxml::{Element, Tag, decode, encode};
use lanyard_testkit::service::{Asked, Says, Service};

use super::support::{Asks, Site, password, probe};

const PATH: &str = "/Microsoft-Server-ActiveSync";

fn says(status: u16, fields: &str, body: &[u8]) -> Says {
    Says { status, fields: fields.into(), body: body.to_vec(), after: Duration::ZERO }
}

fn wbxml(root: &Element) -> Says {
    says(200, "Content-Type: application/vnd.ms-sync.wbxml\r\n", &encode(root))
}

/// The folders of a mailbox with an inbox.
fn folders() -> Element {
    let text = |token, value| Element::text(Tag(7, token), value);
    let inbox = vec![text(0x08, "5"), text(0x09, "0"), text(0x07, "Inbox"), text(0x0a, "2")];
    let changes = vec![text(0x17, "1"), Element::with(Tag(7, 0x0f), inbox)];
    Element::with(Tag(7, 0x16), vec![text(0x0c, "1"), text(0x12, "1"), Element::with(Tag(7, 0x0e), changes)])
}

fn options() -> Says {
    says(200, "MS-ASProtocolVersions: 2.5,12.1,14.0,14.1\r\nMS-ASProtocolCommands: Sync,FolderSync,Ping\r\n", &[])
}

/// The command of a request, in whichever form.
fn command(asked: &Asked) -> String {
    let query = asked.path.split_once('?').map(|(_, query)| query);
    lanyard_gateway::activesync::query::read(query).unwrap().command.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_get_and_options_are_explained() {
    let site = Site::new();
    let server = Service::start_tls(site.tls(Asks::No), |_| Says::status(404)).await;
    let user = password(&site);
    let user: Vec<&str> = user.iter().map(String::as_str).collect();
    let html = "Content-Type: text/html\r\n";
    let negotiate = "WWW-Authenticate: Negotiate\r\n";
    let basic = "WWW-Authenticate: Basic realm=\"mail\"\r\n";
    for (status, fields, body, expected, code) in [
        (501, "", "", "eas.answers", 0),
        (505, "", "", "eas.answers", 0),
        (500, "", "", "eas.other-answers", 0),
        (200, html, "<html>sign in</html>", "eas.not", 14),
        (401, basic, "", "auth.refused", 14),
        (401, negotiate, "", "auth.no-basic", 14),
        (403, "", "", "refused.user", 14),
        (400, html, "<center>No required SSL certificate was sent</center>", "refused.nginx-no-certificate", 14),
        (400, html, "<center>The SSL certificate error</center>", "refused.nginx-certificate", 14),
        (404, "", "", "http.path", 14),
        (405, "", "", "http.method", 14),
        (413, "", "", "http.too-large", 14),
        (421, "", "", "http.misdirected", 14),
        (451, "X-MS-Location: https://other.example.org/Microsoft-Server-ActiveSync\r\n", "", "eas.elsewhere", 0),
        (456, "", "", "eas.account-blocked", 14),
        (457, "", "", "eas.password-expired", 14),
        (502, "", "", "http.bad-gateway", 14),
        (503, "Retry-After: 30\r\n", "", "http.unavailable", 14),
        (504, "", "", "http.gateway-timeout", 14),
    ] {
        server.now_says(move |asked| match asked.method.as_str() {
            "GET" => says(status, fields, body.as_bytes()),
            "OPTIONS" => options(),
            _ => wbxml(&folders()),
        });
        let told = probe(&site, server.address, PATH, &[user.as_slice(), &["--eas"]].concat()).await;
        assert_eq!((told.verdict("get"), told.code), (expected, code), "{status}: {}", told.report);
        assert!(told.seen("get").contains(&format!("HTTP/1.1 {status}")), "{}", told.report);
        assert!(told.seen("get").to_ascii_lowercase().contains(&fields.trim().to_ascii_lowercase().replace('"', "\\\"")));
    }
    server.now_says(|asked| if asked.method == "GET" { Says::status(501) } else { says(204, "Allow: GET\r\n", &[]) });
    let told = probe(&site, server.address, PATH, &[user.as_slice(), &["--eas"]].concat()).await;
    assert_eq!((told.verdict("options"), told.code), ("options.no-versions", 15));
    let asked = server.asked();
    assert!(asked.iter().all(|one| one.field("authorization").is_some_and(|value| value.starts_with("Basic "))));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_asked_for_in_both_forms_and_policies_never_acknowledged() {
    let site = Site::new();
    let user = password(&site);
    let arguments: Vec<&str> = user.iter().map(String::as_str).chain(["--eas"]).collect();
    let server = Service::start_tls(site.tls(Asks::No), |asked| match asked.method.as_str() {
        "GET" => Says::status(501),
        "OPTIONS" => options(),
        _ => wbxml(&folders()),
    })
    .await;
    let told = probe(&site, server.address, PATH, &arguments).await;
    assert_eq!((told.verdict("folder-sync"), told.code), ("eas.folders", 0), "{}", told.report);
    assert!(told.seen("folder-sync").contains("1 folders: Inbox"), "{}", told.report);
    let posts: Vec<Asked> = server.asked().into_iter().filter(|asked| asked.method == "POST").collect();
    let plain = posts.iter().filter(|asked| asked.path.contains("Cmd=")).count();
    assert_eq!((posts.len(), plain), (2, 1));
    assert!(posts.iter().all(|asked| command(asked) == "FolderSync" && asked.field("ms-asprotocolversion") == Some("14.1")));

    for (answer, expected) in [(says(449, "", &[]), "eas.provision-first"), (status("142"), "eas.provision-first")] {
        server.forget();
        server.now_says(move |asked| match (asked.method.as_str(), command(asked).as_str()) {
            ("GET", _) => Says::status(501),
            ("OPTIONS", _) => options(),
            (_, "Provision") => wbxml(&policy()),
            _ => answer.clone(),
        });
        let told = probe(&site, server.address, PATH, &arguments).await;
        assert_eq!((told.verdict("folder-sync"), told.verdict("provision")), (expected, "provision.policies"), "{}", told.report);
        let sent: Vec<Asked> =
            server.asked().into_iter().filter(|one| one.method == "POST" && command(one) == "Provision").collect();
        assert_eq!(sent.len(), 1, "the second half would promise to keep them");
        let body = decode(&sent[0].body).unwrap();
        assert!(body.find(Tag(14, 0x0b)).is_none() && body.find(Tag(14, 0x09)).is_none(), "neither status nor key");
    }
    server.now_says(|asked| match (asked.method.as_str(), command(asked).as_str()) {
        ("GET", _) => Says::status(501),
        ("OPTIONS", _) => options(),
        (_, "Provision") => wbxml(&Element::with(Tag(14, 5), vec![Element::with(Tag(14, 0x0c), Vec::new())])),
        _ => status("140"),
    });
    let told = probe(&site, server.address, PATH, &arguments).await;
    assert_eq!((told.verdict("provision"), told.code), ("provision.wipe", 16), "{}", told.report);
    for (value, expected) in
        [("126", "eas.user-disabled"), ("129", "eas.device-blocked"), ("130", "eas.denied"), ("9", "eas.sync-key")]
    {
        server.now_says(move |asked| match asked.method.as_str() {
            "GET" => Says::status(501),
            "OPTIONS" => options(),
            _ => status(value),
        });
        let told = probe(&site, server.address, PATH, &arguments).await;
        assert_eq!((told.verdict("folder-sync"), told.code), (expected, 16), "{}", told.report);
    }
}

fn status(value: &str) -> Says {
    wbxml(&Element::with(Tag(7, 0x16), vec![Element::text(Tag(7, 0x0c), value)]))
}

fn policy() -> Element {
    let text = |token, value| Element::text(Tag(14, token), value);
    let document = Element::with(Tag(14, 0x0d), vec![text(0x0e, "1"), text(0x13, "1")]);
    let one = vec![
        text(0x08, "MS-EAS-Provisioning-WBXML"),
        text(0x0b, "1"),
        text(0x09, "1307199584"),
        Element::with(Tag(14, 0x0a), vec![document]),
    ];
    Element::with(Tag(14, 5), vec![text(0x0b, "1"), Element::with(Tag(14, 6), vec![Element::with(Tag(14, 7), one)])])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_is_measured() {
    let site = Site::new();
    let user = password(&site);
    let arguments: Vec<&str> = user.iter().map(String::as_str).chain(["--eas", "--ping", "3"]).collect();
    let ping = |after: u64, answer: Says| {
        move |asked: &Asked| match (asked.method.as_str(), command(asked).as_str()) {
            ("GET", _) => Says::status(501),
            ("OPTIONS", _) => options(),
            (_, "Ping") => Says { after: Duration::from_secs(after), ..answer.clone() },
            _ => wbxml(&folders()),
        }
    };
    let ping_status = |value: &str| wbxml(&Element::with(Tag(13, 5), vec![Element::text(Tag(13, 7), value)]));
    let server = Service::start_tls(site.tls(Asks::No), ping(3, ping_status("1"))).await;
    let told = probe(&site, server.address, PATH, &arguments).await;
    assert_eq!((told.verdict("ping"), told.code), ("ping.held", 0), "{}", told.report);
    for (after, answer, expected, code) in [
        (1, says(504, "", &[]), "ping.cut", 17),
        (0, ping_status("2"), "ping.changes", 0),
        (0, ping_status("5"), "ping.heartbeat", 0),
    ] {
        server.now_says(ping(after, answer));
        let told = probe(&site, server.address, PATH, &arguments).await;
        assert_eq!((told.verdict("ping"), told.code), (expected, code), "{}", told.report);
    }
    assert!(told_cut(&site, &server, &arguments).await.contains("cut after 1 s"));
}

async fn told_cut(site: &Site, server: &Service, arguments: &[&str]) -> String {
    server.now_says(|asked| match (asked.method.as_str(), command(asked).as_str()) {
        ("GET", _) => Says::status(501),
        ("OPTIONS", _) => options(),
        (_, "Ping") => Says { after: Duration::from_secs(1), ..Says::status(502) },
        _ => wbxml(&folders()),
    });
    probe(site, server.address, PATH, arguments).await.seen("ping")
}

#[tokio::test(flavor = "multi_thread")]
async fn autodiscover_is_compared_with_the_address_probed() {
    let site = Site::new();
    let reply = |url: &str| {
        let text = format!(
            "<Autodiscover><Response><Action><Settings><Server><Type>MobileSync</Type><Url>{url}</Url></Server></Settings></Action></Response>\
             </Autodiscover>"
        );
        move |asked: &Asked| match asked.path.as_str() {
            "/autodiscover/autodiscover.xml" => says(200, "Content-Type: text/xml\r\n", text.as_bytes()),
            _ => Says::text("hello"),
        }
    };
    let server = Service::start_tls(site.tls(Asks::No), reply("https://localhost/Microsoft-Server-ActiveSync")).await;
    let arguments = ["--autodiscover", "alice&co@example.org"];
    let told = probe(&site, server.address, "/", &arguments).await;
    assert_eq!((told.verdict("autodiscover"), told.code), ("autodiscover.found", 0), "{}", told.report);
    let question = server.was_asked("the question", |asked| asked.path.starts_with("/autodiscover")).await;
    assert!(String::from_utf8(question.body).unwrap().contains("<EMailAddress>alice&amp;co@example.org</EMailAddress>"));
    server.now_says(reply("https://inner.example.org/Microsoft-Server-ActiveSync"));
    assert_eq!(probe(&site, server.address, "/", &arguments).await.verdict("autodiscover"), "autodiscover.other");
    server.now_says(|asked| if asked.path.starts_with("/auto") { Says::status(404) } else { Says::text("hello") });
    assert_eq!(probe(&site, server.address, "/", &arguments).await.verdict("autodiscover"), "autodiscover.missing");
}
