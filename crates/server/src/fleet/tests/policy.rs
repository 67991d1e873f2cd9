//! The policy file: its examples work, and what cannot work is refused by name.

use lanyard_ra::policy::Policy;

use crate::{
    error::ServerError,
    fleet::policy::{FleetPolicies, builtin},
    installation::Installation,
};

fn rules() -> Policy {
    let templates = lanyard_ra::template::builtin().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let profiles = lanyard_ra::profile::builtin().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let templates = lanyard_ra::template::Templates::load(templates).unwrap();
    Policy::new("i".into(), "Example".into(), templates, lanyard_ra::profile::Profiles::load(profiles).unwrap()).unwrap()
}

fn load(text: &str) -> Result<FleetPolicies, ServerError> {
    let installation = Installation::at(std::path::Path::new("nowhere"));
    FleetPolicies::load(&installation, vec![("mdm.toml".into(), text.to_owned())], &rules())
}

/// The built-in file with its examples in force, but the one that names a file.
fn with_examples() -> String {
    let text = builtin()[0].1;
    let (before, after) = text.split_once("# [[trust]]").unwrap();
    let after = after.split_once("store = \"root\"\n").unwrap().1;
    let example = |line: &str| line.starts_with("# [") || line.split_once(" = ").is_some_and(|(key, _)| !key[2..].contains(' '));
    let lines = after.lines().map(|line| if line.starts_with("# ") && example(line) { &line[2..] } else { line });
    before.to_owned() + &lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_built_in_file_and_its_examples_are_sound() {
    assert!(load(builtin()[0].1).is_ok());
    let loaded = load(&with_examples()).unwrap();
    let file = &loaded.find(&"mdm".parse().unwrap()).unwrap().file;
    assert_eq!((file.scep.len(), file.wifi.len(), file.vpn.len(), file.mail.len()), (1, 1, 1, 1));
    assert!(file.poll.is_some() && file.renewal.is_some());
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    for (from, to, named) in [
        ("format = 1", "format = 2", "format"),
        ("name = \"mdm\"", "name = \"other\"", "name of the file"),
        ("trust-own = true", "trust-own = false", "trust-own"),
        ("key = \"rsa:2048\"", "key = \"ec:p256\"", "rsa:2048"),
        ("template = \"wifi\"", "template = \"nothing\"", "template"),
        ("eap = { scep = \"wifi\"", "eap = { scep = \"other\"", "[[scep]]"),
        ("server-names = [\"radius.example.org\"]", "server-names = []", "server-names"),
        ("retry-count = 10", "retry-count = 31", "retry-count"),
        ("email-address = \"{user.email}\"", "email-address = \"{user.nothing}\"", "user.nothing"),
        ("first-sessions = 5", "first-sessions = 0", "first-sessions"),
        ("period = \"50d\"", "period = \"1d\"", "renewal"),
        ("inventory-every = \"7d\"", "inventory-every = \"1m\"", "inventory-every"),
        ("inventory-every", "inventory-evry", "inventory-evry"),
    ] {
        let text = with_examples();
        assert!(text.contains(from), "{from}");
        let error = load(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}
