//! What the pages show. Everything is escaped where it is put in.

use askama::Template;

/// One thing is said.
#[derive(Template)]
#[template(path = "portal/notice.html")]
pub struct Notice<'a> {
    pub title: &'a str,
    pub text: &'a str,
}

/// Sign in.
#[derive(Template)]
#[template(path = "portal/sign_in.html")]
pub struct SignIn<'a> {
    pub organization: &'a str,
    pub user: &'a str,
    pub said: &'a str,
    /// At a provider.
    pub elsewhere: bool,
}

/// What somebody has and may do.
#[derive(Template)]
#[template(path = "portal/home.html")]
pub struct Home<'a> {
    pub organization: &'a str,
    pub person: String,
    pub token: String,
    pub devices: Vec<DeviceRow>,
    pub certificates: Vec<CertificateRow>,
    pub offers: Vec<OfferRow>,
}

/// A device.
pub struct DeviceRow {
    pub id: String,
    pub name: String,
    pub blocked: bool,
    pub certificates: usize,
}

/// A certificate.
pub struct CertificateRow {
    pub serial: String,
    pub what: String,
    pub subject: String,
    pub names: String,
    pub device: Option<String>,
    pub until: String,
    pub status: String,
    pub valid: bool,
    pub fingerprint: String,
    /// Profile and template under which it can be had again as a file.
    pub renew: Option<(String, String)>,
}

/// What may be asked for.
pub struct OfferRow {
    pub profile: String,
    pub template: String,
    pub description: String,
    pub file: bool,
    pub scep: bool,
}

/// The roots.
#[derive(Template)]
#[template(path = "portal/roots.html")]
pub struct Roots<'a> {
    pub organization: &'a str,
    pub roots: Vec<RootRow>,
}

/// A root.
pub struct RootRow {
    pub name: String,
    pub file: String,
    pub fingerprint: String,
    pub until: String,
}

/// A file with its passphrase.
#[derive(Template)]
#[template(path = "portal/file.html")]
pub struct File {
    pub subject: String,
    pub until: String,
    pub fingerprint: String,
    pub passphrase: String,
    pub token: String,
    /// Where the buttons lead.
    pub action: &'static str,
    pub modern: String,
    pub old: String,
    pub history: usize,
}

/// A challenge for the device itself.
#[derive(Template)]
#[template(path = "portal/challenge.html")]
pub struct Challenge {
    pub subject: String,
    pub names: String,
    pub key: String,
    pub url: String,
    pub challenge: String,
    pub until: String,
}

/// Whether something is really lost.
#[derive(Template)]
#[template(path = "portal/lost.html")]
pub struct Lost<'a> {
    pub what: String,
    pub field: &'a str,
    pub value: String,
    pub token: String,
    pub device: bool,
    pub certificates: usize,
}

/// What a link is good for.
#[derive(Template)]
#[template(path = "portal/invitation.html")]
pub struct Invitation<'a> {
    pub organization: &'a str,
    pub user: String,
    pub what: String,
    /// Whether a key comes with it.
    pub key: bool,
    pub until: String,
    pub action: String,
}
