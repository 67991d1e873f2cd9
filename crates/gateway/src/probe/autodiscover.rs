//! Autodiscover for phones ([MS-ASCMD] section 2.2.1.1): which address ActiveSync has.

use ::http::Method;
use quick_xml::{Reader, events::Event};

use super::{
    answer::{Sent, of_status},
    http::{Answer, Ask},
    plan::Plan,
    verdict::Verdict,
};

/// Where it is asked for.
const PATH: &str = "/autodiscover/autodiscover.xml";
/// Most events of an answer that are read.
const MAX_EVENTS: usize = 10_000;
/// Most octets of a value that is kept.
const MAX_VALUE: usize = 2_048;

/// The question about an address.
#[must_use]
pub fn ask<'a>(plan: &'a Plan, address: &str, authority: &'a str, password: bool) -> Ask<'a> {
    let address: String = address.chars().filter(|c| !c.is_control()).collect();
    let address = quick_xml::escape::escape(&address).into_owned();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006\"><Request>\
         <EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>\
         http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>"
    );
    Ask {
        method: Method::POST,
        target: PATH.to_owned(),
        authority,
        agent: &plan.device.agent,
        user: plan.user.as_ref().filter(|_| password),
        headers: vec![("content-type", "text/xml; charset=utf-8".into())],
        body: body.into_bytes(),
    }
}

/// What an answer says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    urls: Vec<String>,
    redirect: Option<String>,
    error: Option<String>,
}

/// What an answer means for the address that was probed.
#[must_use]
pub fn of_answer(answer: &Answer, sent: Sent, plan: &Plan) -> (Verdict, Vec<String>) {
    let mut seen = answer.shown();
    match answer.status {
        200..=299 => {}
        404 => return (Verdict::AutodiscoverMissing, seen),
        _ => return (of_status(answer, sent), seen),
    }
    let Some(told) = read(&answer.text()) else { return (Verdict::AutodiscoverMissing, seen) };
    seen.extend(told.urls.iter().map(|url| format!("Url {url}")));
    if let Some(error) = told.error {
        seen.push(format!("Error {error}"));
        return (Verdict::AutodiscoverError, seen);
    }
    if let Some(address) = told.redirect {
        seen.push(format!("Redirect {address}"));
        return (Verdict::AutodiscoverRedirect, seen);
    }
    let same = |url: &String| {
        super::plan::Target::read(url).is_ok_and(|other| other.host.eq_ignore_ascii_case(&plan.target.host) && other.tls)
    };
    match told.urls.is_empty() {
        true => (Verdict::AutodiscoverMissing, seen),
        false if told.urls.iter().any(same) => (Verdict::AutodiscoverFound, seen),
        false => (Verdict::AutodiscoverOther, seen),
    }
}

/// Reads an answer; nothing when it is none. Document types are refused.
fn read(text: &str) -> Option<Told> {
    let mut reader = Reader::from_str(text);
    let mut told = Told::default();
    let (mut path, mut value) = (Vec::<String>::new(), String::new());
    let (mut kind, mut url) = (String::new(), None::<String>);
    for _ in 0..MAX_EVENTS {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                value.clear();
            }
            Event::End(_) => {
                let name = path.pop()?;
                let text: String = lanyard_model::text::printable(value.trim()).chars().take(MAX_VALUE).collect();
                value.clear();
                match name.as_str() {
                    "Server" => told.urls.extend(url.take().filter(|_| std::mem::take(&mut kind) == "MobileSync")),
                    "Type" => kind = text,
                    "Url" => url = Some(text),
                    "Redirect" => told.redirect = Some(text),
                    "Message" => told.error = Some(text),
                    "Status" if path.iter().any(|one| one == "Error") => {
                        told.error.get_or_insert(text);
                    }
                    _ => {}
                }
            }
            Event::Text(part) if value.len() < MAX_VALUE => value.push_str(&part.xml10_content()),
            Event::CData(part) if value.len() < MAX_VALUE => value.push_str(&part.xml10_content()),
            Event::GeneralRef(name) => value.push(match &*name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return None,
            }),
            Event::DocType(_) => return None,
            Event::Eof => return Some(told),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_redirects_and_errors_are_told_apart() {
        let told = read(
            "<Autodiscover xmlns=\"x\"><Response><Action><Settings><Server><Type>MobileSync</Type><Url>https://m.example/EAS</Url></Server>\
             <Server><Type>CertEnroll</Type><Url>https://c.example</Url></Server></Settings></Action></Response></Autodiscover>",
        );
        assert_eq!(told.unwrap().urls, ["https://m.example/EAS"]);
        let told = read("<A><Response><Action><Redirect>b@example.org</Redirect></Action></Response></A>").unwrap();
        assert_eq!(told.redirect.as_deref(), Some("b@example.org"));
        let told =
            read("<A><Response><Action><Error><Status>1</Status><Message>no such user</Message></Error></Action></Response></A>");
        assert_eq!(told.unwrap().error.as_deref(), Some("no such user"));
        assert!(read("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>").is_none());
        assert_eq!(read("<html>hello</html>"), Some(Told::default()));
    }
}
