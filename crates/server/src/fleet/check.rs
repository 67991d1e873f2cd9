//! Whether a policy can mean what it says: names that exist, values that devices take.

use lanyard_model::{key::KeyKind, time::Span};
use lanyard_ra::{pattern::Pattern, policy::Policy};

use super::policy::{FleetPolicy, OWN};

/// What names something on devices.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Checks a file against templates and profiles.
///
/// # Errors
/// The key and what is wrong with it.
pub(super) fn check(file: &FleetPolicy, policy: &Policy) -> Result<(), String> {
    if file.format != 1 {
        return Err(format!("format = {} is not known; write format = 1", file.format));
    }
    if policy.profiles.find(&file.name).is_none() {
        return Err(format!(
            "there is no profile {0}, and a policy has the name of the profile whose devices it is for: add profiles/{0}.toml, such as a copy of \
             default.toml under that name",
            file.name
        ));
    }
    let minute = |span: Span| span.secs() >= 60;
    let mut names: Vec<&str> = Vec::new();
    for scep in &file.scep {
        let text = &scep.name;
        if !is_name(text) || names.contains(&text.as_str()) {
            return Err(format!("scep.name = \"{text}\" must be 1 to 40 letters, digits, - and _, and another one each time"));
        }
        names.push(text);
        if policy.templates.find(&scep.template).is_none() {
            return Err(format!("scep \"{text}\": there is no template {}", scep.template));
        }
        if policy.profiles.find(&scep.profile).is_none() {
            return Err(format!("scep \"{text}\": there is no profile {}", scep.profile));
        }
        if !matches!(scep.key, KeyKind::Rsa(2048 | 4096)) {
            return Err(format!("scep \"{text}\": key must be rsa:2048 or rsa:4096"));
        }
        if scep.retry_count > 30 || !minute(scep.retry_delay) {
            return Err(format!("scep \"{text}\": retry-count is at most 30, retry-delay at least 1m"));
        }
        if scep.urls.iter().any(|url| !url.starts_with("http://") && !url.starts_with("https://") || url.contains(';')) {
            return Err(format!("scep \"{text}\": urls must begin with http:// or https://"));
        }
    }
    let eaps = file.wifi.iter().map(|wifi| (&wifi.eap, &wifi.ssid));
    for (eap, whose) in eaps.chain(file.vpn.iter().filter_map(|vpn| Some((vpn.eap.as_ref()?, &vpn.name)))) {
        if eap.server_names.is_empty() {
            return Err(format!("\"{whose}\": server-names must name at least one server, or any server of the roots would do"));
        }
        if !names.contains(&eap.scep.as_str()) {
            return Err(format!("\"{whose}\": there is no [[scep]] with the name \"{}\"", eap.scep));
        }
        let known = |root: &String| root == OWN || file.trust.iter().any(|trust| trust.file.as_os_str() == root.as_str());
        if let Some(root) = eap.roots.iter().find(|root| !known(root)) {
            return Err(format!("\"{whose}\": roots names \"{root}\", which is no file of [[trust]]"));
        }
        if eap.roots.iter().any(|root| root == OWN) && !file.trust_own {
            return Err(format!("\"{whose}\": roots = [\"own\"] needs trust-own = true"));
        }
    }
    for wifi in &file.wifi {
        if wifi.ssid.is_empty() || wifi.ssid.len() > 32 {
            return Err("wifi.ssid must have 1 to 32 octets".into());
        }
    }
    for vpn in &file.vpn {
        let scep = vpn.scep.as_ref().is_none_or(|scep| names.contains(&scep.as_str()));
        if vpn.servers.is_empty() || !scep || (vpn.eap.is_none() && vpn.scep.is_none()) {
            return Err(format!("vpn \"{}\" needs servers, and eap or the name of a [[scep]]", vpn.name));
        }
    }
    for mail in &file.mail {
        if mail.guid.len() != 38 || !mail.guid.starts_with('{') || !mail.guid.ends_with('}') {
            return Err(format!("mail.guid = \"{}\" must be a GUID in braces", mail.guid));
        }
        for text in [&mail.email_address, &mail.user_name, &mail.domain, &mail.account_name].into_iter().filter(|t| !t.is_empty())
        {
            Pattern::parse(text).map_err(|problem| format!("mail: \"{text}\": {problem}"))?;
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for name in file.pfx.iter().map(|pfx| &pfx.name) {
        if !is_name(name) || names.contains(&name.as_str()) {
            return Err(format!("pfx.name = \"{name}\" must be 1 to 40 letters, digits, - and _, and another one each time"));
        }
        names.push(name);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in file.company_token.iter().map(|token| &token.enterprise_id) {
        if !is_name(name) || names.contains(&name.as_str()) {
            return Err(format!(
                "company-token.enterprise-id = \"{name}\" must be 1 to 40 letters, digits, - and _, and another one each time"
            ));
        }
        names.push(name);
    }
    if let Some(poll) = &file.poll
        && (poll.first_sessions == 0 || ![poll.first_interval, poll.second_interval, poll.interval].into_iter().all(minute))
    {
        return Err("poll: first-sessions must not be 0, and the intervals at least 1m".into());
    }
    if let Some(renewal) = &file.renewal
        && (renewal.retry.secs() < 86_400 || renewal.period < renewal.retry)
    {
        return Err("renewal: retry must be at least 1d and period not shorter".into());
    }
    if file.inventory_every.secs() < 3600 {
        return Err("inventory-every must be at least 1h".into());
    }
    Ok(())
}
