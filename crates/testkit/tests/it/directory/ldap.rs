//! Users, devices and groups of a real OpenLDAP server that looks like Active Directory.

use lanyard_model::time::Span;
use lanyard_server::{
    api::types::Order,
    serve::{Unseal, open},
};
use lanyard_testkit::{
    keys::rsa,
    programs::slapd::{BASE, READER, Slapd},
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer},
};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::{TcpListener, TcpStream};

const ENTRIES: &str = "dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: cn=Jo Doe,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: account-like
cn: Jo Doe
sn: Doe
sAMAccountName: jo
userPrincipalName: jo@example.org
mail: jo.doe@example.org
userAccountControl: 512

dn: cn=Left,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: account-like
cn: Left
sn: Left
sAMAccountName: left
userPrincipalName: left@example.org
userAccountControl: 514

dn: cn=Twin 1,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: account-like
cn: Twin 1
sn: Twin
sAMAccountName: twin

dn: cn=Twin 2,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: account-like
cn: Twin 2
sn: Twin
sAMAccountName: twin

dn: cn=laptop-7,ou=people,dc=example,dc=org
objectClass: device
objectClass: account-like
cn: laptop-7
serialNumber: SN7
sAMAccountName: L-7
userAccountControl: 4096

dn: cn=staff,dc=example,dc=org
objectClass: groupOfNames
cn: staff
member: cn=Jo Doe,ou=people,dc=example,dc=org
member: cn=laptop-7,ou=people,dc=example,dc=org

";

/// The section of the configuration, with these lines in `[ldap]`.
fn section(url: &str, more: &str) -> String {
    format!(
        "[ldap]\nurl = \"{url}\"\nbind-dn = \"{}\"\npassword-file = \"ldap.secret\"\ntimeout = \"2s\"\n{more}\n\
         [ldap.users]\nbase = \"ou=people,{BASE}\"\nfilter = \"(&(objectClass=inetOrgPerson)(sAMAccountName={{name}}))\"\n\
         attributes = {{ upn = \"userPrincipalName\", email = \"mail\", display-name = \"cn\" }}\n\
         [ldap.devices]\nbase = \"ou=people,{BASE}\"\nfilter = \"(&(objectClass=device)(sAMAccountName={{name}}))\"\n\
         attributes = {{ name = \"cn\", serial = \"serialNumber\" }}\n\
         [ldap.groups]\nbase = \"{BASE}\"\nfilter = \"(&(objectClass=groupOfNames)(member={{dn}}))\"\n\n[listen]",
        READER.0
    )
}

fn builder(slapd: &Slapd, more: &str) -> Builder {
    let url = format!("ldap://127.0.0.1:{}", slapd.port);
    let builder = TestServer::builder().profile("default", "staffed", &[("groups = []", "groups = [\"staff\"]")]);
    builder.config("[listen]", &section(&url, more)).file("ldap.secret", format!("{}\n", READER.1))
}

fn order(user: Option<&str>, device: Option<&str>) -> Order {
    let template = if user.is_some() { "user-client" } else { "wifi" };
    Order {
        template: template.into(),
        profile: Some("staffed".into()),
        user: user.map(str::to_owned),
        device: device.map(str::to_owned),
        ..Order::default()
    }
}

async fn challenge_refused(server: &TestServer, order: &Order) -> (u16, String) {
    let answered = server.admin.call("POST", "/challenges", &serde_json::to_vec(order).unwrap()).await;
    let problem: Value = serde_json::from_slice(&answered.body).unwrap();
    (answered.status, problem["code"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned())
}

async fn reason(server: &TestServer, id: &str) -> String {
    server.admin.request(id).await.reason.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_groups_and_states_come_from_the_directory_at_the_moment_of_use() {
    let mut slapd = Slapd::start(ENTRIES).await;
    let server = builder(&slapd, "cache = \"0s\"").start().await;
    let endpoint = Endpoint::at(server.http, "staffed").await;
    let jo = server.admin.challenge(&order(Some("jo"), None)).await;
    assert!(jo.san.contains(&"upn:jo@example.org".to_owned()), "{:?}", jo.san);
    let laptop = server.admin.challenge(&order(None, Some("L-7"))).await;
    assert_eq!(laptop.subject, "CN=laptop-7,O=Example");
    assert_eq!(challenge_refused(&server, &order(Some("left"), None)).await, (422, "ra.user-disabled".into()));
    assert_eq!(challenge_refused(&server, &order(Some("nobody"), None)).await, (404, "server.not-found".into()));
    assert_eq!(challenge_refused(&server, &order(Some("twin"), None)).await, (502, "server.directory".into()));

    let jo = Device::with_challenge(rsa(0), &jo);
    let issued = endpoint.enrol(&jo).await;
    issued.assert_issued();
    // Disabled between challenge and request.
    let waiting = Device::with_challenge(rsa(1), &laptop);
    let entry =
        "dn: cn=laptop-7,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: ";
    slapd.modify(&format!("{entry}4098\n")).await;
    let reply = endpoint.enrol(&waiting).await;
    reply.assert_refused("2");
    assert_eq!(reason(&server, &reply.request_id).await, "ra.device-blocked");
    // Enabled again, but no longer in the group.
    slapd.modify(&format!("{entry}4096\n")).await;
    let group = "dn: cn=staff,dc=example,dc=org\nchangetype: modify\n";
    slapd.modify(&format!("{group}delete: member\nmember: cn=laptop-7,ou=people,dc=example,dc=org\n")).await;
    let reply = endpoint.enrol(&waiting).await;
    assert_eq!(reason(&server, &reply.request_id).await, "ra.not-assigned");
    slapd.modify(&format!("{group}add: member\nmember: cn=laptop-7,ou=people,dc=example,dc=org\n")).await;

    // A directory that is down tells nobody's state: nothing is issued, and nothing is spent.
    slapd.pause().await;
    let reply = endpoint.enrol(&waiting).await;
    reply.assert_refused("2");
    assert_eq!(reason(&server, &reply.request_id).await, "ra.directory-unavailable");
    server.advance(Span::from_days(300));
    let reply = endpoint.enrol(&jo.renewal(issued.certificate(), rsa(2))).await;
    assert_eq!(reason(&server, &reply.request_id).await, "ra.directory-unavailable");
    server.admin.save_user(serde_json::json!({ "name": "local" })).await;
    assert_eq!(challenge_refused(&server, &order(Some("local"), None)).await, (502, "server.directory".into()));
    slapd.go_on().await;
    endpoint.enrol(&jo.renewal(issued.certificate(), rsa(2))).await.assert_issued();
}

/// Passes connections on, and counts them.
async fn counted(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (own, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    (own, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again_and_made_anew_after_a_restart_of_the_directory() {
    let mut slapd = Slapd::start(ENTRIES).await;
    let (port, count) = counted(slapd.port).await;
    let url = format!("ldap://127.0.0.1:{port}");
    let server = TestServer::builder()
        .profile("default", "staffed", &[("groups = []", "groups = [\"staff\"]")])
        .config("[listen]", &section(&url, "cache = \"0s\""))
        .file("ldap.secret", READER.1)
        .start()
        .await;
    let order = order(Some("jo"), None);
    for _ in 0..5 {
        server.admin.challenge(&order).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "one after the other over one connection");
    let many: Vec<_> = (0..24).map(|_| server.admin.challenge(&order)).collect();
    futures(many).await;
    let open = count.load(Ordering::SeqCst);
    assert!(open <= 8, "{open} connections at a time");

    slapd.pause().await;
    assert_eq!(challenge_refused(&server, &order).await, (502, "server.directory".into()));
    slapd.go_on().await;
    for _ in 0..10 {
        server.admin.challenge(&order).await;
    }
    // Restarted between two look-ups, unseen.
    let before = count.load(Ordering::SeqCst);
    slapd.pause().await;
    slapd.go_on().await;
    for _ in 0..3 {
        server.admin.challenge(&order).await;
    }
    let made = count.load(Ordering::SeqCst) - before;
    assert!((1..=3).contains(&made), "{made} new connections");
}

async fn futures<F: Future<Output = T>, T>(all: Vec<F>) -> Vec<T> {
    let mut done = Vec::new();
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn names_cannot_reach_beyond_their_place_in_the_filter() {
    let slapd = Slapd::start(ENTRIES).await;
    let server = builder(&slapd, "").start().await;
    // The alphabet of names stops most of it; what passes is escaped.
    for name in ["j*", "*", "jo)(uid=*", "jo\\29", "jo)"] {
        let (status, code) = challenge_refused(&server, &order(Some(name), None)).await;
        assert!(status == 400 && code == "server.invalid", "{name}: {status} {code}");
    }
    assert_eq!(challenge_refused(&server, &order(Some("JO@"), None)).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_believed_for_a_little_while() {
    let mut slapd = Slapd::start(ENTRIES).await;
    let server = builder(&slapd, "cache = \"2s\"").start().await;
    let endpoint = Endpoint::at(server.http, "staffed").await;
    let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order(Some("jo"), None)).await);
    slapd.pause().await;
    endpoint.enrol(&device).await.assert_issued();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(challenge_refused(&server, &order(Some("jo"), None)).await, (502, "server.directory".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn ldaps_is_believed_only_under_the_given_certificates() {
    let slapd = Slapd::start(ENTRIES).await;
    let url = format!("ldaps://localhost:{}", slapd.tls_port);
    let make = |url: &str, more: &str| {
        TestServer::builder()
            .config("[listen]", &section(url, more))
            .file("ldap.secret", READER.1)
            .file("ldap.pem", slapd.certificate())
    };
    let server = make(&url, "ca-file = \"ldap.pem\"").start().await;
    let mut wanted = order(Some("jo"), None);
    wanted.profile = None;
    server.admin.challenge(&wanted).await;
    let starttls = format!("ldap://localhost:{}", slapd.port);
    let server = make(&starttls, "ca-file = \"ldap.pem\"\nstart-tls = true").start().await;
    server.admin.challenge(&wanted).await;
    let (site, clock) = make(&url, "ca-file = \"root.pem\"").file("root.pem", "").create().await;
    std::fs::write(site.dir.join("root.pem"), lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, site.root.der())).unwrap();
    let server = TestServer::on(site, clock).await;
    assert_eq!(challenge_refused(&server, &wanted).await, (502, "server.directory".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_that_make_no_sense_keep_the_server_from_starting() {
    let good = section("ldap://127.0.0.1:1", "");
    let cases = [
        (good.replace("ldap://127.0.0.1:1", "ldap://dc.example.org"), "ldap.url must begin with ldaps://"),
        (good.replace("ldap://127.0.0.1:1", "ldap://127.0.0.1.evil.example"), "ldap.url must begin with ldaps://"),
        (good.replace("ldap://127.0.0.1:1", "ldaps://dc.example.org"), "ldap.ca-file is needed"),
        (good.replace("(sAMAccountName={name})", "(cn=jo)"), "must contain {name}"),
        (good.replace("display-name = ", "shoe-size = "), "there is no field 'shoe-size'"),
        (good.replace(READER.0, ""), "ldap.bind-dn must name an account"),
        (good.replace("timeout = \"2s\"", "timeout = \"2m\""), "ldap.timeout must be 1s to 15s"),
        (good.replace("timeout = \"2s\"", "cache = \"1h\""), "ldap.cache must be at most 5m"),
        (good.replace("ldap.secret", "empty.secret"), "is empty"),
        (good.replace("[ldap.groups]", "[ldap.group]"), "unknown field"),
    ];
    for (section, expected) in cases {
        let builder = TestServer::builder().config("[listen]", &section).file("ldap.secret", READER.1).file("empty.secret", "\n");
        let (site, clock) = builder.create().await;
        let Err(error) = open(&site.dir, Unseal::File(site.unseal.clone()), clock).await else { panic!("{section}") };
        let told = lanyard_server::error::chain(&error);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!told.contains(READER.1));
    }
}
