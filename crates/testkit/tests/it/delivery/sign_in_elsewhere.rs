//! The portal where people sign in at an OpenID Connect provider, or with the password of the directory.

use lanyard_testkit::{
    oidc::{CLIENT_ID, CLIENT_SECRET, Provider, Sent},
    programs::slapd::{BASE, READER, Slapd},
    server::TestServer,
};

use super::support::{Person, add_person, form, portal};

async fn with(provider: &Provider) -> TestServer {
    let section = format!(
        "[oidc]\nissuer = \"{}\"\nclient-id = \"{CLIENT_ID}\"\nclient-secret-file = \"oidc.secret\"\nca-file = \"oidc.pem\"\n\
         allow-addresses = [\"127.0.0.0/8\", \"::1/128\"]\ntimeout = \"5s\"\n[listen]",
        provider.issuer()
    );
    let builder = portal().config("[listen]", &section).file("oidc.secret", CLIENT_SECRET);
    builder.file("oidc.pem", provider.certificate.clone()).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_comes_back_from_the_provider_signed_in() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    add_person(&server, "user1").await;
    let mut person = Person::new(&server);
    let page = person.get("/portal").await.text();
    assert!(page.contains("/portal/away") && !page.contains("password"), "{page}");
    // Nobody signs in here with a password.
    let here = person.post("/portal/sign-in", &[("user", "user1"), ("password", super::support::PASSWORD)]).await;
    assert!(here.field("location").unwrap().starts_with(&provider.issuer().replace("/api/oidc", "")) && here.status == 303);

    let away = person.get("/portal/away").await;
    let cookie = away.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let sent = Sent::to(&provider, away.field("location").unwrap());
    assert!(sent.query["redirect_uri"].ends_with("/portal/callback"), "{:?}", sent.query);
    let token = provider.token(&sent, "user1", server.now());
    let code = provider.code(&sent, &token);
    let query = form(&[("code", code.as_str()), ("state", sent.query["state"].as_str())]);
    let back = format!("/portal/callback?{query}");
    // Another browser, and the enrolment of devices, get nothing for it.
    assert_eq!(person.get(&back).await.status, 403);
    person.cookie = cookie;
    let devices = format!("/EnrollmentServer/Authentication/callback?{query}");
    assert_ne!(person.get(&devices).await.status, 200);
    let done = person.get(&back).await;
    assert_eq!((done.status, done.field("location")), (303, Some("/portal")), "{}", done.text());
    let session = done.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(person.get(&back).await.status, 403, "once");
    person.cookie = session;
    assert!(person.get("/portal").await.text().contains("Person user1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_provider_knows_and_we_do_not_is_nobody_here() {
    let provider = Provider::start().await;
    let server = with(&provider).await;
    let mut person = Person::new(&server);
    let away = person.get("/portal/away").await;
    away.field("set-cookie").unwrap().split(';').next().unwrap().clone_into(&mut person.cookie);
    let sent = Sent::to(&provider, away.field("location").unwrap());
    let token = provider.token(&sent, "stranger", server.now());
    let code = provider.code(&sent, &token);
    let back = person.get(&format!("/portal/callback?{}", form(&[("code", &code), ("state", &sent.query["state"])]))).await;
    assert!(back.status == 403 && back.field("set-cookie").is_none() && !back.text().contains("stranger"), "{}", back.text());
}

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
userPassword: jo's own secret

";

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_the_directory_gets_an_identity_with_the_password_there() {
    let slapd = Slapd::start(ENTRIES).await;
    let section = format!(
        "[ldap]\nurl = \"ldap://127.0.0.1:{}\"\nbind-dn = \"{}\"\npassword-file = \"ldap.secret\"\ntimeout = \"2s\"\n\
         [ldap.users]\nbase = \"ou=people,{BASE}\"\nfilter = \"(&(objectClass=inetOrgPerson)(sAMAccountName={{name}}))\"\n\
         attributes = {{ upn = \"userPrincipalName\" }}\n\n[listen]",
        slapd.port, READER.0
    );
    let server = portal().config("[listen]", &section).file("ldap.secret", READER.1).start().await;
    let mut person = Person::new(&server);
    for (name, password) in [("jo", "another"), ("nobody", "jo's own secret"), ("jo", "")] {
        let refused = person.post("/portal/sign-in", &[("user", name), ("password", password)]).await;
        assert!(refused.status == 403 && refused.field("set-cookie").is_none(), "{name}: {}", refused.text());
    }
    let answer = person.post("/portal/sign-in", &[("user", "jo@example.org"), ("password", "jo's own secret")]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.field("set-cookie").unwrap().split(';').next().unwrap().clone_into(&mut person.cookie);
    let token = person.token().await;
    let order = [("token", token.as_str()), ("profile", "people"), ("template", "user-client")];
    let shown = person.post("/portal/identity", &order).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    assert_eq!(server.admin.certificates().await[0].san, ["upn:jo@example.org"]);
}
