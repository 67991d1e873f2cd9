//! From a message to text, with elements in the order of the document type definition: some receivers insist on it.

use super::{
    decode::{METINF, MSFT, SYNCML},
    message::{Address, Alert, Chal, Command, Cred, Group, Item, Meta, Request, Results, Status, SyncHdr, SyncMl},
};
use crate::{
    error::MdmError,
    xml::{self, Element},
};

const PREFIXES: xml::Prefixes<'static> = &[("", SYNCML), ("msft", MSFT)];

/// Writes a message, without XML declaration and without white space.
///
/// # Errors
/// [`MdmError::Unwritable`] when a text has a character that XML cannot have, or a command was not numbered.
pub fn encode(message: &SyncMl) -> Result<String, MdmError> {
    let mut body = Element::new(SYNCML, "SyncBody");
    for command in &message.body.commands {
        body.push(write_command(command)?);
    }
    if message.body.is_final {
        body.push(Element::new(SYNCML, "Final"));
    }
    let root = Element::new(SYNCML, "SyncML").child(write_header(&message.header)).child(body);
    xml::write(&root, PREFIXES, false)
}

/// How many octets a command takes when it is written.
///
/// # Errors
/// As [`encode`], but for numbers.
pub(crate) fn size_of(command: &Command) -> Result<usize, MdmError> {
    let mut numbered = command.clone();
    numbered.number(&mut 1_000_000);
    let text = xml::write(&write_command(&numbered)?, PREFIXES, false)?;
    // As the root it declares the namespaces, which it does not within a message.
    Ok(text.len().saturating_sub(" xmlns=\"\" xmlns:msft=\"\"".len() + SYNCML.len() + MSFT.len()))
}

fn write_header(header: &SyncHdr) -> Element {
    let mut element = Element::new(SYNCML, "SyncHdr")
        .leaf("VerDTD", header.ver_dtd.as_str())
        .leaf("VerProto", header.ver_proto.as_str())
        .leaf("SessionID", header.session_id.as_str())
        .leaf("MsgID", header.msg_id.to_string())
        .child(write_address("Target", &header.target))
        .child(write_address("Source", &header.source));
    if let Some(uri) = &header.resp_uri {
        element = element.leaf("RespURI", uri.as_str());
    }
    push_no_resp(&mut element, header.no_resp);
    push_cred(&mut element, header.cred.as_ref());
    push_meta(&mut element, &header.meta);
    element
}

fn write_command(command: &Command) -> Result<Element, MdmError> {
    if command.cmd_id() == 0 {
        return Err(MdmError::Unwritable("a command has no number"));
    }
    match command {
        Command::Alert(alert) => Ok(write_alert(alert)),
        Command::Request(request) => Ok(write_request(request)),
        Command::Atomic(group) => write_group("Atomic", group),
        Command::Sequence(group) => write_group("Sequence", group),
        Command::Status(status) => Ok(write_status(status)),
        Command::Results(results) => Ok(write_results(results)),
        Command::Other { name, cmd_id } => Ok(Element::new(SYNCML, name.clone()).leaf("CmdID", cmd_id.to_string())),
    }
}

fn start(name: &'static str, cmd_id: u32) -> Element {
    Element::new(SYNCML, name).leaf("CmdID", cmd_id.to_string())
}

fn write_alert(alert: &Alert) -> Element {
    let mut element = start("Alert", alert.cmd_id);
    push_no_resp(&mut element, alert.no_resp);
    element = element.leaf("Data", alert.code.to_string());
    element.children_of(alert.items.iter().map(write_item))
}

fn write_request(request: &Request) -> Element {
    let mut element = start(request.verb.as_str(), request.cmd_id);
    push_no_resp(&mut element, request.no_resp);
    push_meta(&mut element, &request.meta);
    element.children_of(request.items.iter().map(write_item))
}

fn write_group(name: &'static str, group: &Group) -> Result<Element, MdmError> {
    let mut element = start(name, group.cmd_id);
    push_no_resp(&mut element, group.no_resp);
    for command in &group.commands {
        element.push(write_command(command)?);
    }
    Ok(element)
}

fn write_status(status: &Status) -> Element {
    let mut element = start("Status", status.cmd_id)
        .leaf("MsgRef", status.msg_ref.to_string())
        .leaf("CmdRef", status.cmd_ref.to_string())
        .leaf("Cmd", status.cmd.as_str());
    for target in &status.target_refs {
        element = element.leaf("TargetRef", target.as_str());
    }
    for source in &status.source_refs {
        element = element.leaf("SourceRef", source.as_str());
    }
    push_cred(&mut element, status.cred.as_deref());
    if let Some(Chal { meta }) = status.chal.as_deref() {
        let mut chal = Element::new(SYNCML, "Chal");
        push_meta(&mut chal, meta);
        element.push(chal);
    }
    let mut data = Element::new(SYNCML, "Data").with_text(status.code.to_string());
    if let Some(error) = &status.original_error {
        data = data.with_attribute(MSFT, "originalerror", error.as_str());
    }
    element.push(data);
    element.children_of(status.items.iter().map(write_item))
}

fn write_results(results: &Results) -> Element {
    let mut element = start("Results", results.cmd_id);
    if let Some(msg_ref) = results.msg_ref {
        element = element.leaf("MsgRef", msg_ref.to_string());
    }
    element = element.leaf("CmdRef", results.cmd_ref.to_string());
    push_meta(&mut element, &results.meta);
    element.children_of(results.items.iter().map(write_item))
}

fn write_item(item: &Item) -> Element {
    let mut element = Element::new(SYNCML, "Item");
    if let Some(target) = &item.target {
        element.push(write_address("Target", target));
    }
    if let Some(source) = &item.source {
        element.push(write_address("Source", source));
    }
    push_meta(&mut element, &item.meta);
    if let Some(data) = &item.data {
        element = element.leaf("Data", data.as_str());
    }
    if item.more_data {
        element.push(Element::new(SYNCML, "MoreData"));
    }
    element
}

fn write_address(name: &'static str, address: &Address) -> Element {
    let element = Element::new(SYNCML, name).leaf("LocURI", address.loc_uri.as_str());
    match &address.loc_name {
        Some(name) => element.leaf("LocName", name.as_str()),
        None => element,
    }
}

fn push_no_resp(element: &mut Element, no_resp: bool) {
    if no_resp {
        element.push(Element::new(SYNCML, "NoResp"));
    }
}

fn push_cred(element: &mut Element, cred: Option<&Cred>) {
    if let Some(cred) = cred {
        let mut child = Element::new(SYNCML, "Cred");
        push_meta(&mut child, &cred.meta);
        element.push(child.leaf("Data", cred.data.as_str()));
    }
}

fn push_meta(element: &mut Element, meta: &Meta) {
    if meta.is_empty() {
        return;
    }
    let mut child = Element::new(SYNCML, "Meta");
    for (name, value) in [
        ("Format", meta.format.clone()),
        ("Type", meta.kind.clone()),
        ("Size", meta.size.map(|size| size.to_string())),
        ("NextNonce", meta.next_nonce.clone()),
        ("MaxMsgSize", meta.max_msg_size.map(|size| size.to_string())),
        ("MaxObjSize", meta.max_obj_size.map(|size| size.to_string())),
    ] {
        if let Some(value) = value {
            child.push(Element::new(METINF, name).with_text(value));
        }
    }
    element.push(child);
}
