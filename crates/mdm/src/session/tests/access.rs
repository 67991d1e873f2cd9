//! Every node of every table: each command it allows is done, every other one is refused.

use super::pair::*;
use crate::{
    csp::{self, Access, Csp, Format, Limit, LocUri, NodeSpec, Occurrence, Scope},
    profile::{tests::wifi_root, trusted_certificate::thumbprint},
    session::device::{DeviceSession, ManagementTree as _, MemoryTree, Next},
    syncml::{Command, Group, Item, Request, SyncBody, SyncHdr, SyncMl, Verb, alert::LoginStatus},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

const VERBS: [(Verb, Access); 5] = [
    (Verb::Add, Access::ADD),
    (Verb::Get, Access::GET),
    (Verb::Replace, Access::REPLACE),
    (Verb::Delete, Access::DELETE),
    (Verb::Exec, Access::EXEC),
];

fn address(csp: &Csp, node: &NodeSpec, scope: Scope) -> LocUri {
    let mut uri = LocUri::new(scope, csp.base);
    for name in node.path.split('/').filter(|name| !name.is_empty()) {
        uri = uri.child(&match name {
            "<SHA1>" => thumbprint(&wifi_root()),
            "<GUID>" => "{11111111-2222-4333-8444-555555555555}".to_owned(),
            name if name.starts_with('<') => "My example".to_owned(),
            name => name.to_owned(),
        });
    }
    uri
}

fn value(node: &NodeSpec) -> String {
    match (node.default, node.limit, node.format) {
        (Some(value), _, _) => value.to_owned(),
        (_, Limit::Range(low, _), _) => low.to_string(),
        (_, Limit::OneOf(values), _) => values[0].to_owned(),
        (_, _, Format::Int | Format::Float) => "1".to_owned(),
        (_, _, Format::Bool) => "true".to_owned(),
        (_, _, Format::B64) => STANDARD.encode(wifi_root()),
        (_, _, Format::Bin) => "AAAA".to_owned(),
        (_, _, Format::Node | Format::Null) => String::new(),
        _ => "text".to_owned(),
    }
}

/// The status of one command, with a user logged on or not.
fn done(tree: &mut MemoryTree, verb: Verb, item: Item, in_atomic: bool, login: LoginStatus) -> Option<u16> {
    let mut command = Command::Request(Request::new(verb, vec![item]));
    if in_atomic {
        command = Command::Atomic(Group::new(vec![command]));
    }
    command.number(&mut 1);
    let body = SyncBody { commands: vec![command], is_final: true };
    let message = SyncMl { header: SyncHdr::new("1", 1, DEVICE, URL), body };
    let mut config = config("1");
    config.login = login;
    let (mut device, _) = DeviceSession::start(config);
    match device.receive(&message, tree) {
        Next::Send(answer) => codes(&answer).last().map(|(_, code)| *code),
        Next::Unenroll => None,
        other => panic!("{other:?}"),
    }
}

fn item(node: &NodeSpec, uri: &LocUri, verb: Verb) -> Item {
    match verb {
        Verb::Get | Verb::Delete => Item::target(uri),
        _ if node.format == Format::Node => Item::bare(uri, Format::Node),
        _ => Item::value(uri, node.format, value(node)),
    }
}

#[test]
fn each_node_allows_what_its_table_says() {
    let mut count = 0;
    for csp in csp::all() {
        for node in csp.nodes {
            for scope in [Scope::Device, Scope::User] {
                let uri = address(csp, node, scope);
                let exists = node.scopes.unwrap_or(csp.scopes).contains(scope);
                for (verb, access) in VERBS {
                    let mut tree = MemoryTree::new();
                    if verb != Verb::Add && exists {
                        if node.is_leaf() {
                            tree.set(&uri, &value(node));
                        } else {
                            tree.add(&uri, None).unwrap();
                        }
                    }
                    let in_atomic = node.atomic && verb != Verb::Get;
                    let code = done(&mut tree, verb, item(node, &uri, verb), in_atomic, LoginStatus::User);
                    let what = format!("{} {uri}", verb.as_str());
                    let want = if !exists {
                        Some(404)
                    } else if !node.access.allows(access) {
                        Some(405)
                    } else if verb == Verb::Add && node.occurrence == Occurrence::One && !node.is_leaf() {
                        Some(418)
                    } else if verb == Verb::Exec
                        && csp.name == "DMClient"
                        && uri.name() == Some("Unenroll")
                        && !uri.to_string().contains("Linked")
                    {
                        None
                    } else {
                        Some(200)
                    };
                    let linked = uri.to_string().contains("LinkedEnrollment");
                    assert!(code == want || (linked && code.is_none()), "{what}: {code:?} instead of {want:?}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 3000, "{count}");
}

#[test]
fn changes_of_renewal_and_mail_need_atomic() {
    let uri = uri("./Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewPeriod");
    let item = || Item::value(&uri, Format::Int, "60");
    let mut tree = tree();
    assert_eq!(done(&mut tree, Verb::Replace, item(), false, LoginStatus::User), Some(405));
    assert_eq!(done(&mut tree, Verb::Replace, item(), true, LoginStatus::User), Some(200));
    assert_eq!(tree.value(&uri).as_deref(), Some("60"));
}

#[test]
fn values_and_addresses_that_are_wrong_are_refused() {
    let mut tree = tree();
    let period = uri("./Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewPeriod");
    let base = "./Vendor/MSFT/RootCATrustedCertificates/Root";
    for (verb, item, in_atomic, want) in [
        (Verb::Replace, Item::value(&period, Format::Int, "1001"), true, 500),
        (Verb::Replace, Item::value(&period, Format::Int, "many"), true, 415),
        (Verb::Replace, Item::value(&period, Format::Chr, "42"), true, 415),
        (Verb::Get, Item::target("/Vendor/MSFT"), false, 400),
        (Verb::Get, Item::target("./Vendor/MSFT/NoSuchThing"), false, 404),
        (Verb::Delete, Item::target(format!("{base}?list=StructData")), false, 400),
        (Verb::Get, Item::default(), false, 400),
        (Verb::Get, Item::target("./DevDetail/SwV"), true, 500),
        (Verb::Add, Item::value(format!("{base}/{}/EncodedCertificate", "0".repeat(40)), Format::B64, "AAAA"), false, 500),
        (
            Verb::Add,
            Item::value(format!("{base}/{}/EncodedCertificate", thumbprint(&wifi_root())), Format::B64, "AA\nAA"),
            false,
            415,
        ),
    ] {
        let what = format!("{} {item:?}", verb.as_str());
        assert_eq!(done(&mut tree, verb, item, in_atomic, LoginStatus::User), Some(want), "{what}");
    }
    let users = Item::target("./User/Vendor/MSFT/WiFi/Profile");
    assert_eq!(done(&mut tree, Verb::Get, users.clone(), false, LoginStatus::Others), Some(405));
    assert_eq!(done(&mut tree, Verb::Get, users, false, LoginStatus::User), Some(200));
}

#[test]
fn original_errors_are_told() {
    let mut tree = tree();
    let period = uri("./Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewPeriod");
    let mut command = Command::Atomic(Group::new(vec![Command::Request(Request::new(
        Verb::Replace,
        vec![Item::value(&period, Format::Int, "0")],
    ))]));
    command.number(&mut 1);
    let body = SyncBody { commands: vec![command], is_final: true };
    let (mut device, _) = DeviceSession::start(config("1"));
    let Next::Send(answer) = device.receive(&SyncMl { header: SyncHdr::new("1", 1, DEVICE, URL), body }, &mut tree) else {
        panic!()
    };
    let Some(Command::Status(status)) = answer.body.commands.last() else { panic!() };
    assert_eq!(status.original_error.as_deref(), Some("0x80070057"));
}
