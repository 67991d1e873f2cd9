//! From octets to a message.

use super::{
    alert::AlertCode,
    message::{
        Address, Alert, Chal, Command, Cred, Group, Item, Meta, Request, Results, Status, SyncBody, SyncHdr, SyncMl, Verb,
    },
    status::StatusCode,
};
use crate::{
    error::MdmError,
    xml::{self, Element, Limits},
};

/// Namespace of a message.
pub(super) const SYNCML: &str = "SYNCML:SYNCML1.2";
/// Namespace of what is in a `Meta`.
pub(super) const METINF: &str = "syncml:metinf";
/// Namespace of `originalerror`.
pub(super) const MSFT: &str = "http://schemas.microsoft.com/MobileDevice/MDM";

/// Most commands of a message, those within others included.
const MAX_COMMANDS: usize = 2000;
/// Most items of one command.
const MAX_ITEMS: usize = 2000;
/// How deep commands may be within each other.
const MAX_NESTING: usize = 4;
/// Longest `SessionID` and `MsgID`, in octets. Windows sends at most four.
const MAX_ID: usize = 64;

/// Reads a message: at most 1 MiB, 2000 commands and 4 groups within each other.
///
/// The order of elements is not checked, and elements that nobody knows are passed over.
///
/// # Errors
/// Where the message is no XML within the limits, no SyncML, or lacks something that it cannot be answered without.
pub fn decode(octets: &[u8]) -> Result<SyncMl, MdmError> {
    let root = xml::read(octets, &Limits::SYNCML)?;
    if !root.is(SYNCML, "SyncML") {
        return Err(root.wrong("is not a SyncML 1.2 message"));
    }
    let header = header(required(&root, "SyncHdr")?)?;
    let body = required(&root, "SyncBody")?;
    let mut count = 0;
    let commands = commands(body, 0, &mut count)?;
    Ok(SyncMl { header, body: SyncBody { commands, is_final: has(body, "Final")? } })
}

fn header(element: &Element) -> Result<SyncHdr, MdmError> {
    let session = required(element, "SessionID")?;
    let session_id = text(session)?.to_owned();
    if session_id.is_empty() || session_id.len() > MAX_ID {
        return Err(session.wrong("is empty or too long"));
    }
    let msg = required(element, "MsgID")?;
    let msg_id = number(msg)?;
    if msg_id == 0 {
        return Err(msg.wrong("is not counted from 1"));
    }
    Ok(SyncHdr {
        ver_dtd: string(element, "VerDTD")?.unwrap_or_default(),
        ver_proto: string(element, "VerProto")?.unwrap_or_default(),
        session_id,
        msg_id,
        target: address(required(element, "Target")?)?,
        source: address(required(element, "Source")?)?,
        resp_uri: string(element, "RespURI")?,
        no_resp: has(element, "NoResp")?,
        cred: find(element, "Cred")?.map(cred).transpose()?,
        meta: meta(element)?,
    })
}

fn commands(parent: &Element, depth: usize, count: &mut usize) -> Result<Vec<Command>, MdmError> {
    let mut commands = Vec::new();
    for element in parent.children().filter(|element| element.namespace() == SYNCML) {
        if let Some(command) = command(element, depth, count)? {
            *count += 1;
            if *count > MAX_COMMANDS {
                return Err(MdmError::XmlLimit { what: "commands", limit: MAX_COMMANDS, at: element.at });
            }
            commands.push(command);
        }
    }
    Ok(commands)
}

/// The command, or nothing for an element that is none.
fn command(element: &Element, depth: usize, count: &mut usize) -> Result<Option<Command>, MdmError> {
    let name = element.local();
    if let Some(verb) = Verb::parse(name) {
        let request = Request {
            cmd_id: cmd_id(element)?,
            verb,
            no_resp: has(element, "NoResp")?,
            meta: meta(element)?,
            items: items(element)?,
        };
        return Ok(Some(Command::Request(request)));
    }
    Ok(Some(match name {
        "Alert" => Command::Alert(alert(element)?),
        "Status" => Command::Status(status(element)?),
        "Results" => Command::Results(results(element)?),
        "Atomic" | "Sequence" => {
            if depth >= MAX_NESTING {
                return Err(MdmError::XmlLimit {
                    what: "groups of commands within each other",
                    limit: MAX_NESTING,
                    at: element.at,
                });
            }
            let group = Group {
                cmd_id: cmd_id(element)?,
                no_resp: has(element, "NoResp")?,
                commands: commands(element, depth + 1, count)?,
            };
            if name == "Atomic" { Command::Atomic(group) } else { Command::Sequence(group) }
        }
        _ => match find(element, "CmdID")? {
            Some(id) => Command::Other { name: name.to_owned(), cmd_id: positive(id)? },
            None => return Ok(None),
        },
    }))
}

fn alert(element: &Element) -> Result<Alert, MdmError> {
    let data = required(element, "Data")?;
    let code = text(data)?.parse().map_err(|_| data.wrong("is not the number of an alert"))?;
    Ok(Alert { cmd_id: cmd_id(element)?, no_resp: has(element, "NoResp")?, code: AlertCode(code), items: items(element)? })
}

fn status(element: &Element) -> Result<Status, MdmError> {
    let data = required(element, "Data")?;
    let code = text(data)?.parse().ok().and_then(StatusCode::new).ok_or_else(|| data.wrong("is not a status"))?;
    let original_error = data.attribute(MSFT, "originalerror").map(str::to_owned);
    Ok(Status {
        cmd_id: cmd_id(element)?,
        msg_ref: find(element, "MsgRef")?.map(number).transpose()?.unwrap_or(1),
        cmd_ref: number(required(element, "CmdRef")?)?,
        cmd: string(element, "Cmd")?.unwrap_or_default(),
        target_refs: strings(element, "TargetRef")?,
        source_refs: strings(element, "SourceRef")?,
        cred: find(element, "Cred")?.map(cred).transpose()?.map(Box::new),
        chal: find(element, "Chal")?.map(|chal| Ok::<_, MdmError>(Box::new(Chal { meta: meta(chal)? }))).transpose()?,
        code,
        original_error,
        items: items(element)?,
    })
}

fn results(element: &Element) -> Result<Results, MdmError> {
    Ok(Results {
        cmd_id: cmd_id(element)?,
        msg_ref: find(element, "MsgRef")?.map(number).transpose()?,
        cmd_ref: number(required(element, "CmdRef")?)?,
        meta: meta(element)?,
        items: items(element)?,
    })
}

fn items(element: &Element) -> Result<Vec<Item>, MdmError> {
    let mut items = Vec::new();
    for one in element.all(SYNCML, "Item") {
        if items.len() == MAX_ITEMS {
            return Err(MdmError::XmlLimit { what: "items of one command", limit: MAX_ITEMS, at: one.at });
        }
        let data = match find(one, "Data")? {
            Some(data) if data.children().next().is_some() => return Err(data.wrong("contains elements that are not escaped")),
            Some(data) => Some(data.text().into_owned()),
            None => None,
        };
        items.push(Item {
            target: find(one, "Target")?.map(address).transpose()?,
            source: find(one, "Source")?.map(address).transpose()?,
            meta: meta(one)?,
            data,
            more_data: has(one, "MoreData")?,
        });
    }
    Ok(items)
}

fn address(element: &Element) -> Result<Address, MdmError> {
    Ok(Address { loc_uri: text(required(element, "LocURI")?)?.to_owned(), loc_name: string(element, "LocName")? })
}

fn cred(element: &Element) -> Result<Cred, MdmError> {
    Ok(Cred { meta: meta(element)?, data: text(required(element, "Data")?)?.to_owned() })
}

/// QUIRK(servers written by hand): they leave out the namespace of what is in a `Meta`; both are taken.
fn meta(element: &Element) -> Result<Meta, MdmError> {
    let Some(element) = find(element, "Meta")? else { return Ok(Meta::default()) };
    let one = |local| -> Result<Option<&Element>, MdmError> {
        match element.find(METINF, local)? {
            Some(found) => Ok(Some(found)),
            None => find(element, local),
        }
    };
    let word = |local| -> Result<Option<String>, MdmError> { Ok(one(local)?.map(text).transpose()?.map(str::to_owned)) };
    let size = |local| -> Result<Option<u64>, MdmError> {
        let Some(found) = one(local)? else { return Ok(None) };
        text(found)?.parse().map(Some).map_err(|_| found.wrong("is not a number of octets"))
    };
    Ok(Meta {
        format: word("Format")?,
        kind: word("Type")?,
        size: size("Size")?,
        next_nonce: word("NextNonce")?,
        max_msg_size: size("MaxMsgSize")?,
        max_obj_size: size("MaxObjSize")?,
    })
}

fn cmd_id(element: &Element) -> Result<u32, MdmError> {
    positive(required(element, "CmdID")?)
}

fn positive(element: &Element) -> Result<u32, MdmError> {
    match number(element)? {
        0 => Err(element.wrong("is not counted from 1")),
        number => Ok(number),
    }
}

fn number(element: &Element) -> Result<u32, MdmError> {
    text(element)?.parse().map_err(|_| element.wrong("is not a number"))
}

fn text(element: &Element) -> Result<&str, MdmError> {
    element.simple_text()
}

fn find<'a>(element: &'a Element, local: &str) -> Result<Option<&'a Element>, MdmError> {
    element.find(SYNCML, local)
}

fn required<'a>(element: &'a Element, local: &str) -> Result<&'a Element, MdmError> {
    element.require(SYNCML, local)
}

fn has(element: &Element, local: &str) -> Result<bool, MdmError> {
    Ok(find(element, local)?.is_some())
}

fn string(element: &Element, local: &str) -> Result<Option<String>, MdmError> {
    Ok(find(element, local)?.map(text).transpose()?.map(str::to_owned))
}

fn strings(element: &Element, local: &str) -> Result<Vec<String>, MdmError> {
    element.all(SYNCML, local).map(|one| Ok(text(one)?.to_owned())).collect()
}
