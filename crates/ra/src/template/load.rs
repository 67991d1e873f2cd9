//! Loading templates.

use std::collections::BTreeMap;

use lanyard_model::{
    id::{AuthorityName, TemplateName},
    template::Template,
};

use super::check::{self, Fault};
use crate::{
    error::RaError,
    names::{SanPattern, SubjectPattern},
};

/// A checked template with its patterns parsed.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub template: Template,
    pub subject: SubjectPattern,
    pub san: Vec<SanPattern>,
}

/// The templates of an installation, all checked.
#[derive(Debug, Clone, Default)]
pub struct Templates(BTreeMap<TemplateName, Compiled>);

impl Templates {
    /// Reads and checks template files, given as file name (`device-client.toml`) and text.
    ///
    /// # Errors
    /// [`RaError::TemplateInvalid`] for the first file that cannot be used.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, RaError> {
        let mut templates = BTreeMap::new();
        for (file, text) in files {
            let compiled = read(&file, &text).map_err(|fault| RaError::TemplateInvalid {
                file: file.clone(),
                key: fault.key.to_owned(),
                problem: fault.problem,
                fix: fault.fix.to_owned(),
            })?;
            if templates.insert(compiled.template.name.clone(), compiled).is_some() {
                return Err(RaError::TemplateInvalid {
                    file,
                    key: "name".to_owned(),
                    problem: "another file has the same name".to_owned(),
                    fix: "remove one of them".to_owned(),
                });
            }
        }
        Ok(Self(templates))
    }

    /// Puts one issuing authority in the place of another.
    pub fn issue_from(&mut self, before: &AuthorityName, now: &AuthorityName) {
        for compiled in self.0.values_mut().filter(|compiled| compiled.template.issuing_ca == *before) {
            compiled.template.issuing_ca = now.clone();
        }
    }

    /// Finds a template.
    #[must_use]
    pub fn find(&self, name: &TemplateName) -> Option<&Template> {
        self.0.get(name).map(|compiled| &compiled.template)
    }

    /// Every template, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.values().map(|compiled| &compiled.template)
    }

    /// Finds a template with its parsed patterns.
    pub(crate) fn compiled(&self, name: &TemplateName) -> Option<&Compiled> {
        self.0.get(name)
    }
}

fn read(file: &str, text: &str) -> Result<Compiled, Fault> {
    let template: Template = toml::from_str(text).map_err(|error| Fault {
        key: "reading it",
        problem: error.to_string().trim_end().to_owned(),
        fix: "correct that line; the comments of the built-in templates explain every key",
    })?;
    check::identity(file, &template)?;
    check::usages(&template)?;
    check::keys(&template)?;
    check::validity(&template)?;
    check::archival(&template)?;
    let fix = "write text with variables in braces, such as CN={device.name},O={organization}";
    let subject = SubjectPattern::parse(&template.subject).map_err(|(key, problem)| Fault { key, problem, fix })?;
    let san: Result<Vec<SanPattern>, String> = template.san.iter().map(SanPattern::parse).collect();
    let san = san.map_err(|problem| Fault { key: "san.pattern", problem, fix })?;
    if subject.is_empty() && !san.iter().any(SanPattern::is_required) {
        return Err(Fault {
            key: "subject.pattern",
            problem: "it is empty and no alternative name is required, so a certificate could be without any name".to_owned(),
            fix: "give a subject pattern or set required = true in a [[san]] rule",
        });
    }
    Ok(Compiled { template, subject, san })
}
