//! Somebody at the portal, octet by octet.

use std::fmt::Write as _;

use lanyard_testkit::{
    http::{Response, encode, tls},
    server::{Builder, TestServer},
};
use serde_json::json;

pub const PASSWORD: &str = "correct horse battery";

/// A server at whose portal people may ask for `user-client`.
pub fn portal() -> Builder {
    TestServer::builder().profile("default", "people", &[("portal = []", "portal = [\"user-client\", \"smime-encryption\"]")])
}

/// Adds somebody with [`PASSWORD`].
pub async fn add_person(server: &TestServer, name: &str) {
    let record = json!({ "name": name, "display-name": format!("Person {name}"), "email": format!("{name}@example.org") });
    server.admin.save_user(record).await;
    let body = serde_json::to_vec(&json!({ "password": PASSWORD })).unwrap();
    let answer = server.admin.call("PUT", &format!("/users/{name}/password"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Somebody with a browser of no great abilities.
pub struct Person<'s> {
    pub server: &'s TestServer,
    pub cookie: String,
}

impl<'s> Person<'s> {
    /// Nobody yet.
    pub fn new(server: &'s TestServer) -> Self {
        Self { server, cookie: String::new() }
    }

    /// Somebody who has signed in.
    pub async fn signed_in(server: &'s TestServer, name: &str) -> Self {
        let mut person = Self::new(server);
        let answer = person.post("/portal/sign-in", &[("user", name), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.field("location")), (303, Some("/portal")), "{}", answer.text());
        let cookie = answer.field("set-cookie").expect("a cookie").to_owned();
        assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut person.cookie);
        person
    }

    pub async fn get(&self, target: &str) -> Response {
        self.exchange("GET", target, "", "").await
    }

    /// Sends a form from a page of the portal.
    pub async fn post(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        self.exchange("POST", target, "Origin: https://localhost\r\nSec-Fetch-Site: same-origin\r\n", &form(fields)).await
    }

    /// Sends what it is told, with the cookie.
    pub async fn exchange(&self, method: &str, target: &str, fields: &str, body: &str) -> Response {
        let cookie = if self.cookie.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.cookie) };
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let octets = encode(method, target, &format!("{kind}{cookie}{fields}"), body.as_bytes());
        let mut response = tls(self.server.https, &self.server.site.root, &octets).await;
        response.body = unchunked(&response);
        response
    }

    /// The token of the forms on the first page.
    pub async fn token(&self) -> String {
        let page = self.get("/portal").await;
        assert_eq!(page.status, 200, "{}", page.text());
        value(&page.text(), "token")
    }
}

/// The first value of a hidden field.
pub fn value(page: &str, name: &str) -> String {
    let start = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}: {page}"));
    page[start..].split('"').nth(3).unwrap().to_owned()
}

/// Text between two others.
pub fn between(page: &str, from: &str, to: &str) -> String {
    let rest = page.split_once(from).unwrap_or_else(|| panic!("no {from}: {page}")).1;
    rest.split_once(to).unwrap().0.to_owned()
}

/// A form's octets.
pub fn form(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut out, octet| {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(octet)),
                other => write!(out, "%{other:02X}").unwrap(),
            }
            out
        })
    };
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

fn unchunked(response: &Response) -> Vec<u8> {
    if response.field("transfer-encoding").is_none() {
        return response.body.clone();
    }
    let (mut out, mut rest) = (Vec::new(), response.body.as_slice());
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        out.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    out
}
