//! Users of a directory, devices in bulk, and groups.

use lanyard_mdm::soap::{Action, Lifetime, RequestHeader, Security, signature};
use lanyard_model::{
    key::KeyKind,
    name::{COMMON_NAME, DistinguishedName, NameAttribute},
    serial::SerialNumber,
    time::Span,
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    extension::{Extension, encode_basic_constraints},
    key::Signer,
    name, oids, pem,
    signature::SignatureAlgorithm,
};
use lanyard_testkit::{
    http::encode,
    keys::{key, rsa},
    mdm::{Door, ENROLLMENT, issue, password},
    programs::slapd::{BASE, READER, Slapd},
    server::TestServer,
};

use super::support::{PASSWORD, assert_refused, enrol, reason, start};

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
async fn a_user_of_the_directory_signs_in_with_the_password_there() {
    let slapd = Slapd::start(ENTRIES).await;
    let section = format!(
        "[ldap]\nurl = \"ldap://127.0.0.1:{}\"\nbind-dn = \"{}\"\npassword-file = \"ldap.secret\"\ntimeout = \"2s\"\n\
         [ldap.users]\nbase = \"ou=people,{BASE}\"\nfilter = \"(&(objectClass=inetOrgPerson)(sAMAccountName={{name}}))\"\n\
         attributes = {{ upn = \"userPrincipalName\" }}\n\n[listen]",
        slapd.port, READER.0
    );
    let server = TestServer::builder().config("[listen]", &section).file("ldap.secret", READER.1).start().await;
    let door = Door::first(&server);
    for (n, name) in [(0, "jo"), (1, "jo@example.org"), (2, "EXAMPLE\\jo")] {
        door.token(password(name, "jo's own secret"), &issue(n, rsa(n))).await.unwrap();
    }
    for (name, given) in [("jo", "another"), ("nobody", "jo's own secret")] {
        let wrong = door.token(password(name, given), &issue(3, rsa(3))).await;
        assert_refused(&server, wrong, "mdm.credentials", 0x8018_0002).await;
    }
}

/// A certificate that enrols devices in bulk, and its authority.
fn authority(now: lanyard_model::time::Timestamp) -> (Certificate, Certificate) {
    let named = |text: &str| name::encode(&DistinguishedName(vec![NameAttribute { oid: COMMON_NAME, value: text.into() }]));
    let (issuer_key, holder_key) = (key(KeyKind::EcP256, 9), rsa(9));
    let algorithm = SignatureAlgorithm::natural(KeyKind::EcP256);
    let issuer = named("Provisioning CA");
    let make = |subject: &str, spki: &[u8], serial: u8, extensions: &[Extension]| {
        let tbs = TbsCertificate {
            serial: &SerialNumber::from_random([serial; 16]),
            algorithm,
            issuer: &issuer,
            not_before: now - Span::from_days(1),
            not_after: now + Span::from_days(30),
            subject: &named(subject),
            spki,
            extensions,
        }
        .encode();
        let signature = issuer_key.signer.sign(algorithm, &tbs).unwrap();
        Certificate::decode(&assemble(&tbs, algorithm, &signature)).unwrap()
    };
    let ca = Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(Some(None)));
    let root = make("Provisioning CA", &issuer_key.public().spki, 1, &[ca]);
    (root, make("package", &holder_key.public().spki, 2, &[]))
}

#[tokio::test(flavor = "multi_thread")]
async fn enrollment_4_3_a_signed_request_enrols_on_the_bulk_user() {
    let (site, clock) = TestServer::builder()
        .config("authentication = [\"on-premise\", \"federated\"]", "authentication = [\"certificate\"]")
        .config("bulk-ca-files = []", "bulk-ca-files = [\"bulk.pem\"]\nbulk-user = \"user1\"")
        .create()
        .await;
    let (root, holder) = authority(lanyard_server::clock::Clock::now(clock.as_ref()));
    std::fs::write(site.dir.join("bulk.pem"), pem::encode(pem::CERTIFICATE, root.der())).unwrap();
    let server = TestServer::on(site, clock).await;
    server.admin.save_user(serde_json::json!({ "name": "user1" })).await;
    let now = server.now();
    let send = async |created: lanyard_model::time::Timestamp, n: usize| {
        let lifetime = Lifetime { created, expires: created + Span::from_secs(300) };
        let header = RequestHeader {
            action: Action::RequestSecurityToken,
            message_id: "urn:uuid:1".into(),
            to: "https://localhost".into(),
            security: Security { timestamp: Some(lifetime), ..Security::default() },
        };
        let message = signature::sign(&header, issue(n, rsa(n)).encode(), &rsa(9).signer, &holder).unwrap();
        let octets = encode("POST", ENROLLMENT, "", message.expose().as_bytes());
        Door::first(&server).exchange(&octets).await.unwrap().status
    };
    assert_eq!(send(now, 0).await, 200);
    assert_eq!(send(now - Span::from_days(1), 1).await, 500);
    assert_eq!(reason(&server).await, "mdm.bulk-certificate");
    let method = Door::first(&server).token(password("user1", PASSWORD), &issue(1, rsa(1))).await;
    assert_refused(&server, method, "mdm.method", 0x8018_0015).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_with_groups_is_for_their_users_alone() {
    let server = start(
        TestServer::builder()
            .profile("mdm", "staff-only", &[("groups = []", "groups = [\"staff\"]")])
            .config("profile = \"mdm\"", "profile = \"staff-only\""),
    )
    .await;
    assert_refused(&server, enrol(&server, 0, "user1").await, "mdm.not-assigned", 0x8018_0003).await;
    let group = serde_json::json!({ "name": "staff", "users": ["user1"] });
    let added = server.admin.call("PUT", "/groups", &serde_json::to_vec(&group).unwrap()).await;
    assert_eq!(added.status, 200, "{}", added.text());
    enrol(&server, 0, "user1").await.unwrap();
    assert_refused(&server, enrol(&server, 1, "user2").await, "mdm.not-assigned", 0x8018_0003).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_11_a_schedule_that_fits_no_certificate_keeps_the_server_from_starting() {
    for (from, to, told) in [
        ("renew-period = \"40d\"", "renew-period = \"364d\"", "would renew at once"),
        ("renew-period = \"40d\"", "renew-period = \"200d\"", "permits it"),
        ("profile = \"mdm\"", "profile = \"none\"", "there is no profile"),
        ("template = \"mdm-identity\"", "template = \"wifi\"", "not in profile"),
    ] {
        let (site, clock) = TestServer::builder().config(from, to).create().await;
        let unseal = lanyard_server::serve::Unseal::File(site.unseal.clone());
        let Err(error) = lanyard_server::serve::open(&site.dir, unseal, clock).await else { panic!("{to}") };
        assert!(error.to_string().contains(told), "{error}");
    }
}
