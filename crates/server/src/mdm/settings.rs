//! `[mdm]` of the configuration file: who may enrol Windows devices, and what the devices are told.

use std::path::PathBuf;

use lanyard_mdm::version::Version;
use lanyard_model::{
    id::{ProfileName, TemplateName, UserName},
    time::Span,
};
use serde::{Deserialize, Serialize};

/// Windows enrolment and management. Absent: it is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MdmSettings {
    /// Base of the addresses for first enrolment, without a slash at the end; absent: the first DNS name in `tls-names` that is not
    /// `localhost`, and the HTTPS port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Base of the addresses that ask for a client certificate; absent: the same name and the port of `listen.mdm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_url: Option<String>,
    /// Profile under which identities are issued.
    pub profile: ProfileName,
    /// Template of a first identity.
    pub template: TemplateName,
    /// Template of renewed identities; absent: that of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_template: Option<TemplateName>,
    /// Names this server on the device; must not change while devices are enrolled.
    pub provider_id: String,
    /// How users prove who they are, in order of preference.
    pub authentication: Vec<Authentication>,
    /// Days before the end of an identity in which its device renews it, at least.
    pub renew_period: Span,
    /// Up to so many days more, differently for each device: a fleet that enrolled together then does not renew together.
    pub renew_spread: Span,
    /// Days between two tries.
    pub retry_interval: Span,
    /// Whether devices renew without their user.
    pub robo: bool,
    /// What a device proves itself with in its sessions, besides its certificate in TLS.
    pub session_credentials: SessionCredentials,
    /// Files with the certificates of authorities whose certificates enrol devices in bulk.
    pub bulk_ca_files: Vec<PathBuf>,
    /// User on whom devices enrolled in bulk are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_user: Option<UserName>,
    /// Wrong passwords of one account, or from one source, within ten minutes before it has to wait.
    pub wrong_passwords: u32,
    /// Who may enrol.
    pub enrollment: EnrollmentRules,
    /// How often devices ask for what there is to do.
    pub poll: PollSettings,
}

/// How users prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// User name and password in the message.
    OnPremise,
    /// A web page.
    Federated,
    /// A certificate of an authority in `bulk-ca-files`.
    Certificate,
}

/// What a device proves itself with in its sessions, besides its certificate in TLS. A device keeps what it was told when it enrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionCredentials {
    /// A digest of name, secret and a nonce that is another one each time.
    #[default]
    Md5,
    /// Name and secret as they are.
    Basic,
    /// Nothing: the certificate has to do.
    None,
}

/// Who may enrol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnrollmentRules {
    /// `DeviceType` of devices that may enrol; empty: every one.
    pub device_types: Vec<String>,
    /// Least version of the system.
    pub minimum_version: String,
    /// Devices that one user may have enrolled; 0: as many as they like.
    pub devices_per_user: u32,
}

/// How often devices ask for what there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PollSettings {
    /// Sessions right after the enrolment, and the time between them.
    pub first_sessions: u32,
    /// See `first_sessions`.
    pub first_interval: Span,
    /// Sessions after those, and the time between them.
    pub second_sessions: u32,
    /// See `second_sessions`.
    pub second_interval: Span,
    /// Time between two sessions from then on.
    pub interval: Span,
}

impl Default for MdmSettings {
    fn default() -> Self {
        Self {
            url: None,
            management_url: None,
            profile: fixed("mdm"),
            template: fixed("mdm-identity"),
            renewal_template: None,
            provider_id: "Lanyard".into(),
            authentication: vec![Authentication::OnPremise, Authentication::Federated],
            renew_period: Span::from_days(40),
            renew_spread: Span::from_days(20),
            retry_interval: Span::from_days(4),
            robo: true,
            session_credentials: SessionCredentials::default(),
            bulk_ca_files: Vec::new(),
            bulk_user: None,
            wrong_passwords: 10,
            enrollment: EnrollmentRules::default(),
            poll: PollSettings::default(),
        }
    }
}

impl Default for EnrollmentRules {
    fn default() -> Self {
        Self { device_types: Vec::new(), minimum_version: "10.0".into(), devices_per_user: 10 }
    }
}

impl Default for PollSettings {
    fn default() -> Self {
        Self {
            first_sessions: 5,
            first_interval: Span::from_secs(180),
            second_sessions: 8,
            second_interval: Span::from_secs(900),
            interval: Span::from_secs(8 * 3600),
        }
    }
}

fn fixed<T: std::str::FromStr>(name: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    // The names are written here and fit the alphabet.
    #[allow(clippy::expect_used)]
    name.parse().expect("a valid name")
}

impl MdmSettings {
    /// `RenewPeriod` of the device with this key, in days. The first octets of the digest already spread the ends of identities.
    #[must_use]
    pub fn renew_period_of(&self, key_digest: &[u8; 32]) -> u32 {
        let more = Span::from_secs(i64::from(days(self.renew_spread))).share(key_digest.get(8..).unwrap_or_default());
        days(self.renew_period).saturating_add(u32::try_from(more.secs()).unwrap_or(0))
    }
}

/// Whole days of a span, as the device is told them.
#[must_use]
pub fn days(span: Span) -> u32 {
    u32::try_from(span.secs() / 86_400).unwrap_or(0)
}

/// Whole minutes of a span.
#[must_use]
pub fn minutes(span: Span) -> u32 {
    u32::try_from(span.secs() / 60).unwrap_or(0)
}

impl MdmSettings {
    /// Checks what can be checked without templates.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for (key, url) in [("url", &self.url), ("management-url", &self.management_url)] {
            let sound = |u: &String| u.starts_with("https://") && !u.ends_with('/') && u.bytes().all(|b| b.is_ascii_graphic());
            if let Some(url) = url.as_ref().filter(|u| !sound(u)) {
                return Err(format!("mdm.{key} = \"{url}\" must begin with https:// and not end in a slash"));
            }
        }
        let names =
            |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !names(&self.provider_id) {
            return Err("mdm.provider-id must be 1 to 64 letters, digits and hyphens".into());
        }
        if self.authentication.is_empty() {
            return Err("mdm.authentication must name at least one of on-premise, federated, certificate".into());
        }
        let certificate = self.authentication.contains(&Authentication::Certificate);
        if certificate && (self.bulk_ca_files.is_empty() || self.bulk_user.is_none()) {
            return Err("mdm.authentication \"certificate\" needs mdm.bulk-ca-files and mdm.bulk-user".into());
        }
        let (period, retry) = (days(self.renew_period), days(self.retry_interval));
        if period.saturating_add(days(self.renew_spread)) > 1000 {
            return Err("mdm.renew-period and mdm.renew-spread must be at most 1000d together".into());
        }
        if !(1..=1000).contains(&period) || !(1..=period).contains(&retry) {
            return Err("mdm.renew-period must be 1d to 1000d, and mdm.retry-interval at least 1d and not above it".into());
        }
        if self.wrong_passwords == 0 {
            return Err("mdm.wrong-passwords must be greater than zero".into());
        }
        if self.enrollment.minimum_version.parse::<Version>().is_err() {
            return Err("mdm.enrollment.minimum-version must be one to four numbers, such as 10.0.19045".into());
        }
        let poll = &self.poll;
        if [poll.first_interval, poll.second_interval, poll.interval].iter().any(|span| minutes(*span) == 0) {
            return Err("the intervals of mdm.poll must be at least 1m".into());
        }
        // A count of 0 means "for ever" to a device and would disable what follows.
        if poll.first_sessions == 0 || poll.second_sessions == 0 {
            return Err("mdm.poll.first-sessions and second-sessions must be greater than zero".into());
        }
        Ok(())
    }

    /// The least version of the system.
    #[must_use]
    pub fn minimum_version(&self) -> Version {
        self.enrollment.minimum_version.parse().unwrap_or_else(|_| Version::of(10, 0))
    }

    /// The section as `init` writes it: every key with its meaning.
    #[must_use]
    pub fn to_commented_text(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |items: Vec<String>| items.join(", ");
        let words = |way: &Authentication| match way {
            Authentication::OnPremise => "\"on-premise\"".to_owned(),
            Authentication::Federated => "\"federated\"".to_owned(),
            Authentication::Certificate => "\"certificate\"".to_owned(),
        };
        format!(
            r#"# Windows enrolment and management; without this section it is off.
[mdm]
# Base of the addresses of first enrolment, which devices keep: "https://mdm.example.org". Left out: the first DNS name in tls-names that
# is not localhost, and the port of listen.https.
{url}
# Base of the addresses for which devices need their certificate. Left out: the same name and the port of listen.mdm.
{management_url}
# Profile and template of the identities; identities can be renewed under another template.
profile = "{profile}"
template = "{template}"
{renewal_template}
# Names this server on the device. Must not change while devices are enrolled.
provider-id = "{provider_id}"
# How users prove who they are, in order of preference: "on-premise" (password), "federated" (a web page), "certificate" (in bulk).
authentication = [{authentication}]
# How long before the end of its identity a device renews it, and up to how many days earlier, differently for each device (40 to 60 days are
# recommended); and the days between two tries (4 or 5).
renew-period = "{renew_period}"
renew-spread = "{renew_spread}"
retry-interval = "{retry_interval}"
# Devices renew without their user. Users that enrol on the web page have no other way.
robo = {robo}
# What a device proves itself with in its sessions besides its certificate: "md5" (a digest with a new nonce each time), "basic" (name and secret
# as they are, inside TLS), "none". A device keeps what it was told when it enrolled.
session-credentials = "{session_credentials}"
# Files (in this directory or absolute) with authorities whose certificates enrol devices in bulk, and the user they are recorded on.
bulk-ca-files = [{bulk_ca_files}]
{bulk_user}
# Wrong passwords of one account, or from one address, within ten minutes before it has to wait.
wrong-passwords = {wrong_passwords}

[mdm.enrollment]
# DeviceType of devices that may enrol, such as ["CIMClient_Windows"]; empty: every one.
device-types = [{device_types}]
# Least version of the system.
minimum-version = {minimum_version}
# Devices that one user may have enrolled; 0: as many as they like.
devices-per-user = {devices_per_user}

[mdm.poll]
# Sessions right after the enrolment and the time between them; the same for those that follow; then the time between all others.
first-sessions = {first_sessions}
first-interval = "{first_interval}"
second-sessions = {second_sessions}
second-interval = "{second_interval}"
interval = "{interval}"
"#,
            url = given("url", self.url.as_deref().map(quote), "\"https://mdm.example.org\""),
            management_url =
                given("management-url", self.management_url.as_deref().map(quote), "\"https://mdm.example.org:8444\""),
            profile = self.profile,
            template = self.template,
            renewal_template =
                given("renewal-template", self.renewal_template.as_ref().map(|t| quote(t.as_str())), "\"mdm-identity\""),
            provider_id = self.provider_id,
            authentication = list(self.authentication.iter().map(words).collect()),
            renew_period = self.renew_period,
            renew_spread = self.renew_spread,
            retry_interval = self.retry_interval,
            robo = self.robo,
            session_credentials = match self.session_credentials {
                SessionCredentials::Md5 => "md5",
                SessionCredentials::Basic => "basic",
                SessionCredentials::None => "none",
            },
            bulk_ca_files = list(self.bulk_ca_files.iter().map(|f| quote(&f.to_string_lossy())).collect()),
            bulk_user = given("bulk-user", self.bulk_user.as_ref().map(|u| quote(u.as_str())), "\"provisioning\""),
            wrong_passwords = self.wrong_passwords,
            device_types = list(self.enrollment.device_types.iter().map(|t| quote(t)).collect()),
            minimum_version = quote(&self.enrollment.minimum_version),
            devices_per_user = self.enrollment.devices_per_user,
            first_sessions = self.poll.first_sessions,
            first_interval = self.poll.first_interval,
            second_sessions = self.poll.second_sessions,
            second_interval = self.poll.second_interval,
            interval = self.poll.interval,
        )
    }
}

/// A key that may be left out: as it is, or as an example.
fn given(key: &str, value: Option<String>, example: &str) -> String {
    value.map_or_else(|| format!("# {key} = {example}"), |value| format!("{key} = {value}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lanyard_pki::crypto::digest::sha256;

    use super::*;

    #[test]
    fn a_hundred_thousand_devices_that_enrol_in_one_hour_renew_over_three_weeks() {
        let settings = MdmSettings::default();
        let (life, spread) = (Span::from_days(365), Span::from_secs(23 * 3600));
        let mut hours: BTreeMap<i64, u32> = BTreeMap::new();
        for n in 0..100_000_u32 {
            let digest = sha256(&n.to_be_bytes());
            let enrolled = Span::from_secs(i64::from(n % 3600));
            let ends = enrolled.secs() - spread.share(&digest).secs() + life.secs();
            let due = ends - i64::from(settings.renew_period_of(&digest)) * 86_400;
            *hours.entry(due.div_euclid(3600)).or_default() += 1;
        }
        let window = hours.keys().last().unwrap() - hours.keys().next().unwrap() + 1;
        let mean = 100_000.0 / f64::from(u32::try_from(window).unwrap());
        let busiest = f64::from(*hours.values().max().unwrap());
        assert!(window >= 20 * 24 && busiest <= 1.5 * mean, "{busiest} in the busiest of {window} hours, {mean:.0} on average");
    }
}
