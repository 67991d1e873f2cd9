//! Autodiscover for phones, answered by the gateway ([MS-ASCMD] section 2.2.1.1): where the mailbox of an address is. For back ends that have none
//! of their own, or one that tells addresses nobody can reach from outside.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use quick_xml::{Reader, escape::escape, events::Event};
use tokio::time::timeout;

use crate::{
    account::source::Account,
    decide::denial::{Denial, Reason},
    proxy::body::ResponseBody,
};

/// Largest question, in octets.
const MAX: usize = 16 * 1024;
/// Most events of a question that are read.
const MAX_EVENTS: usize = 256;
/// How long a question may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a phone understands.
const SCHEMA: &str = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";

/// A question.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    address: String,
    schema: String,
}

/// Answers a question about an address with the address of ActiveSync. Somebody who was let in by name gets an answer about themself only.
///
/// # Errors
/// The denial for the client.
pub async fn answer(request: Request<Incoming>, url: &str, account: Option<&Account>) -> Result<Response<ResponseBody>, Denial> {
    let malformed = |why: &str| Denial::because(Reason::Malformed, why);
    if request.method() != Method::POST {
        let mut response = Response::new(ResponseBody::own(Bytes::new()));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    let body = timeout(PATIENCE, Limited::new(request.into_body(), MAX).collect()).await;
    let body = body.map_err(|_| Denial::of(Reason::BodyTooSlow))?.map_err(|_| Denial::of(Reason::BodyTooLarge))?;
    let body = body.to_bytes();
    let text = std::str::from_utf8(&body).map_err(|_| malformed("the question is not UTF-8"))?;
    let asked = read(text).ok_or_else(|| malformed("the question is no Autodiscover request"))?;
    let theirs = |account: &Account| {
        let own = [account.email.as_deref(), account.upn.as_deref()];
        // An account of which no address is known has only its name to be asked about.
        own.iter().flatten().any(|own| own.eq_ignore_ascii_case(&asked.address)) || own == [None, None]
    };
    let text = if asked.schema != SCHEMA {
        error(600, "The schema that is accepted is not known.")
    } else if account.is_none_or(theirs) {
        settings(&asked.address, url)
    } else {
        error(500, "The address is not of this account.")
    };
    let mut response = Response::new(ResponseBody::own(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn settings(address: &str, url: &str) -> String {
    let (address, url) = (escape(address), escape(url));
    whole(&format!(
        "<User><DisplayName>{address}</DisplayName><EMailAddress>{address}</EMailAddress></User>\
         <Action><Settings><Server><Type>MobileSync</Type><Url>{url}</Url><Name>{url}</Name></Server></Settings></Action>"
    ))
}

fn error(code: u16, message: &str) -> String {
    whole(&format!("<Action><Error><Status>1</Status><Message>{message}</Message><DebugData>{code}</DebugData></Error></Action>"))
}

fn whole(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\
         <Response xmlns=\"{SCHEMA}\"><Culture>en:en</Culture>{inner}</Response></Autodiscover>"
    )
}

/// Reads a question; nothing when it is none. Document types are refused.
fn read(text: &str) -> Option<Asked> {
    let mut reader = Reader::from_str(text);
    let (mut asked, mut open): (Asked, Vec<String>) = (Asked::default(), Vec::new());
    for _ in 0..MAX_EVENTS {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(start.local_name().as_ref().to_owned()),
            Event::End(_) => drop(open.pop()?),
            Event::Text(piece) => {
                let piece = piece.xml10_content();
                match open.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["Autodiscover", "Request", "EMailAddress"] => asked.address.push_str(&piece),
                    ["Autodiscover", "Request", "AcceptableResponseSchema"] => asked.schema.push_str(&piece),
                    _ => {}
                }
            }
            // No address has anything that would have to be written so.
            Event::DocType(_) | Event::GeneralRef(_) | Event::CData(_) => return None,
            Event::Eof => break,
            _ => {}
        }
    }
    let address = asked.address.trim().to_owned();
    let good = open.is_empty() && address.contains('@') && address.len() <= 320 && !address.chars().any(char::is_control);
    good.then(|| Asked { address, schema: asked.schema.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(address: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006\">\n\
             <Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{SCHEMA}</AcceptableResponseSchema></Request></Autodiscover>"
        )
    }

    #[test]
    fn ms_ascmd_questions_are_read_and_nothing_else_is() {
        assert_eq!(read(&question("a@corp.test")), Some(Asked { address: "a@corp.test".into(), schema: SCHEMA.into() }));
        for odd in ["", "<a/>", "nobody", "<Autodiscover><Request><EMailAddress>a@b</EMailAddress>"] {
            assert_eq!(read(odd), None, "{odd}");
        }
        assert_eq!(read(&question("no address")), None);
        assert_eq!(read(&question("&e;@corp.test")), None);
        assert_eq!(read(&format!("<!DOCTYPE a [<!ENTITY e \"x\">]>{}", question("a@corp.test"))), None);
        assert_eq!(read(&question(&"<b>".repeat(300))), None);
    }
}
