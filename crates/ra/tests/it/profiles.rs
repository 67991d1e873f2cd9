//! Profile files and what templates and profiles must have in common.

use lanyard_ra::{
    policy::Policy,
    profile::{Profiles, builtin},
    template::{self, Templates},
};

use crate::support::*;

fn default_with(from: &str, to: &str) -> Vec<(String, String)> {
    assert!(builtin()[0].1.contains(from), "{from}");
    files(&[("default.toml", &builtin()[0].1.replacen(from, to, 1))])
}

#[test]
fn builtin_profiles_load_and_only_legacy_is_legacy() {
    let profiles = Profiles::load(files(builtin())).unwrap();
    let told: Vec<(&str, bool)> = profiles.iter().map(|p| (p.name.as_str(), p.legacy_algorithms)).collect();
    assert_eq!(told, [("default", false), ("legacy", true), ("mdm", false)]);
    assert!(profiles.find(&"default".parse().unwrap()).is_some_and(|p| p.templates.is_empty() && p.burn_on_mismatch));
    assert!(builtin()[1].1.contains("inert until a challenge"));
}

#[test]
fn profiles_that_cannot_be_are_refused() {
    for (key, from, to) in [
        ("format", "format = 1", "format = 2"),
        ("name", "name = \"default\"", "name = \"other\""),
        ("revision", "revision = 1", "revision = 0"),
        ("challenge-lifetime", "challenge-lifetime = \"1h\"", "challenge-lifetime = \"59s\""),
        ("challenge-lifetime", "challenge-lifetime = \"1h\"", "challenge-lifetime = \"31d\""),
        ("signing-time-window", "# signing-time-window = \"15m\"", "signing-time-window = \"10s\""),
        ("pending-lifetime", "pending-lifetime = \"30d\"", "pending-lifetime = \"1s\""),
        ("reading it", "include-root", "include-roots"),
        ("reading it", "\"1h\"", "\"1 hour\""),
        ("reading it", "templates = []", "templates = [\"../x\"]"),
    ] {
        let error = Profiles::load(default_with(from, to)).unwrap_err();
        assert_eq!(error.code(), "ra.profile-invalid");
        assert!(error.to_string().starts_with(&format!("profile file default.toml, {key}: ")), "{error}");
    }
    let twice = [files(builtin()), files(builtin())].concat();
    assert!(Profiles::load(twice).unwrap_err().to_string().contains("same name"));
}

#[test]
fn a_policy_must_hold_together() {
    let templates = Templates::load(files(template::builtin())).unwrap();
    let make = |instance: &str, organization: &str, profiles: Vec<(String, String)>| {
        Policy::new(instance.into(), organization.into(), templates.clone(), Profiles::load(profiles).unwrap())
    };
    assert!(make("i", "Example", files(builtin())).is_ok());
    assert_eq!(make("", "Example", files(builtin())).unwrap_err().code(), "ra.policy-invalid");
    for organization in ["", "a\nb", &"x".repeat(65)] {
        assert_eq!(make("i", organization, files(builtin())).unwrap_err().code(), "ra.policy-invalid");
    }
    let error = make("i", "Example", default_with("templates = []", "templates = [\"none\"]")).unwrap_err();
    assert!(error.to_string().contains("default.toml, templates: there is no template 'none'"), "{error}");
}
