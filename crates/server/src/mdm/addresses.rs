//! Where devices find the services.

use lanyard_mdm::discovery::DISCOVERY_PATH;

use crate::config::Config;

/// Path of the policy service.
pub const POLICY_PATH: &str = "/EnrollmentServer/Policy.svc";
/// Path of the enrolment service.
pub const ENROLLMENT_PATH: &str = "/EnrollmentServer/Enrollment.svc";
/// Path of the sign-in page.
pub const AUTHENTICATION_PATH: &str = "/EnrollmentServer/Authentication";
/// Where the OpenID Connect provider sends people back to.
pub const CALLBACK_PATH: &str = "/EnrollmentServer/Authentication/callback";
/// Path of the management server, on the listener for managed devices.
pub const MANAGEMENT_PATH: &str = "/ManagementServer/MDM.svc";

/// An address as configured, or else of the first name of the server that is not `localhost`, and the port that was really taken.
#[must_use]
pub fn base(config: &Config, configured: Option<&String>, port: u16) -> String {
    // `init` puts the names of the machine itself first; they lead other machines nowhere.
    let dns = config.tls_names.iter().find(|name| name.starts_with("dns:") && *name != "dns:localhost");
    let name =
        dns.or(config.tls_names.first()).map_or("localhost", |name| name.split_once(':').map_or(name.as_str(), |(_, n)| n));
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    match (configured, port) {
        (Some(url), _) => url.clone(),
        (None, 443) => format!("https://{name}"),
        (None, port) => format!("https://{name}:{port}"),
    }
}

/// The two bases. Devices keep them, so they must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Of the services for first enrolment, where nobody is asked for a certificate.
    pub first: String,
    /// Of the services for devices that have one.
    pub devices: String,
}

impl Addresses {
    /// As configured; what is not follows from the first name of the server that is not
    /// `localhost`, and from the ports that were really taken.
    #[must_use]
    pub fn of(config: &Config, https: u16, mdm: u16) -> Self {
        let settings = config.mdm.as_ref();
        Self {
            first: base(config, settings.and_then(|s| s.url.as_ref()), https),
            devices: base(config, settings.and_then(|s| s.management_url.as_ref()), mdm),
        }
    }

    /// Discovery for renewals (`WSTEP/Renew/ServerURL`).
    #[must_use]
    pub fn renewal_discovery(&self) -> String {
        format!("{}{DISCOVERY_PATH}", self.devices)
    }

    /// The management server (`APPLICATION/ADDR`).
    #[must_use]
    pub fn management(&self) -> String {
        format!("{}{MANAGEMENT_PATH}", self.devices)
    }

    /// The sign-in page.
    #[must_use]
    pub fn authentication(&self) -> String {
        format!("{}{AUTHENTICATION_PATH}", self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdm::settings::MdmSettings;

    #[test]
    fn addresses_follow_from_the_names_unless_they_are_given() {
        let of = |names: &[&str], settings: MdmSettings| {
            let text =
                "organization = \"x\"\nurl = \"http://x\"\n[listen]\nhttp = \"[::]:1\"\nhttps = \"[::]:2\"\nmdm = \"[::]:3\"\n";
            let mut config = Config::from_text(text, std::path::Path::new("lanyard.toml")).unwrap();
            config.tls_names = names.iter().map(|name| (*name).to_owned()).collect();
            config.mdm = Some(settings);
            let Addresses { first, devices } = Addresses::of(&config, 443, 8444);
            (first, devices)
        };
        let pair = |first: &str, devices: &str| (first.to_owned(), devices.to_owned());
        let names = ["dns:localhost", "ip:192.0.2.1", "dns:mdm.example.org"];
        let plain = MdmSettings::default;
        assert_eq!(of(&names, plain()), pair("https://mdm.example.org", "https://mdm.example.org:8444"));
        assert_eq!(of(&names[..2], plain()), pair("https://localhost", "https://localhost:8444"));
        assert_eq!(of(&["ip:2001:db8::1"], plain()), pair("https://[2001:db8::1]", "https://[2001:db8::1]:8444"));
        let given = MdmSettings { url: Some("https://a".into()), management_url: Some("https://b:1".into()), ..plain() };
        assert_eq!(of(&names, given), pair("https://a", "https://b:1"));
    }
}
