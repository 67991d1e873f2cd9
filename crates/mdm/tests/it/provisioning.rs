//! Provisioning documents.

use lanyard_mdm::{
    provisioning::{
        Account, AppAuth, Application, AuthType, CertificateStore, ClientCertificate, DefaultEncoding, DmClient, Document, Poll,
        PrivateKeyContainer, ProvisioningDocument, Renew, Schedule, SearchCriteria, Store, thumbprint,
    },
    soap::base64,
};
use lanyard_model::secret::SecretText;
use lanyard_pki::certificate::Certificate;
use proptest::prelude::*;

use crate::vectors::{self, assert_same};

const DEVICE_ID: &str = "A0B1C2D3E4F5061728394A5B6C7D8E9F";

/// The certificates of the vectors: root, intermediate, client.
fn certificates(octets: &[u8]) -> Vec<Certificate> {
    let text = std::str::from_utf8(octets).unwrap();
    let values = text.split("\"EncodedCertificate\" value=\"").skip(1);
    values.map(|rest| Certificate::decode(&base64::decode(rest.split('"').next().unwrap()).unwrap()).unwrap()).collect()
}

fn enrolment(store: Store) -> ProvisioningDocument {
    let [root, intermediate, client] = <[Certificate; 3]>::try_from(certificates(vectors::DOCUMENT_USER)).unwrap();
    let credential = |name: Option<&str>, secret: &str, nonce| AppAuth {
        auth_type: AuthType::Digest,
        name: name.map(str::to_owned),
        secret: SecretText::new(secret.into()),
        nonce: base64::decode(nonce).unwrap(),
    };
    ProvisioningDocument {
        certificate_store: CertificateStore {
            roots: vec![root],
            intermediates: vec![intermediate],
            client: ClientCertificate { store, certificate: client, container: PrivateKeyContainer::default() },
            renew: Some(Renew { robo_support: true, renew_period: 42, retry_interval: 4, server_url: None }),
        },
        application: Application {
            provider_id: "ExampleMDM".into(),
            account: Some(Account {
                name: "Example device management".into(),
                addr: "https://mdm.example.com/ManagementServer/MDM.svc".into(),
                conn_retry_freq: Some(6),
                initial_backoff_time: Some(30_000),
                max_backoff_time: Some(120_000),
                back_compat_retry_disabled: true,
                default_encoding: Some(DefaultEncoding::Xml),
                ssl_client_cert_search_criteria: Some(SearchCriteria { subject: format!("CN={DEVICE_ID}"), store: Some(store) }),
                role: None,
                proto_ver: None,
                to_napid: None,
                use_hw_dev_id: false,
                server_credential: Some(credential(None, "{{SERVER_TO_CLIENT_SECRET}}", "IoBvd+7EOg99qe/EwSd7Aw==")),
                client_credential: Some(credential(Some(DEVICE_ID), "example-client-secret", "O99t2LOY/9ztxzHWpXC6OA==")),
            }),
        },
        dm_client: Some(DmClient {
            provider_id: "ExampleMDM".into(),
            upn: Some("alex@example.com".into()),
            ent_device_name: Some("EXAMPLE-PC-01".into()),
            ent_dmid: Some("dev-000001".into()),
            poll: Some(Poll {
                first: Schedule { retries: 8, interval: 15 },
                second: Schedule { retries: 5, interval: 30 },
                remaining: Schedule { retries: 0, interval: 1560 },
                poll_on_login: Some(true),
                all_users_poll_on_first_login: None,
            }),
            ..DmClient::default()
        }),
        others: Vec::new(),
    }
}

#[test]
fn vector_07_enrolment_of_user_and_device() {
    for (octets, store) in [(vectors::DOCUMENT_USER, Store::User), (vectors::DOCUMENT_DEVICE, Store::System)] {
        let ours = enrolment(store);
        assert_same(ours.encode().unwrap().expose().as_bytes(), octets);
        let read = ProvisioningDocument::decode(octets).unwrap();
        // What was read and what was made are the same tree, so the typed forms say the same.
        assert_eq!(read.to_document(), ours.to_document());
        assert_eq!(read.to_document(), Document::decode(octets).unwrap());
        let client = &read.certificate_store.client;
        assert_eq!((client.store, thumbprint(&client.certificate).as_str()), (store, "CC1F35133DBA51BC1092CC40D850D551CC3B619D"));
        let account = read.application.account.as_ref().unwrap();
        assert_eq!(account.ssl_client_cert_search_criteria.as_ref().unwrap().subject, format!("CN={DEVICE_ID}"));
        assert_eq!(account.server_credential.as_ref().unwrap().secret.expose(), "{{SERVER_TO_CLIENT_SECRET}}");
        assert_eq!(account.client_credential.as_ref().unwrap().name.as_deref(), Some(DEVICE_ID));
        let printed = format!("{read:?} {:?}", read.to_document());
        assert!(!printed.contains("example-client-secret"), "{printed}");
    }
}

#[test]
fn vector_10_renewal() {
    let [client] = <[Certificate; 1]>::try_from(certificates(vectors::DOCUMENT_RENEWAL)).unwrap();
    let ours = ProvisioningDocument {
        certificate_store: CertificateStore {
            roots: Vec::new(),
            intermediates: Vec::new(),
            client: ClientCertificate { store: Store::User, certificate: client, container: PrivateKeyContainer::default() },
            renew: None,
        },
        application: Application { provider_id: "ExampleMDM".into(), account: None },
        dm_client: None,
        others: Vec::new(),
    };
    assert_same(ours.encode().unwrap().expose().as_bytes(), vectors::DOCUMENT_RENEWAL);
    let read = ProvisioningDocument::decode(vectors::DOCUMENT_RENEWAL).unwrap();
    assert_eq!(read.to_document(), ours.to_document());
    let old = ProvisioningDocument::decode(vectors::DOCUMENT_USER).unwrap();
    let new_key = read.certificate_store.client.certificate.public_key().unwrap();
    read.check_key(&new_key).unwrap();
    assert_eq!(old.check_key(&new_key).unwrap_err().code(), "mdm.provisioning");
}

#[test]
fn the_container_may_stand_within_the_certificate() {
    let text = std::str::from_utf8(vectors::DOCUMENT_RENEWAL).unwrap();
    let container = "<characteristic type=\"PrivateKeyContainer\"/>";
    let nested = text.replacen(container, "", 1).replacen("\"/>\n", &format!("\"/>{container}\n"), 1);
    ProvisioningDocument::decode(nested.as_bytes()).unwrap();
    let without = text.replacen(container, "", 1);
    assert_eq!(ProvisioningDocument::decode(without.as_bytes()).unwrap_err().code(), "mdm.provisioning");
}

#[test]
fn documents_that_contradict_themselves_are_refused() {
    let text = std::str::from_utf8(vectors::DOCUMENT_USER).unwrap();
    for (from, to) in [
        ("CC1F35133DBA51BC1092CC40D850D551CC3B619D", "CC1F35133DBA51BC1092CC40D850D551CC3B619E"),
        ("\"PROVIDER-ID\" value=\"ExampleMDM\"", "\"PROVIDER-ID\" value=\"OtherMDM\""),
        ("\"RetryInterval\" value=\"4\"", "\"RetryInterval\" value=\"43\""),
        ("\"RenewPeriod\" value=\"42\"", "\"RenewPeriod\" value=\"1001\""),
        ("\"RenewPeriod\" value=\"42\"", "\"RenewPeriod\" value=\"many\""),
        ("value=\"APPSRV\"", "value=\"CLIENT\""),
        ("value=\"w7\"", "value=\"w5\""),
        ("Stores=My%5CUser", "Stores=Root%5CUser"),
        ("Subject=CN%3D", "Subject=CN%G"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = ProvisioningDocument::decode(text.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(error.code(), "mdm.provisioning", "{to}: {error}");
    }
    for (from, to) in [("<parm name=\"ADDR\"", "<other name=\"ADDR\""), ("wap-provisioningdoc version", "x version")] {
        assert!(ProvisioningDocument::decode(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß€\\t\\n]{0,16}"
}

fn number() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(any::<u32>())
}

prop_compose! {
    fn account()(
        name in text(), addr in text(), numbers in [number(), number(), number(), number()],
        flags in any::<[bool; 3]>(), subject in "[ -~ä]{1,24}", store in prop::option::of(any::<bool>()),
        proto_ver in prop::option::of(text()), secret in text(), nonce in prop::collection::vec(any::<u8>(), 0..20),
    ) -> Account {
        let [conn_retry_freq, initial_backoff_time, max_backoff_time, role] = numbers;
        let store = store.map(|user| if user { Store::User } else { Store::System });
        Account {
            name: name.clone(), addr, conn_retry_freq, initial_backoff_time, max_backoff_time, role,
            back_compat_retry_disabled: flags[0], use_hw_dev_id: flags[1],
            default_encoding: Some(if flags[2] { DefaultEncoding::Xml } else { DefaultEncoding::Wbxml }),
            ssl_client_cert_search_criteria: Some(SearchCriteria { subject, store }),
            proto_ver, to_napid: None, server_credential: None,
            client_credential: Some(AppAuth {
                auth_type: AuthType::Basic, name: Some(name), secret: SecretText::new(secret), nonce,
            }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(
        account in account(), period in 1u32..=1000, retry in 1u32..=1000, robo_support: bool, server_url in prop::option::of(text()),
        upn in prop::option::of(text()), schedules in any::<[(u32, u32); 3]>(), poll_on_login in prop::option::of(any::<bool>()),
    ) {
        let mut document = enrolment(Store::User);
        document.certificate_store.renew =
            Some(Renew { robo_support, renew_period: period, retry_interval: retry.min(period), server_url });
        document.application.account = Some(account);
        let client = document.dm_client.as_mut().unwrap();
        client.upn = upn;
        let [first, second, remaining] = schedules.map(|(retries, interval)| Schedule { retries, interval });
        client.poll = Some(Poll { first, second, remaining, poll_on_login, all_users_poll_on_first_login: poll_on_login });
        let written = document.encode().unwrap();
        let read = ProvisioningDocument::decode(written.expose().as_bytes()).unwrap();
        prop_assert_eq!(read.to_document(), document.to_document());
        let criteria = |one: &ProvisioningDocument| one.application.account.as_ref().unwrap().ssl_client_cert_search_criteria.clone();
        prop_assert_eq!(criteria(&read), criteria(&document));
    }
}
