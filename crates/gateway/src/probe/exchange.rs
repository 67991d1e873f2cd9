//! Commands of ActiveSync, as far as a tester needs them: FolderSync, the first half of Provision, Ping ([MS-ASCMD], [MS-ASHTTP]).
//!
//! The second half of Provision would promise to keep policies that nobody keeps here; it is never sent.

use ::http::Method;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    answer::{Sent, of_status},
    http::{Answer, Ask},
    plan::{Device, Plan},
    verdict::Verdict,
};
use crate::activesync::wbxml::{Element, Tag, decode, encode};

const FOLDER_SYNC: Tag = Tag(7, 0x16);
const FOLDER_STATUS: Tag = Tag(7, 0x0c);
const SYNC_KEY: Tag = Tag(7, 0x12);
const CHANGES: Tag = Tag(7, 0x0e);
const ADD: Tag = Tag(7, 0x0f);
const DISPLAY_NAME: Tag = Tag(7, 0x07);
const SERVER_ID: Tag = Tag(7, 0x08);
const FOLDER_TYPE: Tag = Tag(7, 0x0a);
const PING: Tag = Tag(13, 0x05);
const PING_STATUS: Tag = Tag(13, 0x07);
const HEARTBEAT: Tag = Tag(13, 0x08);
const PROVISION: Tag = Tag(14, 0x05);
const POLICIES: Tag = Tag(14, 0x06);
const POLICY: Tag = Tag(14, 0x07);
const POLICY_TYPE: Tag = Tag(14, 0x08);
const POLICY_DATA: Tag = Tag(14, 0x0a);
const PROVISION_STATUS: Tag = Tag(14, 0x0b);
const REMOTE_WIPE: Tag = Tag(14, 0x0c);
const DEVICE_INFORMATION: Tag = Tag(18, 0x16);
const SET: Tag = Tag(18, 0x08);
const MODEL: Tag = Tag(18, 0x17);
const USER_AGENT: Tag = Tag(18, 0x20);

/// The inbox, as the type of a folder.
const INBOX: &str = "2";
/// Versions that we speak, best first, in tenths.
const VERSIONS: [u8; 7] = [161, 160, 141, 140, 121, 120, 25];

/// How the query is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `Cmd=…&User=…`.
    Plain,
    /// Base64 of octets, from 12.1 on.
    Encoded,
}

/// The best version that both sides speak, in tenths, from the header `MS-ASProtocolVersions`; 14.1 where there is none.
#[must_use]
pub fn best_version(told: Option<&str>) -> u8 {
    let Some(told) = told else { return 141 };
    let theirs: Vec<String> = told.split(',').map(|one| one.trim().to_owned()).collect();
    VERSIONS.into_iter().find(|ours| theirs.contains(&version_text(*ours))).unwrap_or(141)
}

/// A version as it is written.
#[must_use]
pub fn version_text(version: u8) -> String {
    format!("{}.{}", version / 10, version % 10)
}

/// A folder of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// `ServerId`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its type.
    pub kind: String,
}

/// A command on its way.
#[derive(Debug)]
pub struct Command {
    name: &'static str,
    code: u8,
    body: Element,
}

impl Command {
    /// The folders of the mailbox, from the beginning.
    #[must_use]
    pub fn folder_sync() -> Self {
        Self { name: "FolderSync", code: 9, body: Element::with(FOLDER_SYNC, vec![Element::text(SYNC_KEY, "0")]) }
    }

    /// What the server wants of devices.
    #[must_use]
    pub fn provision(version: u8, device: &Device) -> Self {
        let kind = if version < 120 { "MS-WAP-Provisioning-XML" } else { "MS-EAS-Provisioning-WBXML" };
        let mut inner = Vec::new();
        if version >= 141 {
            let about = vec![Element::text(MODEL, &device.kind), Element::text(USER_AGENT, &device.agent)];
            inner.push(Element::with(DEVICE_INFORMATION, vec![Element::with(SET, about)]));
        }
        let policy = Element::with(POLICY, vec![Element::text(POLICY_TYPE, kind)]);
        inner.push(Element::with(POLICIES, vec![policy]));
        Self { name: "Provision", code: 20, body: Element::with(PROVISION, inner) }
    }

    /// A request that is held until something changes in a folder, or so many seconds have passed.
    #[must_use]
    pub fn ping(seconds: u32, folder: &Folder) -> Self {
        const FOLDERS: Tag = Tag(13, 0x09);
        const FOLDER: Tag = Tag(13, 0x0a);
        const ID: Tag = Tag(13, 0x0b);
        const CLASS: Tag = Tag(13, 0x0c);
        let one = Element::with(FOLDER, vec![Element::text(ID, &folder.id), Element::text(CLASS, "Email")]);
        let body = vec![Element::text(HEARTBEAT, &seconds.to_string()), Element::with(FOLDERS, vec![one])];
        Self { name: "Ping", code: 18, body: Element::with(PING, body) }
    }

    /// The request.
    #[must_use]
    pub fn ask<'a>(&self, plan: &'a Plan, authority: &'a str, password: bool, version: u8, form: Form) -> Ask<'a> {
        let user = plan.user.as_ref().map_or("", |(user, _)| user.as_str());
        let query = match form {
            Form::Plain => format!(
                "Cmd={}&User={}&DeviceId={}&DeviceType={}",
                self.name,
                escape(user),
                escape(&plan.device.id),
                escape(&plan.device.kind)
            ),
            Form::Encoded => escape(&self.encoded_query(version, &plan.device)),
        };
        Ask {
            method: Method::POST,
            target: format!("{}?{query}", plan.target.path),
            authority,
            agent: &plan.device.agent,
            user: plan.user.as_ref().filter(|_| password),
            headers: vec![
                ("ms-asprotocolversion", version_text(version)),
                ("content-type", "application/vnd.ms-sync.wbxml".into()),
                ("accept", "*/*".into()),
            ],
            body: encode(&self.body),
        }
    }

    /// [MS-ASHTTP] section 2.2.1.1.1.1.
    fn encoded_query(&self, version: u8, device: &Device) -> String {
        let mut octets = vec![version, self.code, 0x09, 0x04];
        let mut counted = |text: &[u8]| {
            let text = text.get(..text.len().min(255)).unwrap_or_default();
            octets.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            octets.extend_from_slice(text);
        };
        counted(device.id.as_bytes());
        counted(&[]);
        counted(device.kind.as_bytes());
        STANDARD.encode(octets)
    }
}

/// Percent-encodes all but letters, digits and `-._~`.
fn escape(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            // Writing to text cannot fail.
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out
}

/// What a status in a body means, whatever the command ([MS-ASCMD] section 2.2.2).
const fn of_common(status: u32) -> Option<Verdict> {
    match status {
        126 | 131 => Some(Verdict::EasUserDisabled),
        129 => Some(Verdict::EasDeviceBlocked),
        130 => Some(Verdict::EasDenied),
        139..=145 => Some(Verdict::ProvisionFirst),
        177 => Some(Verdict::EasTooManyDevices),
        110 | 111 => Some(Verdict::Unavailable),
        _ => None,
    }
}

fn status_of(root: &Element, own: Tag) -> Option<u32> {
    root.child(own).and_then(Element::value).and_then(|text| text.trim().parse().ok())
}

/// What an answer to FolderSync says: verdict, what to show, and the folders.
#[must_use]
pub fn of_folder_sync(answer: &Answer, sent: Sent) -> (Verdict, Vec<String>, Vec<Folder>) {
    let mut seen = answer.shown();
    if !(200..300).contains(&answer.status) {
        return (of_status(answer, sent), seen, Vec::new());
    }
    let Ok(root) = decode(&answer.body) else { return (Verdict::EasUnreadable, seen, Vec::new()) };
    let status = status_of(&root, FOLDER_STATUS).unwrap_or(0);
    seen.push(format!("Status {status}"));
    let verdict = match status {
        1 => Verdict::FoldersListed,
        9 => Verdict::EasSyncKey,
        other => of_common(other).unwrap_or(Verdict::EasFault),
    };
    let added = root.child(CHANGES).into_iter().flat_map(|changes| changes.children().filter(|one| one.tag == ADD));
    let folders: Vec<Folder> = added
        .filter_map(|one| {
            let text = |tag| one.value_of(tag).map(lanyard_model::text::printable);
            Some(Folder { id: one.value_of(SERVER_ID)?.to_owned(), name: text(DISPLAY_NAME)?, kind: text(FOLDER_TYPE)? })
        })
        .collect();
    if verdict == Verdict::FoldersListed {
        let names: Vec<&str> = folders.iter().take(12).map(|folder| folder.name.as_str()).collect();
        seen.push(format!("{} folders: {}", folders.len(), names.join(", ")));
    }
    (verdict, seen, folders)
}

/// The folder to wait for: the inbox, or the first.
#[must_use]
pub fn folder_to_watch(folders: &[Folder]) -> Option<&Folder> {
    folders.iter().find(|folder| folder.kind == INBOX).or_else(|| folders.first())
}

/// What an answer to the first half of Provision says.
#[must_use]
pub fn of_provision(answer: &Answer, sent: Sent) -> (Verdict, Vec<String>) {
    let mut seen = answer.shown();
    if !(200..300).contains(&answer.status) {
        return (of_status(answer, sent), seen);
    }
    let Ok(root) = decode(&answer.body) else { return (Verdict::EasUnreadable, seen) };
    if root.find(REMOTE_WIPE).is_some() {
        return (Verdict::WipeTold, seen);
    }
    let status = status_of(&root, PROVISION_STATUS).unwrap_or(0);
    seen.push(format!("Status {status}"));
    if status != 1 {
        return (of_common(status).unwrap_or(Verdict::EasFault), seen);
    }
    let Some(data) = root.find(POLICY_DATA) else { return (Verdict::NoPolicies, seen) };
    let settings = data.children().next().map_or(0, |document| document.children().count());
    seen.push(format!("a policy with {settings} settings"));
    (Verdict::PoliciesTold, seen)
}

/// What an answer to Ping says; `wanted` seconds were asked for.
#[must_use]
pub fn of_ping(answer: &Answer, sent: Sent, wanted: u32) -> (Verdict, Vec<String>) {
    let mut seen = answer.shown();
    let after = answer.ms / 1000;
    if matches!(answer.status, 502 | 504) && after < u64::from(wanted) {
        seen.push(format!("cut after {after} s"));
        return (Verdict::PingCut, seen);
    }
    if !(200..300).contains(&answer.status) {
        return (of_status(answer, sent), seen);
    }
    let Ok(root) = decode(&answer.body) else { return (Verdict::EasUnreadable, seen) };
    let status = status_of(&root, PING_STATUS).unwrap_or(0);
    seen.push(format!("Status {status} after {after} s"));
    if let Some(allowed) = root.value_of(HEARTBEAT) {
        seen.push(format!("HeartbeatInterval {}", lanyard_model::text::printable(allowed)));
    }
    let verdict = match status {
        1 => Verdict::PingHeld,
        2 => Verdict::PingChanges,
        5 => Verdict::PingHeartbeat,
        other => of_common(other).unwrap_or(Verdict::EasFault),
    };
    (verdict, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activesync::query::read;

    #[test]
    fn both_query_forms_are_read_alike_by_the_gateway() {
        let device = Device { id: "v140Device".into(), kind: "SmartPhone".into(), agent: "a".into() };
        let command = Command { name: "Sync", code: 0, body: Element::with(FOLDER_SYNC, Vec::new()) };
        assert_eq!(command.encoded_query(140, &device), "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l");
        let query = read(Some(&escape(&command.encoded_query(140, &device)))).unwrap();
        assert_eq!((query.device_id.as_deref(), query.command.as_deref()), (Some("v140Device"), Some("Sync")));
        assert_eq!(escape("corp\\älice"), "corp%5C%C3%A4lice");
    }

    #[test]
    fn the_best_common_version_is_taken() {
        assert_eq!(best_version(Some("2.0,2.1,2.5,12.0,12.1,14.0,14.1")), 141);
        assert_eq!(best_version(Some("2.5, 12.1")), 121);
        assert_eq!(best_version(None), 141);
    }

    fn answer(status: u16, body: &Element) -> Answer {
        Answer { status, line: String::new(), headers: ::http::HeaderMap::new(), body: encode(body), ms: 12_000 }
    }

    const SENT: Sent = Sent { tls: true, certificate: false, password: true, eas: true };

    #[test]
    fn statuses_in_bodies_have_their_verdicts() {
        let folder_sync = |status: &str| answer(200, &Element::with(FOLDER_SYNC, vec![Element::text(FOLDER_STATUS, status)]));
        for (status, expected) in [
            ("1", Verdict::FoldersListed),
            ("9", Verdict::EasSyncKey),
            ("142", Verdict::ProvisionFirst),
            ("126", Verdict::EasUserDisabled),
            ("129", Verdict::EasDeviceBlocked),
            ("130", Verdict::EasDenied),
            ("177", Verdict::EasTooManyDevices),
            ("6", Verdict::EasFault),
        ] {
            assert_eq!(of_folder_sync(&folder_sync(status), SENT).0, expected, "{status}");
        }
        assert_eq!(of_folder_sync(&answer(449, &Element::with(FOLDER_SYNC, vec![])), SENT).0, Verdict::ProvisionFirst);
        let ping = |status: &str| answer(200, &Element::with(PING, vec![Element::text(PING_STATUS, status)]));
        assert_eq!(of_ping(&ping("1"), SENT, 12).0, Verdict::PingHeld);
        assert_eq!(of_ping(&ping("5"), SENT, 12).0, Verdict::PingHeartbeat);
        assert_eq!(of_ping(&answer(504, &Element::with(PING, vec![])), SENT, 60).0, Verdict::PingCut);
        let wipe = Element::with(PROVISION, vec![Element::with(REMOTE_WIPE, vec![])]);
        assert_eq!(of_provision(&answer(200, &wipe), SENT).0, Verdict::WipeTold);
    }
}
