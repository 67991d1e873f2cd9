//! A real Active Directory (Samba's) behind the gateway: names, identifiers, the states of accounts, and what wrong passwords do to them.

use lanyard_testkit::{
    gateway::{
        client::basic,
        pki::{self, Identity},
        site::{Builder, TestGateway},
    },
    programs::samba::{BASE, READER, Samba, password},
    service::Service,
};

use super::{
    state::number,
    support::{BY_HEADER, echo},
};

const HOST: &str = "certificate.example.org";

async fn site(samba: &Samba, back_end: &Service) -> TestGateway {
    let address = back_end.address;
    let text = format!(
        "[[accounts]]\nname = \"corp\"\nkind = \"directory\"\nurl = \"ldaps://{}\"\nca-file = \"dc.pem\"\nbind-dn = \"{}\"\n\
         password-file = \"svc\"\nbase = \"{BASE}\"\ncache = \"0s\"\ndomain = \"CORP\"\n\
         [[application]]\nname = \"app\"\nhosts = [\"{HOST}\"]\nmode = \"certificate\"\ntrust = [\"staff\"]\naccounts = \"corp\"\n\
         back-ends = [\"http://{address}\"]\n{BY_HEADER}\n\
         [[application]]\nname = \"basic\"\nhosts = [\"basic.example.org\"]\nmode = \"basic\"\naccounts = \"corp\"\nback-ends = [\"http://{address}\"]\n{BY_HEADER}\n",
        samba.address, READER.0
    );
    let builder = Builder::new().sections(&text).head("[lockout]\nremember = \"0s\"\nattempts = 2\nwindow = \"1h\"");
    builder.file("svc", READER.1);
    builder.file("dc.pem", samba.certificate());
    builder.start().await
}

/// Who the back end was told it is, or the number of the refusal.
async fn who(gateway: &TestGateway, identity: &Identity) -> String {
    let answer = gateway.client(Some(identity)).get(HOST, "/", "").await;
    match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(echoed) => {
            let fields = echoed["fields"].as_array().unwrap();
            fields.iter().find(|f| f[0] == "x-webobjects-remote-user").unwrap()[1].as_str().unwrap().to_owned()
        }
        Err(_) => number(&answer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_active_directory_are_found_judged_and_spared() {
    let samba = Samba::start(&["alice", "bob", "carol", "dave", "erin", "frank"]).await;
    let back_end = echo().await;
    let gateway = site(&samba, &back_end).await;
    let issue = |names: &[&str], sid: Option<String>| {
        let mut wish = pki::client("x", names);
        wish.sid = sid;
        gateway.authority.issue(&wish)
    };
    let shown = samba.tool(&["user", "show", "alice", "--attributes=objectSid"]).await;
    let sid = shown.lines().find_map(|line| line.strip_prefix("objectSid: ")).expect("a SID").to_owned();
    let alice = issue(&["upn:alice@corp.test"], None);
    assert_eq!(who(&gateway, &alice).await, "alice");
    assert_eq!(who(&gateway, &issue(&[], Some(sid.clone()))).await, "alice");
    assert_eq!(who(&gateway, &issue(&["upn:alice@corp.test"], Some(sid.clone()))).await, "alice");
    assert_eq!(
        who(&gateway, &issue(&["upn:bob@corp.test"], Some(sid))).await,
        "alice",
        "the identifier comes first, and is alice's"
    );
    let other = "S-1-5-21-1-2-3-500".to_owned();
    assert_eq!(who(&gateway, &issue(&["upn:alice@corp.test"], Some(other))).await, "403.12");
    assert_eq!(who(&gateway, &issue(&["upn:nobody@corp.test"], None)).await, "403.12");
    assert_eq!(who(&gateway, &issue(&["upn:*@corp.test"], None)).await, "403.12");

    // Pinned to bob, and to two people at once.
    let pinned = issue(&[], None);
    let hash = lanyard_model::text::hex(&lanyard_pki::crypto::digest::sha1(pinned.certificate.der()));
    samba.set("bob", "altSecurityIdentities", &format!("X509:<SHA1-PUKEY>{hash}")).await;
    assert_eq!(who(&gateway, &pinned).await, "bob");
    samba.set("carol", "altSecurityIdentities", &format!("X509:<SHA1-PUKEY>{hash}")).await;
    assert_eq!(who(&gateway, &pinned).await, "403.12");

    // States.
    samba.tool(&["user", "disable", "dave"]).await;
    samba.set("erin", "accountExpires", "130000000000000000").await;
    for user in ["dave", "erin"] {
        assert_eq!(who(&gateway, &issue(&[&format!("upn:{user}@corp.test")], None)).await, "403.12", "{user}");
    }
    samba.set("frank", "pwdLastSet", "0").await;

    // Passwords, under every name a device may send.
    let client = gateway.client(None);
    let ask = |user: &str, password: &str| {
        let (client, fields) = (client.clone(), basic(user, password));
        async move { client.get("basic.example.org", "/", &fields).await.status }
    };
    for name in ["bob", "CORP\\bob", "bob@corp.test", "BOB@CORP.TEST"] {
        assert_eq!(ask(name, &password("bob")).await, 200, "{name}");
    }
    for user in ["dave", "erin", "frank"] {
        assert_eq!(ask(user, &password(user)).await, 401, "{user}");
    }
    assert_eq!(ask("OTHER\\bob", &password("bob")).await, 401);
    assert_eq!(ask("bob", "").await, 401);

    // The directory locks after five; the gateway stops trying after two, so the account and its certificate stay good.
    samba.tool(&["domain", "passwordsettings", "set", "--account-lockout-threshold=5"]).await;
    for n in 0..12 {
        assert_eq!(ask("alice", &format!("guess {n}")).await, 401);
    }
    assert_eq!(who(&gateway, &alice).await, "alice");
    assert_eq!(gateway.count("basic", "gateway.password-locked"), 10);
    // Somebody else goes on guessing elsewhere: the directory locks, and the gateway sees it.
    let url = format!("ldap://{}", samba.address);
    for n in 0..5 {
        let mut guess = tokio::process::Command::new(lanyard_testkit::programs::program("ldapwhoami", "ldap-utils"));
        guess.args(["-x", "-H", &url, "-D", "alice@corp.test", "-w", &format!("other {n}")]);
        assert!(!lanyard_testkit::programs::run(&mut guess).await.success);
    }
    assert_eq!(who(&gateway, &alice).await, "403.12");
    samba.tool(&["user", "unlock", "alice"]).await;
    assert_eq!(who(&gateway, &alice).await, "alice");
}
