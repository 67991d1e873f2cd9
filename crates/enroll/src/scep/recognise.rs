//! Telling clients apart by what they send.
//!
//! Anybody can imitate a client, so nothing is allowed or refused by this: it shapes the answer to GetCACert where a profile says so, and
//! tells the administrator what is at the other end.

use lanyard_model::client::Client;

use super::accommodation::Accommodation;

/// What is known of a client when it asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// User-Agent field.
    pub user_agent: Option<&'a str>,
    /// `message` of GetCACert or GetCACaps, as it stands in the query.
    pub identifier: Option<&'a str>,
    /// transactionID.
    pub transaction: Option<&'a str>,
    /// What was noted about the message so far.
    pub accommodations: &'a [Accommodation],
}

/// A client and what it was recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The client.
    pub client: Client,
    /// The evidence in words.
    pub by: &'static str,
}

/// Texts in a User-Agent, most telling first.
const USER_AGENTS: [(&str, Client); 11] = [
    ("lanyard-device/", Client::Lanyard),
    ("NDES client", Client::Windows),
    ("Cisco PKI", Client::Cisco),
    ("CFNetwork/", Client::Apple),
    ("mdmclient", Client::Apple),
    ("MikroTik", Client::Mikrotik),
    ("Mikrotik", Client::Mikrotik),
    ("sscep", Client::Sscep),
    ("Go-http-client/", Client::Go),
    ("Dalvik/", Client::Java),
    ("Java/", Client::Java),
];

/// Recognises a client, or does not.
#[must_use]
pub fn recognise(evidence: &Evidence<'_>) -> Option<Recognised> {
    let known = |client, by| Some(Recognised { client, by });
    if let Some(agent) = evidence.user_agent.filter(|agent| !agent.is_empty()) {
        let found = USER_AGENTS.into_iter().find(|(text, _)| agent.contains(text));
        return found.and_then(|(_, client)| known(client, "its User-Agent"));
    }
    let has = |what| evidence.accommodations.contains(&what);
    if has(Accommodation::SignerCriticalAki) {
        return known(Client::Windows, "the critical authorityKeyIdentifier of its signer certificate");
    }
    if let Some(transaction) = evidence.transaction {
        return by_transaction(transaction, &has);
    }
    match evidence.identifier {
        // certmonger counts up from 0, `percent-encoded` or not.
        Some(identifier) if identifier.len() <= 2 && is_of(identifier, |b| b.is_ascii_digit()) => {
            known(Client::Certmonger, "the number it gives as CA identifier")
        }
        Some("SCEP%20Authority" | "SCEP+Authority") => known(Client::Apple, "the name it gives as CA identifier"),
        _ if has(Accommodation::NoHost) => known(Client::Strongswan, "the missing Host field"),
        _ => None,
    }
}

fn is_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

/// Clients derive the transactionID from the key, each in its own way.
fn by_transaction(transaction: &str, has: &impl Fn(Accommodation) -> bool) -> Option<Recognised> {
    let upper_hex = is_of(transaction, |b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    let known = |client, by| Some(Recognised { client, by });
    match transaction.len() {
        60..=78 if is_of(transaction, |b| b.is_ascii_digit()) => known(Client::Certmonger, "its decimal transactionID"),
        32 if upper_hex && has(Accommodation::Http10) => known(Client::Cisco, "HTTP/1.0 and its transactionID"),
        32 if upper_hex => known(Client::Sscep, "its transactionID, an MD5 in hexadecimal"),
        40 if upper_hex && (has(Accommodation::NoHost) || has(Accommodation::NoContentType)) => {
            known(Client::Strongswan, "its transactionID, a SHA-1 in hexadecimal, and the fields it leaves out")
        }
        40 if upper_hex && has(Accommodation::RawBase64) => {
            known(Client::Apple, "its transactionID, a SHA-1 in hexadecimal, and the unescaped query")
        }
        28 if transaction.ends_with('=') => known(Client::Go, "its transactionID, a SHA-1 in base64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(evidence: Evidence<'_>) -> Option<Client> {
        recognise(&evidence).map(|r| r.client)
    }

    #[test]
    fn a_user_agent_decides_alone() {
        for (agent, expected) in [
            ("Mozilla/4.0 (compatible; Win32; NDES client)", Some(Client::Windows)),
            ("Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)", Some(Client::Cisco)),
            ("mdmclient/1.0 CFNetwork/1410.0.3 Darwin/22.6.0", Some(Client::Apple)),
            ("Go-http-client/1.1", Some(Client::Go)),
            ("Java/1.8.0_292", Some(Client::Java)),
            ("curl/7.88.1", None),
        ] {
            let decimal = "7".repeat(77);
            assert_eq!(
                client(Evidence { user_agent: Some(agent), transaction: Some(&decimal), ..Evidence::default() }),
                expected,
                "{agent}"
            );
        }
    }

    #[test]
    fn without_one_the_form_of_the_message_tells() {
        let (md5, sha1, decimal) = ("0123456789ABCDEF".repeat(2), "0123456789ABCDEF01".repeat(2) + "ABCD", "7".repeat(77));
        let of = |transaction, accommodations| {
            client(Evidence { transaction: Some(transaction), accommodations, ..Evidence::default() })
        };
        assert_eq!(of(&decimal, &[]), Some(Client::Certmonger));
        assert_eq!(of(&md5, &[]), Some(Client::Sscep));
        assert_eq!(of(&md5, &[Accommodation::Http10]), Some(Client::Cisco));
        assert_eq!(of(&sha1, &[Accommodation::NoContentType]), Some(Client::Strongswan));
        assert_eq!(of(&sha1, &[Accommodation::RawBase64]), Some(Client::Apple));
        assert_eq!(of(&sha1, &[]), None);
        assert_eq!(of("AAECAwQFBgcICQoLDA0ODxAREhM=", &[]), Some(Client::Go));
        assert_eq!(of("text", &[Accommodation::SignerCriticalAki]), Some(Client::Windows));
    }
}
