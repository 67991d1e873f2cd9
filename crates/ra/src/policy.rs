//! Everything a decision rests on besides the request and the record.

use lanyard_model::{
    name::{DistinguishedName, NameAttribute, attribute_type},
    text::printable,
};

use crate::{error::RaError, modules, profile::Profiles, template::Templates};

/// The rules of an installation.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The installation's identity; the outer audience of its challenges.
    pub instance: String,
    /// Organization, for the variable `{organization}`.
    pub organization: String,
    /// Templates.
    pub templates: Templates,
    /// Profiles.
    pub profiles: Profiles,
}

impl Policy {
    /// Puts the rules together and checks that they belong together.
    ///
    /// # Errors
    /// [`RaError::PolicyInvalid`] for an empty instance or an organization that cannot stand in a name;
    /// [`RaError::ProfileInvalid`] for a profile that lists a template there is not.
    pub fn new(instance: String, organization: String, templates: Templates, profiles: Profiles) -> Result<Self, RaError> {
        let invalid =
            |key: &str, problem: String, fix: &str| RaError::PolicyInvalid { key: key.to_owned(), problem, fix: fix.to_owned() };
        if instance.is_empty() {
            return Err(invalid("instance", "it is empty".to_owned(), "restore the identity that 'lanyard init' made"));
        }
        let attribute = attribute_type("O").map(|known| NameAttribute { oid: known.oid, value: organization.clone() });
        if let Err(error) = lanyard_pki::name::check(&DistinguishedName(attribute.into_iter().collect())) {
            let fix = "choose an organization of 1 to 64 characters";
            return Err(invalid("organization", format!("'{}': {error}", printable(&organization)), fix));
        }
        for profile in profiles.iter() {
            if let Some(missing) = profile.templates.iter().find(|name| templates.find(name).is_none()) {
                return Err(RaError::ProfileInvalid {
                    file: format!("{}.toml", profile.name),
                    key: "templates".to_owned(),
                    problem: format!("there is no template '{missing}'"),
                    fix: "correct the name, or add the template".to_owned(),
                });
            }
            modules::check_templates(profile, &templates).map_err(|(key, problem, fix)| RaError::ProfileInvalid {
                file: format!("{}.toml", profile.name),
                key: key.to_owned(),
                problem,
                fix: fix.to_owned(),
            })?;
        }
        Ok(Self { instance, organization, templates, profiles })
    }
}
