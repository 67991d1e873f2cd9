//! Certificates and passwords of people in a directory that looks like Active Directory.

use std::time::{Duration, Instant};

use lanyard_testkit::{
    gateway::{
        client::basic,
        pki::{self, Identity},
        site::{Builder, TestGateway},
    },
    programs::slapd::{BASE, READER, Slapd},
    service::Service,
};

use super::support::{BY_HEADER, echo};

const HOST: &str = "certificate.example.org";

fn person(cn: &str, more: &str) -> String {
    let login = cn.to_lowercase();
    format!(
        "dn: cn={cn},ou=people,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: account-like\ncn: {cn}\nsn: {cn}\nsAMAccountName: {login}\n\
         userPrincipalName: {login}@corp.test\nmail: {login}@example.org\nuserPassword: {login}pw\n{more}\n"
    )
}

async fn site(slapd: &Slapd, back_end: &Service, mapping: &str) -> TestGateway {
    let address = back_end.address;
    let text = format!(
        "[[accounts]]\nname = \"corp\"\nkind = \"directory\"\nurl = \"ldap://127.0.0.1:{}\"\nbind-dn = \"{}\"\npassword-file = \"ldap.secret\"\n\
         base = \"ou=people,{BASE}\"\nfilter = \"(objectClass=inetOrgPerson)\"\ncache = \"0s\"\ntimeout = \"2s\"\ndomain = \"CORP\"\n\
         [[application]]\nname = \"app\"\nhosts = [\"{HOST}\"]\nmode = \"certificate\"\ntrust = [\"staff\"]\naccounts = \"corp\"\n\
         back-ends = [\"http://{address}\"]\n{BY_HEADER}\n{mapping}\n\
         [[application]]\nname = \"basic\"\nhosts = [\"basic.example.org\"]\nmode = \"basic\"\naccounts = \"corp\"\nback-ends = [\"http://{address}\"]\n{BY_HEADER}\n\
         [[application]]\nname = \"both\"\nhosts = [\"both.example.org\"]\nmode = \"both\"\ntrust = [\"staff\"]\naccounts = \"corp\"\n\
         back-ends = [\"http://{address}\"]\n{BY_HEADER}\n",
        slapd.port, READER.0
    );
    let builder = Builder::new().sections(&text).head("[lockout]\nremember = \"0s\"\nattempts = 100");
    builder.file("ldap.secret", READER.1);
    builder.start().await
}

/// Who the back end was told it is, or the number of the refusal.
async fn who(gateway: &TestGateway, identity: &Identity) -> String {
    let answer = gateway.client(Some(identity)).get(HOST, "/", "").await;
    let text = answer.text();
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(echoed) => {
            let fields = echoed["fields"].as_array().unwrap();
            fields.iter().find(|f| f[0] == "x-webobjects-remote-user").unwrap()[1].as_str().unwrap().to_owned()
        }
        Err(_) => text.split(' ').next().unwrap().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_lead_to_one_account_that_may_enter_or_to_none() {
    let people = [
        person("Alice", "objectSid: S-1-5-21-1-2-3-1001\nuserAccountControl: 512\naccountExpires: 9223372036854775807\n"),
        person("Disabled", "userAccountControl: 514\n"),
        person("Locked", "userAccountControl: 512\nlockoutTime: 133000000000000000\n"),
        person("Expired", "userAccountControl: 512\naccountExpires: 130000000000000000\n"),
        person("Twin1", "userAccountControl: 512\n").replace("twin1@corp.test", "twin@corp.test"),
        person("Twin2", "userAccountControl: 512\n").replace("twin2@corp.test", "twin@corp.test"),
        person("Star", "").replace("star@corp.test", "a*@corp.test"),
    ];
    let units = format!("dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n");
    let mut slapd = Slapd::start(&(units + &people.concat())).await;
    let back_end = echo().await;
    let gateway = site(&slapd, &back_end, "mapping = [\"sid\", \"upn\"]").await;
    let issue = |subject: &str, names: &[&str], sid: Option<&str>| {
        let mut wish = pki::client(subject, names);
        wish.sid = sid.map(str::to_owned);
        gateway.authority.issue(&wish)
    };
    let alice = issue("Alice", &["upn:ALICE@corp.test"], None);
    let cases = [
        (issue("x", &["upn:alice@corp.test"], Some("S-1-5-21-1-2-3-1001")), "alice"),
        (issue("x", &[], Some("S-1-5-21-1-2-3-1001")), "alice"),
        (issue("x", &["uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1001"], None), "alice"),
        // A name of alice with the identifier of somebody else.
        (issue("x", &["upn:alice@corp.test"], Some("S-1-5-21-1-2-3-1002")), "403.12"),
        (issue("x", &["upn:disabled@corp.test"], None), "403.12"),
        (issue("x", &["upn:locked@corp.test"], None), "403.12"),
        (issue("x", &["upn:expired@corp.test"], None), "403.12"),
        (issue("x", &["upn:twin@corp.test"], None), "403.12"),
        (issue("x", &["upn:nobody@corp.test"], None), "403.12"),
        (issue("x", &["email:alice@example.org"], None), "403.12"),
        (issue("x", &["upn:a*@corp.test"], None), "star"),
        (issue("x", &["upn:*@corp.test"], None), "403.12"),
        (issue("x", &["upn:alice)(cn=*@corp.test"], None), "403.12"),
        (issue("x", &["upn:alice\\2a@corp.test"], None), "403.12"),
    ];
    for (n, (identity, expected)) in cases.iter().enumerate() {
        assert_eq!(&who(&gateway, identity).await, expected, "case {n}");
    }
    assert_eq!(who(&gateway, &alice).await, "alice");
    // Disabled: no longer, with what the directory says now.
    let change = format!("dn: cn=Alice,ou=people,{BASE}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: ");
    slapd.modify(&format!("{change}514\n")).await;
    assert_eq!(who(&gateway, &alice).await, "403.12");
    slapd.modify(&format!("{change}512\n")).await;
    assert_eq!(who(&gateway, &alice).await, "alice");
    // Without the directory nothing is known: an outage, for certificates as for passwords.
    slapd.pause().await;
    let before = Instant::now();
    assert_eq!(who(&gateway, &alice).await, "503");
    let answer = gateway.client(None).get("basic.example.org", "/", &basic("alice", "alicepw")).await;
    assert_eq!((answer.status, answer.field("retry-after").is_some()), (503, true));
    assert!(before.elapsed() < Duration::from_secs(10));
    slapd.go_on().await;
    assert_eq!(who(&gateway, &alice).await, "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn alt_security_identities_pin_a_certificate_in_each_strong_form_and_weak_ones_only_where_allowed() {
    let units = format!("dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n");
    let slapd = Slapd::start(&(units + &person("Alice", "userAccountControl: 512\n"))).await;
    let back_end = echo().await;
    let gateway = site(&slapd, &back_end, "mapping = [\"alt-security-identities\"]").await;
    let mut wish = pki::client("alice", &["email:alice@example.org"]);
    wish.serial = Some(vec![0x2b, 0, 0, 0, 0, 0x11, 0xac, 0, 0, 0, 0, 0x12]);
    wish.sid = Some("S-1-5-21-1-2-3-4".to_owned());
    let alice = gateway.authority.issue(&wish);
    let other = gateway.authority.issue(&pki::client("alice", &["email:alice@example.org"]));
    let hash = |octets: &[u8]| lanyard_model::text::hex(&lanyard_pki::crypto::digest::sha1(octets));
    let certificate = &alice.certificate;
    let key = lanyard_pki::spki::subject_public_key(certificate.spki_der()).unwrap();
    let ski = lanyard_model::text::hex(&certificate.subject_key_identifier().unwrap());
    let strong = [
        "X509:<I>CN=Client Root,O=Example<SR>1200000000AC11000000002B".to_owned(),
        format!("X509:<SKI>{ski}"),
        format!("X509:<SHA1-PUKEY>{}", hash(certificate.der())),
        format!("X509:<SHA1-PUKEY>{}", hash(certificate.spki_der()).to_uppercase()),
        format!("X509:<SHA1-PUKEY>{}", hash(key)),
        "x509:<i>cn=client root,o=example<SID>S-1-5-21-1-2-3-4".to_owned(),
    ];
    let weak =
        ["X509:<I>CN=Client Root,O=Example<S>CN=alice,O=Example", "X509:<S>CN=alice,O=Example", "X509:<RFC822>alice@example.org"];
    let set = |value: String| {
        format!(
            "dn: cn=Alice,ou=people,{BASE}\nchangetype: modify\nreplace: altSecurityIdentities\naltSecurityIdentities: {value}\n"
        )
    };
    for value in strong {
        slapd.modify(&set(value.clone())).await;
        assert_eq!(who(&gateway, &alice).await, "alice", "{value}");
        assert_eq!(who(&gateway, &other).await, "403.12", "{value}");
    }
    // The serial number the wrong way round, as it stands in most viewers.
    slapd.modify(&set("X509:<I>CN=Client Root,O=Example<SR>2B0000000011AC0000000012".into())).await;
    assert_eq!(who(&gateway, &alice).await, "403.12");
    for value in weak {
        slapd.modify(&set(value.into())).await;
        assert_eq!(who(&gateway, &alice).await, "403.12", "{value}");
    }
    gateway.change("\"alt-security-identities\"", "\"weak-alt-security-identities\"").unwrap();
    for value in weak {
        slapd.modify(&set(value.into())).await;
        assert_eq!(who(&gateway, &alice).await, "alice", "{value}");
        assert_eq!(who(&gateway, &other).await, "alice", "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_tried_at_the_directory_and_names_are_compared_as_accounts() {
    let units = format!("dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n");
    let slapd = Slapd::start(
        &(units
            + &person("Alice", "userAccountControl: 512\n")
            + &person("Bob", "")
            + &person("Gone", "userAccountControl: 514\n")),
    )
    .await;
    let back_end = echo().await;
    let gateway = site(&slapd, &back_end, "").await;
    let client = gateway.client(None);
    for (user, password, status) in [
        ("alice", "alicepw", 200),
        ("CORP\\alice", "alicepw", 200),
        ("corp\\Alice", "alicepw", 200),
        ("alice@corp.test", "alicepw", 200),
        ("alice@example.org", "alicepw", 200),
        ("OTHER\\alice", "alicepw", 401),
        ("alice", "", 401),
        ("alice", "bobpw", 401),
        ("nobody", "alicepw", 401),
        ("*", "alicepw", 401),
        ("alice)(cn=*", "alicepw", 401),
        ("cn=Alice,ou=people,dc=example,dc=org", "alicepw", 401),
        ("gone", "gonepw", 401),
    ] {
        let answer = client.get("basic.example.org", "/", &basic(user, password)).await;
        assert_eq!(answer.status, status, "{user} {password}: {}", answer.text());
    }
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let with = gateway.client(Some(&alice));
    for user in ["alice", "CORP\\alice", "alice@corp.test", "alice@example.org"] {
        assert_eq!(with.get("both.example.org", "/", &basic(user, "alicepw")).await.status, 200, "{user}");
    }
    assert_eq!(with.get("both.example.org", "/", &basic("bob", "bobpw")).await.text().split(' ').next(), Some("403.12"));
    assert_eq!(with.get("both.example.org", "/", &basic("alice", "bobpw")).await.status, 401);
}
