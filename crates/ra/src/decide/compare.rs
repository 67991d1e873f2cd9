//! Comparing the claims of a CSR with what was permitted. Claims are only ever compared.

use lanyard_model::{
    enroll::RequestedContent,
    key::KeyKind,
    name::DistinguishedName,
    san::{self, SubjectAltName},
    template::Usages,
    text::printable,
};

use crate::reason::{Reason, Refusal};

/// Most characters of a claim that a message repeats.
const QUOTED: usize = 200;

/// Compares everything but the key. Subject and alternative names must be there exactly, as sets; usages may be left out, but
/// those asked for must be the template's exactly; nothing else may be asked for (ndes-policy, sections 3.3 and 4).
pub(super) fn claims(
    content: &RequestedContent,
    subject: &DistinguishedName,
    names: &[SubjectAltName],
    usages: &Usages,
) -> Result<(), Refusal> {
    if content.wants_ca {
        return Err(Refusal::plain(Reason::CaRequested));
    }
    if let Some(oid) = content.other_extensions.first() {
        return Err(Refusal::new(Reason::ExtensionNotAllowed, format!("the request asks for the extension {oid}")));
    }
    if !content.subject.same_set(subject) {
        return Err(match content.subject.is_empty() {
            true => Refusal::new(Reason::SubjectMissing, format!("the request has no subject; permitted is '{subject}'")),
            false => {
                let detail = format!("the request asks for '{}'; permitted is '{subject}'", quoted(&content.subject.to_string()));
                Refusal::new(Reason::SubjectMismatch, detail)
            }
        });
    }
    alternative_names(&content.san, names)?;
    if let Some(claimed) = content.key_usage.as_ref().filter(|claimed| **claimed != usages.key_usage) {
        let detail = format!("the request asks for {claimed:?}; the template gives {:?}", usages.key_usage);
        return Err(Refusal::new(Reason::KeyUsageMismatch, detail));
    }
    if let Some(claimed) = content.extended_key_usage.as_ref().filter(|claimed| **claimed != usages.extended_key_usage) {
        let detail = format!("the request asks for {}; the template gives {}", list(claimed), list(&usages.extended_key_usage));
        return Err(Refusal::new(Reason::EkuMismatch, quoted(&detail)));
    }
    Ok(())
}

fn alternative_names(claimed: &[SubjectAltName], permitted: &[SubjectAltName]) -> Result<(), Refusal> {
    // What Lanyard never issues equals nothing, not even itself.
    let issuable = claimed.iter().chain(permitted).all(|name| name.kind().is_some());
    if issuable && san::same_set(claimed, permitted) {
        return Ok(());
    }
    let detail = format!("the request asks for {}; permitted is {}", quoted(&list(claimed)), list(permitted));
    let reason = if claimed.is_empty() { Reason::SanMissing } else { Reason::SanMismatch };
    Err(Refusal::new(reason, detail))
}

/// Compares the key with the one kind and size that was permitted.
pub(super) fn key(claimed: KeyKind, permitted: KeyKind) -> Result<(), Refusal> {
    if claimed == permitted {
        return Ok(());
    }
    let reason = if claimed.same_family(permitted) { Reason::KeyLengthMismatch } else { Reason::KeyTypeMismatch };
    Err(Refusal::new(reason, format!("the key is {claimed}; permitted is {permitted}")))
}

/// A list for people; "none" when it is empty.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// Text from outside, short enough and safe to print.
fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(QUOTED).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("{}{rest}", printable(&start))
}
