//! Whether the policy modules of a profile make sense, before any of them is set up, and what is dangerous about them.

use lanyard_model::{
    enroll::Protocol,
    module::{HttpEvent, ModuleConfig, NdesPage, StaticSecret},
    profile::Profile,
    template::Approval,
};

use crate::{
    profile::{MAX_CHALLENGE_LIFETIME, MIN_CHALLENGE_LIFETIME, allows},
    template::Templates,
};

/// Key, problem, remedy.
pub(crate) type Fault = (&'static str, String, &'static str);

/// Most uses of a static secret in a period.
const MAX_QUOTA: u32 = 1000;
/// Longest time for one call: devices give up after about a minute.
const MAX_TIMEOUT: i64 = 15;

/// What can be said of a profile alone.
pub(crate) fn check(profile: &Profile) -> Result<(), Fault> {
    let adopting: Vec<&ModuleConfig> = profile.modules.iter().filter(|m| m.adopts().is_some()).collect();
    if adopting.len() > 1 {
        let problem = "more than one module brings permissions of its own (intune, static-secret)".to_owned();
        return Err(("module", problem, "make a profile for each"));
    }
    if !adopting.is_empty() && !profile.groups.is_empty() {
        let problem = "a module of this profile tells neither user nor device, so nobody would be in a group".to_owned();
        return Err(("groups", problem, "leave groups out, or make a profile for the module alone"));
    }
    for module in &profile.modules {
        if module.timeout().is_some_and(|t| !(1..=MAX_TIMEOUT).contains(&t.secs())) {
            return Err(("module.timeout", "it is out of bounds".to_owned(), "choose from 1s to 15s"));
        }
        match module {
            ModuleConfig::Http(http) if http.events.is_empty() => {
                return Err(("module.events", "it is empty".to_owned(), "list verify, notify or generate, or remove the module"));
            }
            ModuleConfig::Http(http) if http.send_csr && !http.events.contains(&HttpEvent::Verify) => {
                return Err(("module.send-csr", "only verify carries the CSR".to_owned(), "list verify in events"));
            }
            ModuleConfig::StaticSecret(secret) => static_secret(secret)?,
            ModuleConfig::Http(_) | ModuleConfig::Intune(_) => {}
        }
    }
    profile.ndes_page.as_ref().map_or(Ok(()), ndes_page)
}

fn static_secret(secret: &StaticSecret) -> Result<(), Fault> {
    if secret.from.is_empty() {
        let fix = "list the networks of the devices, such as [\"10.20.0.0/16\"]";
        return Err(("module.from", "it is empty, so the secret would be accepted from nowhere".to_owned(), fix));
    }
    if !(1..=MAX_QUOTA).contains(&secret.quota) {
        return Err(("module.quota", format!("{} is out of bounds", secret.quota), "choose from 1 to 1000"));
    }
    if secret.period.secs() < 60 {
        return Err(("module.period", "it is shorter than a minute".to_owned(), "choose at least 60s; 1d is usual"));
    }
    Ok(())
}

fn ndes_page(page: &NdesPage) -> Result<(), Fault> {
    if !(1..=10_000).contains(&page.password_max) {
        return Err(("ndes-page.password-max", format!("{} is out of bounds", page.password_max), "choose from 1 to 10000"));
    }
    if !(MIN_CHALLENGE_LIFETIME..=MAX_CHALLENGE_LIFETIME).contains(&page.password_validity) {
        let problem = format!("{} is out of bounds", page.password_validity);
        return Err(("ndes-page.password-validity", problem, "choose from 60s to 30d"));
    }
    Ok(())
}

/// What can be said of a profile once the templates are known.
pub(crate) fn check_templates(profile: &Profile, templates: &Templates) -> Result<(), Fault> {
    let named = profile.modules.iter().filter_map(|m| m.adopts().map(|t| ("module.template", t)));
    let page = profile.ndes_page.iter().map(|page| ("ndes-page.template", &page.template));
    for (key, name) in named.chain(page) {
        let Some(template) = templates.find(name) else {
            return Err((key, format!("there is no template '{name}'"), "correct the name, or add the template"));
        };
        if !allows(profile, name) {
            return Err((key, format!("the profile does not allow template '{name}'"), "add it to templates"));
        }
        if !template.protocols.contains(&Protocol::Scep) {
            return Err((key, format!("template '{name}' may not be used by scep"), "add scep to the template's protocols"));
        }
        let intune = profile.modules.iter().any(|m| matches!(m, ModuleConfig::Intune(i) if i.template == *name));
        if intune && template.approval != Approval::Automatic {
            let problem = format!("template '{name}' needs a person's approval, and Intune has no request that waits");
            return Err((key, problem, "use a template with approval = \"automatic\""));
        }
    }
    Ok(())
}

/// What an administrator should know about a profile that works and is dangerous all the same.
#[must_use]
pub fn warnings(profile: &Profile) -> Vec<String> {
    let mut warnings = Vec::new();
    for module in &profile.modules {
        match module {
            ModuleConfig::StaticSecret(secret) => {
                let networks: Vec<String> = secret.from.iter().map(ToString::to_string).collect();
                warnings.push(format!(
                    "DANGER: a STATIC SECRET is accepted: whoever learns it from any one device gets up to {} certificates a {} of \
                     template {} with any name its patterns allow, from {}; use challenges instead",
                    secret.quota,
                    secret.period,
                    secret.template,
                    networks.join(", ")
                ));
            }
            ModuleConfig::Http(http) if http.send_csr => warnings.push(format!(
                "send-csr gives {} every CSR with its unused challenge: whoever runs it could enrol in the device's place",
                http.url
            )),
            ModuleConfig::Http(http) if http.url.starts_with("http://") => {
                warnings.push(format!("{} is called without TLS: its answers can be forged on the way", http.url));
            }
            ModuleConfig::Http(_) | ModuleConfig::Intune(_) => {}
        }
    }
    warnings
}
