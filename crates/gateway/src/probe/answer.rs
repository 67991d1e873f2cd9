//! What an answer to GET, OPTIONS or POST means.

use super::{http::Answer, report::End, verdict::Verdict};

/// Characters of a body in which a substatus is looked for.
const MAX_LOOKED_AT: usize = 2_000;

/// What was sent along.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Over TLS.
    pub tls: bool,
    /// A client certificate was shown.
    pub certificate: bool,
    /// A password was sent.
    pub password: bool,
    /// ActiveSync is expected.
    pub eas: bool,
}

/// What an answer to GET means.
#[must_use]
pub fn of_get(answer: &Answer, sent: Sent) -> Verdict {
    match answer.status {
        501 | 505 if sent.eas => Verdict::EasAnswers,
        // QUIRK(SOGo 5.8, Horde 2.41): GET is answered by 500.
        500 if sent.eas => Verdict::EasOtherAnswers,
        200..=299 if sent.eas && is_html(answer) => Verdict::NotEas,
        300..=308 if sent.eas => Verdict::NotEas,
        200..=299 => Verdict::AppAnswers,
        300..=308 => Verdict::Redirected,
        _ => of_status(answer, sent),
    }
}

/// What an answer to OPTIONS means where ActiveSync is expected.
#[must_use]
pub fn of_options(answer: &Answer, sent: Sent) -> Verdict {
    match answer.status {
        200..=299 if answer.header("ms-asprotocolversions").is_some() => Verdict::Versions,
        200..=308 => Verdict::NoVersions,
        _ => of_status(answer, sent),
    }
}

/// What a status means that no request wanted.
#[must_use]
pub fn of_status(answer: &Answer, sent: Sent) -> Verdict {
    match answer.status {
        400 => of_bad_request(answer),
        401 => of_unauthorized(answer, sent),
        403 => of_forbidden(answer, sent),
        404 => Verdict::PathUnknown,
        405 => Verdict::MethodRefused,
        413 => Verdict::TooLarge,
        421 => Verdict::Misdirected,
        449 => Verdict::ProvisionFirst,
        451 => Verdict::MailboxElsewhere,
        456 => Verdict::AccountBlocked,
        457 => Verdict::PasswordExpired,
        502 => Verdict::BadGateway,
        503 => Verdict::Unavailable,
        504 => Verdict::GatewayTimeout,
        505 => Verdict::VersionRefused,
        507 => Verdict::StorageFull,
        500..=599 => Verdict::ServerError,
        _ => Verdict::OtherStatus,
    }
}

/// The gateway and the detailed pages of IIS name the substatus in the body.
fn of_forbidden(answer: &Answer, sent: Sent) -> Verdict {
    let body: String = answer.text().chars().take(MAX_LOOKED_AT).collect();
    let substatus = body.split("403.").skip(1).find_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| rest.split_at(end).0);
        digits.parse::<u8>().ok()
    });
    match substatus {
        Some(4) => Verdict::TlsRequired,
        Some(7) => Verdict::CertificateMissing,
        Some(12) => Verdict::CertificateUnmapped,
        Some(13) => Verdict::CertificateRevoked,
        Some(16) => Verdict::CertificateUntrusted,
        Some(17) => Verdict::CertificateEnded,
        _ if !sent.tls => Verdict::TlsRequired,
        _ if sent.certificate => Verdict::CertificateRefused,
        _ if sent.password => Verdict::UserRefused,
        _ => Verdict::CertificateMissing,
    }
}

/// QUIRK(nginx 1.22): says 400 with a page of its own for a client certificate that is missing or bad.
fn of_bad_request(answer: &Answer) -> Verdict {
    let body = answer.text();
    if body.contains("No required SSL certificate was sent") {
        Verdict::NginxNoCertificate
    } else if body.contains("SSL certificate error") {
        Verdict::NginxBadCertificate
    } else {
        Verdict::BadRequest
    }
}

fn of_unauthorized(answer: &Answer, sent: Sent) -> Verdict {
    let offers = answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(',')).map(|offer| offer.trim().to_ascii_lowercase()).peekable();
    if offers.peek().is_some() && !offers.any(|offer| offer.starts_with("basic")) {
        return Verdict::BasicDisabled;
    }
    if sent.password { Verdict::PasswordRefused } else { Verdict::PasswordWanted }
}

fn is_html(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/html"))
}

/// Whether an answer shows that we got in. A refusal by nginx's 400 counts as one.
#[must_use]
pub fn end_of(answer: &Answer, verdict: Verdict) -> End {
    match answer.status {
        401 => End::Unauthorized,
        403 => End::Forbidden,
        400 if matches!(verdict, Verdict::NginxNoCertificate | Verdict::NginxBadCertificate) => End::Forbidden,
        421 | 502 | 503 | 504 | 400 => End::Unclear,
        _ => End::In,
    }
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Answer { status, line: String::new(), headers: map, body: body.as_bytes().to_vec(), ms: 0 }
    }

    const PHONE: Sent = Sent { tls: true, certificate: false, password: true, eas: true };

    #[test]
    fn each_row_of_answers_has_its_verdict() {
        let html = [("content-type", "text/html; charset=utf-8")];
        let negotiate = [("www-authenticate", "Negotiate")];
        let both = [("www-authenticate", "Negotiate, Basic realm=\"x\"")];
        type Row<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Verdict);
        let rows: &[Row<'_>] = &[
            (501, &[], "", Verdict::EasAnswers),
            (505, &[], "", Verdict::EasAnswers),
            (500, &[], "", Verdict::EasOtherAnswers),
            (200, &html, "<html>", Verdict::NotEas),
            (302, &[], "", Verdict::NotEas),
            (401, &negotiate, "", Verdict::BasicDisabled),
            (401, &both, "", Verdict::PasswordRefused),
            (403, &[], "", Verdict::UserRefused),
            (400, &[], "No required SSL certificate was sent", Verdict::NginxNoCertificate),
            (400, &[], "The SSL certificate error", Verdict::NginxBadCertificate),
            (400, &[], "", Verdict::BadRequest),
            (404, &[], "", Verdict::PathUnknown),
            (405, &[], "", Verdict::MethodRefused),
            (413, &[], "", Verdict::TooLarge),
            (421, &[], "", Verdict::Misdirected),
            (449, &[], "", Verdict::ProvisionFirst),
            (451, &[], "", Verdict::MailboxElsewhere),
            (456, &[], "", Verdict::AccountBlocked),
            (457, &[], "", Verdict::PasswordExpired),
            (502, &[], "", Verdict::BadGateway),
            (503, &[], "", Verdict::Unavailable),
            (504, &[], "", Verdict::GatewayTimeout),
            (507, &[], "", Verdict::StorageFull),
        ];
        for (status, headers, body, expected) in rows {
            assert_eq!(of_get(&answer(*status, headers, body), PHONE), *expected, "{status}");
        }
        let plain = Sent { tls: false, ..PHONE };
        assert_eq!(of_get(&answer(403, &[], ""), plain), Verdict::TlsRequired);
        let certificate = Sent { certificate: true, ..PHONE };
        assert_eq!(of_get(&answer(403, &[], ""), certificate), Verdict::CertificateRefused);
        for (body, expected) in [
            ("403.13 gateway.certificate-revoked", Verdict::CertificateRevoked),
            ("<title>IIS 10.0 Detailed Error - 403.16 - Forbidden</title>", Verdict::CertificateUntrusted),
            ("403.17", Verdict::CertificateEnded),
            ("403.12 x", Verdict::CertificateUnmapped),
            ("403.7", Verdict::CertificateMissing),
            ("403. 403.x", Verdict::CertificateRefused),
        ] {
            assert_eq!(of_get(&answer(403, &[], body), certificate), expected, "{body}");
        }
        let nothing = Sent { password: false, ..PHONE };
        assert_eq!(of_get(&answer(403, &[], ""), nothing), Verdict::CertificateMissing);
        assert_eq!(of_get(&answer(401, &both, ""), nothing), Verdict::PasswordWanted);
    }

    #[test]
    fn options_answered_by_something_in_between_are_noticed() {
        assert_eq!(of_options(&answer(200, &[("ms-asprotocolversions", "14.1")], ""), PHONE), Verdict::Versions);
        assert_eq!(of_options(&answer(204, &[("access-control-allow-origin", "*")], ""), PHONE), Verdict::NoVersions);
    }
}
