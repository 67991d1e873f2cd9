//! The jobs against the messages that were written down for the same purpose, and the inventory against their results.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    company_app::{CompanyApp, CompanyToken},
    eap_tls::{EapTls, Eku},
    inventory::{Inventory, Place},
    job::{Expect, Finding, Job},
    mail::MailProfile,
    management,
    pfx::{KeyLocation, PfxProfile},
    scep::{AlternativeName, KeyProtection, ScepProfile},
    trusted_certificate::{self, TrustStore, thumbprint},
    vpn::{Tunnel, VpnAuthentication, VpnProfile},
    wifi::{Security, WifiProfile},
};
use crate::{
    csp::{self, LocUri, Scope},
    syncml::{
        Command, Item, Results,
        tests::{sample, structure},
    },
    xml::{self, Limits},
};

const WIFI_ROOT: &str = "81BCAF601DC9DFEC87317D590E7CF1E0FD4D49A1";

/// The commands of a written message that are no statuses, as they are in a job: without numbers, and with addresses in the short form
/// of the Windows Phone messages made long.
fn commands(number: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = sample(number).body.commands.into_iter().filter(|command| !command.is_answer()).collect();
    commands.iter_mut().for_each(bare);
    commands
}

fn bare(command: &mut Command) {
    match command {
        Command::Request(request) => {
            request.cmd_id = 0;
            for address in request.items.iter_mut().filter_map(|item| item.target.as_mut()) {
                address.loc_uri = LocUri::parse(&address.loc_uri).unwrap().to_string();
            }
        }
        Command::Atomic(group) => {
            group.cmd_id = 0;
            group.commands.iter_mut().for_each(bare);
        }
        _ => {}
    }
}

fn value_of(commands: &[Command], end: &str) -> String {
    let mut found = None;
    for command in commands {
        command.visit(&mut |one| {
            if let Command::Request(request) = one {
                let item = request.items.iter().find(|item| item.target_uri().is_some_and(|uri| uri.ends_with(end)));
                found = found.take().or(item.and_then(|item| item.data.clone()));
            }
        });
    }
    found.unwrap()
}

pub(crate) fn scep_profile() -> ScepProfile {
    ScepProfile {
        id: "ExampleWifiDevice".into(),
        scope: Scope::Device,
        server_urls: vec!["https://scep.example.com/scep".into()],
        ekus: vec!["1.3.6.1.5.5.7.3.2".into()],
        key_usage: 160,
        subject: "CN=A0B1C2D3E4F5061728394A5B6C7D8E9F".into(),
        key_protection: KeyProtection::TpmOptional,
        retry_delay: 5,
        retry_count: 3,
        key_length: 2048,
        hash_algorithms: vec!["SHA-2".into()],
        ca_thumbprint: WIFI_ROOT.into(),
        alternative_names: vec![AlternativeName::Dns("example-pc-01.example.com".into())],
        valid_days: Some(365),
        template: None,
    }
}

pub(crate) fn wifi_root() -> Vec<u8> {
    STANDARD.decode(value_of(&commands("40"), "EncodedCertificate")).unwrap()
}

fn eap() -> EapTls {
    EapTls {
        server_names: vec!["radius.example.com".into()],
        trusted_roots: vec![WIFI_ROOT.into()],
        issuers: vec![WIFI_ROOT.into()],
        ekus: Vec::new(),
    }
}

#[test]
fn root_and_scep_are_asked_for_as_in_session_b() {
    let written = commands("31");
    let root = trusted_certificate::install(Scope::Device, TrustStore::Root, &wifi_root());
    let mut scep = scep_profile().enroll();
    assert_eq!(scep.fill.len(), 1);
    for item in scep.commands[0].items_mut() {
        if item.target_uri().unwrap() == "./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/ExampleWifiDevice/Install/Challenge"
        {
            item.data = Some(value_of(&written, "/Challenge"));
        }
    }
    assert_eq!([root.commands[0].clone(), scep.commands[0].clone()].as_slice(), written);
}

#[test]
fn the_other_jobs_are_asked_for_as_written() {
    assert_eq!(thumbprint(&wifi_root()), WIFI_ROOT);
    assert_eq!(trusted_certificate::install(Scope::Device, TrustStore::Root, &wifi_root()).commands, commands("40"));
    assert_eq!(trusted_certificate::query(Scope::Device, TrustStore::Root, &[WIFI_ROOT]).commands, commands("41"));
    assert_eq!(trusted_certificate::remove(Scope::Device, TrustStore::Root, WIFI_ROOT).commands, commands("43"));
    assert_eq!(management::query_renewal("ExampleMDM").commands, commands("46"));
    assert_eq!(management::unenroll("ExampleMDM").commands, commands("47"));

    let written = commands("44");
    let pfx = PfxProfile {
        id: "ExampleSmime".into(),
        scope: Scope::User,
        key_location: KeyLocation::Software { exportable: false },
        pfx: b"file".to_vec(),
        password: "{{PFX_PASSWORD}}".into(),
    };
    let mut made = pfx.install().commands;
    made[0].items_mut().last_mut().unwrap().data = Some("{{BASE64_PFX}}".into());
    assert_eq!(made, written);

    let mut credentials = management::change_credentials("ExampleMDM", "A0B1C2D3E4F5061728394A5B6C7D8E9F").commands;
    credentials[1].items_mut()[0].data = Some("{{NEW_SECRET}}".into());
    assert_eq!(credentials, commands("49"));

    let token = CompanyToken {
        enterprise_id: "4000000001".into(),
        token: "{{AET_TEXT}}".into(),
        certificate_subject: Some("CN=A0B1C2D3E4F5061728394A5B6C7D8E9F".into()),
        crl_check: true,
    };
    assert_eq!(token.install().commands, commands("50"));
    let app = CompanyApp {
        enterprise_id: "4000000001".into(),
        product_id: "{11111111-2222-4333-8444-555555555555}".into(),
        name: "Example App".into(),
        url: "https://apps.example.com/exampleapp.xap".into(),
        version: "2.0.0.0".into(),
    };
    assert_eq!(app.install().commands, commands("51"));

    let written = commands("35");
    assert_eq!(super::scep::query(Scope::Device, "ExampleWifiDevice").commands, written);
}

#[test]
fn wireless_is_configured_as_written() {
    let profile = WifiProfile {
        scope: Scope::Device,
        ssid: "Example-Corp".into(),
        security: Security::Wpa2,
        hidden: false,
        auto_connect: true,
        eap: eap(),
    };
    let job = profile.install().unwrap();
    let written = commands("45");
    let (made, wanted) = (value_of(&job.commands, "/WlanXml"), value_of(&written, "/WlanXml"));
    let lower = |text: &str| text.replace("4d49a1", "4D49A1").replace("4D 49 a1", "4d 49 a1");
    assert!(structure(&lower(&made)) == structure(&lower(&wanted)), "{made}\n{wanted}");
}

#[test]
fn certificates_are_selected_by_issuer_and_usage() {
    let eap = EapTls { ekus: vec![Eku { name: "Wi-Fi".into(), oid: "1.3.6.1.4.1.99999.1".into() }], ..eap() };
    let text = xml::write(&eap.host_config(), &[], false).unwrap();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(at("<CAHashList Enabled=\"true\">") < at("<EKUMapping>"));
    assert!(at("<EKUOID>1.3.6.1.4.1.99999.1</EKUOID>") < at("<ClientAuthEKUList Enabled=\"true\">"));
    let none = EapTls { issuers: Vec::new(), ekus: Vec::new(), ..eap };
    assert!(!xml::write(&none.host_config(), &[], false).unwrap().contains("TLSExtensions"));
}

#[test]
fn every_command_of_every_job_is_one_its_node_allows() {
    let vpn = VpnProfile {
        scope: Scope::User,
        name: "Office <1>".into(),
        servers: vec!["vpn.example.com".into()],
        tunnel: Tunnel::Ikev2,
        authentication: VpnAuthentication::Eap(eap()),
        always_on: true,
        trusted_networks: vec!["example.com".into()],
    };
    assert!(xml::read(vpn.profile_xml().unwrap().as_bytes(), &Limits::SYNCML).is_ok());
    let mail = MailProfile {
        guid: "{11111111-2222-4333-8444-555555555555}".into(),
        account_name: "Example".into(),
        email_address: "alex@example.com".into(),
        user_name: "alex".into(),
        domain: String::new(),
        server_name: "mail.example.com".into(),
    };
    let schedule = |count, interval| management::Schedule { count, interval };
    let poll =
        management::PollPlan { first: schedule(8, 15), second: schedule(5, 60), remaining: schedule(0, 480), on_login: true };
    let renewal = management::RenewalSettings {
        renew_period: 42,
        retry_interval: 4,
        robo: Some(true),
        server_url: Some("https://enterpriseenrollment.example.com/EnrollmentServer/Discovery.svc".into()),
    };
    let hello = ScepProfile {
        key_protection: KeyProtection::Hello { container: "c".into(), prompt: Some("p".into()) },
        template: Some("1.2.3".into()),
        ..scep_profile()
    };
    let jobs: Vec<Job> = vec![
        vpn.install().unwrap(),
        super::vpn::remove(Scope::User, "Office"),
        super::wifi::remove(Scope::Device, "Example/Corp"),
        super::scep::remove(Scope::Device, "x"),
        super::pfx::remove(Scope::User, "x"),
        mail.install(),
        super::mail::remove("{11111111-2222-4333-8444-555555555555}"),
        poll.set("ExampleMDM"),
        renewal.set(),
        hello.enroll_again(),
        management::renew_now(WIFI_ROOT),
        management::query_device("ExampleMDM"),
        super::inventory::query(Scope::Device),
        super::inventory::query(Scope::User),
        super::inventory::names(Scope::Device),
    ];
    for job in jobs {
        for command in &job.commands {
            command.visit(&mut |one| {
                let Command::Request(request) = one else { return };
                for item in &request.items {
                    let uri = LocUri::parse(item.target_uri().unwrap()).unwrap();
                    assert_eq!(uri.scope(), job.scope, "{uri}");
                    assert!(csp::find(&uri).is_some(), "{uri}");
                }
            });
        }
        if let super::job::Proof::Get(expectations) = &job.proof {
            assert!(!expectations.is_empty());
            for one in expectations {
                let uri = LocUri::parse(&one.uri).unwrap();
                assert!(csp::find(&uri).is_some_and(|found| found.node.access.allows(csp::Access::GET)), "{uri}");
            }
        }
    }
}

#[test]
fn renewal_settings_are_those_of_session_a() {
    let settings = management::RenewalSettings { renew_period: 42, retry_interval: 4, robo: None, server_url: None };
    assert_eq!(settings.set().commands[0], commands("23")[2]);
}

#[test]
fn expectations_are_judged() {
    let progress = Expect::Progress { done: vec!["1".into()], pending: vec!["2".into(), "32".into()] };
    for (value, finding) in [
        (Some("1"), Finding::Met),
        (Some("2"), Finding::Pending),
        (Some("32"), Finding::Pending),
        (Some("16"), Finding::Unmet),
        (None, Finding::Unmet),
    ] {
        assert_eq!(progress.judge(value), finding);
    }
    assert_eq!(Expect::Base64("AAAA".into()).judge(Some("AA\r\nAA")), Finding::Met);
    assert_eq!(Expect::Other("AB".into()).judge(Some("ab")), Finding::Pending);
    assert_eq!(Expect::Other("AB".into()).judge(Some("cd")), Finding::Met);
    assert_eq!(Expect::Absent.judge(Some("")), Finding::Unmet);
}

fn results(number: &str) -> Vec<Item> {
    let found = sample(number).body.commands.into_iter().filter_map(|command| match command {
        Command::Results(Results { items, .. }) => Some(items),
        _ => None,
    });
    found.flatten().collect()
}

#[test]
fn inventories_are_read_from_both_kinds_of_results() {
    let key = |place: Place, name: &str| (Scope::Device, place, name.to_owned());
    let listed = Inventory::read(&results("42"));
    assert_eq!(listed.entries.len(), 2);
    let root = &listed.entries[&key(Place::Trusted("Root".into()), WIFI_ROOT)];
    assert_eq!(root.issued_to.as_deref(), Some("Example Corp Wi-Fi Root CA"));
    assert_eq!(root.valid_to.as_deref(), Some("Fri Jan 01 00:00:00 2044"));
    let whole = Inventory::read(&results("42b"));
    assert_eq!(whole.entries[&key(Place::Trusted("Root".into()), WIFI_ROOT)].issued_by, root.issued_by);
    let scep = Inventory::read(&results("36"));
    let entry = &scep.entries[&key(Place::Scep("ExampleWifiDevice".into()), "")];
    assert_eq!(entry.thumbprint.as_deref(), Some("BA77E52F4A027408B942401E9421D3E9FCF125DC"));
    assert_eq!((entry.status, entry.error), (Some(1), Some(0)));
}
