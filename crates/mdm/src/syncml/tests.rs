//! Every written message: it is read, means what it says, and is written again with the same structure.

use proptest::prelude::*;

use super::*;
use crate::{
    csp::{self, Format, LocUri},
    error::MdmError,
    syncml::alert::AlertCode,
    xml::{self, Element, Limits, Node},
};

/// Name and text of each message of a session that was written down.
pub(crate) fn samples() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/windows-mdm/sessions");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "xml"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name.as_str() >= "20")
        .collect();
    samples.sort();
    assert_eq!(samples.len(), 27);
    samples
}

/// The message whose name begins so.
pub(crate) fn sample(number: &str) -> SyncMl {
    let wanted = format!("{number}-");
    let (_, text) = samples().into_iter().find(|(name, _)| name.starts_with(&wanted)).unwrap();
    decode(text.as_bytes()).unwrap()
}

/// Without white space between elements, and with what is in a `Meta` in one order.
pub(crate) fn structure(text: &str) -> Element {
    fn tidy(element: &mut Element) {
        if element.children().next().is_some() {
            element.nodes.retain(|node| matches!(node, Node::Element(_)));
        }
        for node in &mut element.nodes {
            if let Node::Element(child) = node {
                tidy(child);
            }
        }
        if element.local() == "Meta" {
            element.nodes.sort_by_key(|node| match node {
                Node::Element(child) => child.local().to_owned(),
                Node::Text(_) => String::new(),
            });
        }
    }
    let mut root = xml::read(text.as_bytes(), &Limits::SYNCML).unwrap();
    tidy(&mut root);
    root
}

#[test]
fn every_sample_is_written_as_it_was_read() {
    for (name, text) in samples() {
        let message = decode(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = encode(&message).unwrap();
        assert!(structure(&written) == structure(&text), "{name}: {written}");
        assert_eq!(decode(written.as_bytes()).unwrap(), message, "{name}");
        assert!(message.body.is_final, "{name}");
    }
}

#[test]
fn every_node_of_a_sample_is_in_the_tables_and_allows_what_is_done() {
    for (name, text) in samples() {
        for command in &decode(text.as_bytes()).unwrap().body.commands {
            command.visit(&mut |one| {
                let Command::Request(request) = one else { return };
                for item in request.items.iter().filter(|item| item.target.is_some()) {
                    let uri = LocUri::parse(item.target_uri().unwrap()).unwrap();
                    let node = csp::find(&uri).unwrap_or_else(|| panic!("{name}: {uri}")).node;
                    let access = match request.verb {
                        Verb::Add => csp::Access::ADD,
                        Verb::Replace => csp::Access::REPLACE,
                        Verb::Delete => csp::Access::DELETE,
                        Verb::Get => csp::Access::GET,
                        Verb::Exec => csp::Access::EXEC,
                    };
                    assert!(node.access.allows(access), "{name}: {} {uri}", request.verb.as_str());
                    if matches!(request.verb, Verb::Add | Verb::Replace) {
                        assert_eq!(item.meta.format(), Some(node.format), "{name}: {uri}");
                        let value = item.data.as_deref().unwrap_or_default();
                        assert!(value.contains("{{") || node.accepts(value), "{name}: {uri} = {value}");
                    }
                }
            });
        }
    }
}

#[test]
fn samples_mean_what_their_page_says() {
    let first = sample("20");
    assert_eq!((first.header.session_id.as_str(), first.header.msg_id), ("1A", 1));
    assert!(first.header.cred.is_none());
    let Command::Alert(login) = &first.body.commands[1] else { panic!() };
    assert_eq!((login.code, login.items[0].trimmed()), (AlertCode::CLIENT_EVENT, "user"));

    let challenge = sample("21");
    let Command::Status(status) = &challenge.body.commands[0] else { panic!() };
    assert_eq!(status.code, StatusCode::MISSING_CREDENTIALS);
    assert_eq!(status.chal.as_ref().unwrap().meta.next_nonce.as_deref(), Some("In0rlNG43VL69peLZ6W04w=="));
    assert_eq!(challenge.header.meta.max_msg_size, Some(524_288));

    let proof = sample("22").header;
    assert_eq!(proof.source.loc_name.as_deref(), Some("A0B1C2D3E4F5061728394A5B6C7D8E9F"));
    let nonce = cred::read_nonce("In0rlNG43VL69peLZ6W04w==").unwrap();
    let inner = cred::inner("A0B1C2D3E4F5061728394A5B6C7D8E9F", "example-client-secret");
    assert!(cred::is_digest(&proof.cred.unwrap(), &inner, &nonce));

    let alert = sample("34");
    let Command::Alert(scep) = &alert.body.commands[2] else { panic!() };
    assert_eq!((scep.code, scep.items[0].meta.kind.as_deref()), (AlertCode::GENERIC, Some(super::alert::SCEP_RESULT)));

    let wifi = sample("45");
    let Command::Request(add) = &wifi.body.commands[4] else { panic!() };
    let inner = xml::read(add.items[0].data.as_deref().unwrap().as_bytes(), &Limits::SYNCML).unwrap();
    assert_eq!(inner.local(), "WLANProfile");
    assert_eq!(sample("42").body.commands.iter().filter(|command| matches!(command, Command::Results(_))).count(), 2);
}

fn with_body(body: &str) -> Result<SyncMl, MdmError> {
    let head = "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID>\
                <MsgID>1</MsgID><Target><LocURI>t</LocURI></Target><Source><LocURI>s</LocURI></Source></SyncHdr><SyncBody>";
    decode(format!("{head}{body}</SyncBody></SyncML>").as_bytes())
}

#[test]
fn hostile_and_broken_messages_are_refused() {
    for (body, code) in [
        ("<Get><Item/></Get>", "mdm.missing"),
        ("<Get><CmdID>0</CmdID></Get>", "mdm.value"),
        ("<Get><CmdID>-1</CmdID></Get>", "mdm.value"),
        ("<Get><CmdID>99999999999</CmdID></Get>", "mdm.value"),
        ("<Get><CmdID>1</CmdID><CmdID>2</CmdID></Get>", "mdm.repeated"),
        ("<Status><CmdID>1</CmdID><CmdRef>1</CmdRef><Data>many</Data></Status>", "mdm.value"),
        ("<Status><CmdID>1</CmdID><CmdRef>1</CmdRef><Data>20</Data></Status>", "mdm.value"),
        ("<Alert><CmdID>1</CmdID><Data>x</Data></Alert>", "mdm.value"),
        ("<Add><CmdID>1</CmdID><Item><Data><b/></Data></Item></Add>", "mdm.value"),
        ("<Results><CmdID>1</CmdID></Results>", "mdm.missing"),
    ] {
        assert_eq!(with_body(body).unwrap_err().code(), code, "{body}");
    }
    let many = "<Alert><CmdID>1</CmdID><Data>1201</Data></Alert>".repeat(2001);
    assert_eq!(with_body(&many).unwrap_err().code(), "mdm.xml-limit");
    let nested = format!("{}{}", "<Sequence><CmdID>1</CmdID>".repeat(5), "</Sequence>".repeat(5));
    assert_eq!(with_body(&nested).unwrap_err().code(), "mdm.xml-limit");
    assert_eq!(decode(b"<!DOCTYPE a><SyncML/>").unwrap_err().code(), "mdm.xml-forbidden");
    assert_eq!(decode(&vec![b' '; 1024 * 1024 + 1]).unwrap_err().code(), "mdm.too-large");
    assert_eq!(decode(b"<SyncML/>").unwrap_err().code(), "mdm.value");
}

#[test]
fn what_nobody_knows_is_passed_over_and_kept_apart() {
    let message = with_body("<Strange><x/></Strange><Copy><CmdID>7</CmdID><Item/></Copy><Final/>").unwrap();
    assert_eq!(message.body.commands, [Command::Other { name: "Copy".into(), cmd_id: 7 }]);
    assert!(message.body.is_final);
    let status = with_body("<Status><CmdID>1</CmdID><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>500</Data></Status>").unwrap();
    let Command::Status(status) = &status.body.commands[0] else { panic!() };
    assert_eq!(status.msg_ref, 1, "missing means 1");
}

#[test]
fn original_errors_are_read_and_written() {
    let body = "<Status xmlns:msft='http://schemas.microsoft.com/MobileDevice/MDM'><CmdID>1</CmdID><MsgRef>0</MsgRef><CmdRef>2</CmdRef>\
                <Cmd>Add</Cmd><Data msft:originalerror='0x80070057'>500</Data></Status>";
    let message = with_body(body).unwrap();
    let Command::Status(status) = &message.body.commands[0] else { panic!() };
    assert_eq!((status.msg_ref, status.original_error.as_deref()), (0, Some("0x80070057")));
    assert_eq!(decode(encode(&message).unwrap().as_bytes()).unwrap(), message);
}

#[test]
fn secrets_are_not_shown_and_unnumbered_commands_not_written() {
    let item = Item::value("./x", Format::Chr, "hush-hush");
    assert!(!format!("{item:?}").contains("hush-hush"));
    assert!(!format!("{:?}", cred::basic_cred("alex", "hush-hush")).contains(&cred::basic_cred("alex", "hush-hush").data));
    let mut message = sample("25");
    message.body.commands.push(Command::Alert(Alert::plain(AlertCode::NEXT_MESSAGE)));
    assert_eq!(encode(&message).unwrap_err().code(), "mdm.unwritable");
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß€]{0,12}"
}

fn item() -> impl Strategy<Value = Item> {
    ("[./a-zA-Z0-9%]{1,20}", prop::option::of(text()), any::<bool>(), prop::option::of("[a-z]{1,6}")).prop_map(
        |(uri, data, more_data, format)| Item {
            source: data.is_none().then(|| Address::new("./s")),
            meta: Meta { format, ..Meta::default() },
            data,
            more_data,
            ..Item::target(uri)
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let verb = prop::sample::select(vec![Verb::Add, Verb::Replace, Verb::Delete, Verb::Get, Verb::Exec]);
    let request =
        (verb, prop::collection::vec(item(), 0..3)).prop_map(|(verb, items)| Command::Request(Request::new(verb, items)));
    let status = (0_u32..9, 0_u32..9, 100_u16..999, "[A-Z][a-z]{0,6}", prop::option::of("0x[0-9a-f]{8}")).prop_map(
        |(msg, cmd, code, name, error)| {
            let mut status = Status::new(msg, cmd, &name, StatusCode::new(code).unwrap());
            status.original_error = error;
            Command::Status(status)
        },
    );
    let alert = (any::<u16>(), prop::collection::vec(item(), 0..2))
        .prop_map(|(code, items)| Command::Alert(Alert { items, ..Alert::plain(AlertCode(code)) }));
    let one = prop_oneof![request, status, alert];
    one.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(|all| Command::Atomic(Group::new(all))))
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(commands in prop::collection::vec(command(), 0..6), is_final: bool, msg in 1_u32..999) {
        let mut commands = commands;
        let mut next = 1;
        commands.iter_mut().for_each(|command| command.number(&mut next));
        let message = SyncMl { header: SyncHdr::new("1A", msg, "t", "s"), body: SyncBody { commands, is_final } };
        prop_assert_eq!(decode(encode(&message).unwrap().as_bytes()).unwrap(), message);
    }
}
