//! Registration profiles: one commented TOML file each, one SCEP URL each.

use std::collections::BTreeMap;

use lanyard_model::{
    id::{ProfileName, TemplateName},
    profile::Profile,
    time::Span,
};

use crate::{error::RaError, modules};

/// Shortest life of a challenge.
pub const MIN_CHALLENGE_LIFETIME: Span = Span::from_secs(60);
/// Longest life of a challenge.
pub const MAX_CHALLENGE_LIFETIME: Span = Span::from_days(30);

/// The profiles of an installation, all checked.
#[derive(Debug, Clone, Default)]
pub struct Profiles(BTreeMap<ProfileName, Profile>);

impl Profiles {
    /// Reads and checks profile files, given as file name (`default.toml`) and text.
    ///
    /// # Errors
    /// [`RaError::ProfileInvalid`] for the first file that cannot be used.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, RaError> {
        let mut profiles = BTreeMap::new();
        for (file, text) in files {
            let invalid = |(key, problem, fix): (&str, String, &str)| RaError::ProfileInvalid {
                file: file.clone(),
                key: key.to_owned(),
                problem,
                fix: fix.to_owned(),
            };
            let profile = read(&file, &text).map_err(invalid)?;
            if profiles.insert(profile.name.clone(), profile).is_some() {
                return Err(invalid(("name", "another file has the same name".to_owned(), "remove one of them")));
            }
        }
        Ok(Self(profiles))
    }

    /// Finds a profile.
    #[must_use]
    pub fn find(&self, name: &ProfileName) -> Option<&Profile> {
        self.0.get(name)
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

/// Whether a profile allows a template; a profile that lists none allows all.
#[must_use]
pub fn allows(profile: &Profile, template: &TemplateName) -> bool {
    profile.templates.is_empty() || profile.templates.contains(template)
}

fn read(file: &str, text: &str) -> Result<Profile, (&'static str, String, &'static str)> {
    let profile: Profile = toml::from_str(text).map_err(|error| {
        let fix = "correct that line; the comments of the built-in profiles explain every key";
        ("reading it", error.to_string().trim_end().to_owned(), fix)
    })?;
    if profile.format != 1 {
        return Err(("format", format!("{} is not a known format", profile.format), "write format = 1"));
    }
    if file != format!("{}.toml", profile.name) {
        return Err(("name", format!("'{}' is not the name of the file", profile.name), "name the file <name>.toml"));
    }
    if profile.revision == 0 {
        return Err(("revision", "it is 0".to_owned(), "begin with revision = 1 and raise it with every change"));
    }
    if !(MIN_CHALLENGE_LIFETIME..=MAX_CHALLENGE_LIFETIME).contains(&profile.challenge_lifetime) {
        let problem = format!("{} is out of bounds", profile.challenge_lifetime);
        return Err(("challenge-lifetime", problem, "choose from 60s to 30d"));
    }
    if profile.signing_time_window.is_some_and(|window| window.secs() < 60) {
        let problem = "clocks differ by more than that".to_owned();
        return Err(("signing-time-window", problem, "choose at least 60s, or leave it out to not check"));
    }
    if profile.pending_lifetime.secs() < 60 {
        return Err(("pending-lifetime", "nobody can decide that fast".to_owned(), "choose at least 60s; 30d is usual"));
    }
    modules::check(&profile)?;
    Ok(profile)
}

/// File name and text of each profile a new installation begins with.
#[must_use]
pub const fn builtin() -> &'static [(&'static str, &'static str)] {
    &[
        ("default.toml", include_str!("../builtin/profiles/default.toml")),
        ("legacy.toml", include_str!("../builtin/profiles/legacy.toml")),
        ("mdm.toml", include_str!("../builtin/profiles/mdm.toml")),
    ]
}
