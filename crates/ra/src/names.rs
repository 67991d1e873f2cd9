//! The name rules of a template, parsed: filling in subjects and alternative names, and checking those that were given.

use lanyard_model::{
    name::{DistinguishedName, NameAttribute, attribute_type},
    oid::Oid,
    san::{SanKind, SubjectAltName},
    template::{SanRule, SubjectRule},
    text::printable,
};
use lanyard_pki::{general_name::MAX_NAMES, name};

use crate::pattern::{Pattern, Records, Segment, Variable, matches};

/// Beginning of the URI form of Microsoft's security identifier, which only a directory look-up may put into a certificate
/// (ndes-policy T11).
const SID_URI: &str = "tag:microsoft.com,2022-09-14:sid:";

/// The subject rule of a template, parsed.
#[derive(Debug, Clone)]
pub struct SubjectPattern {
    attributes: Vec<(Oid, Pattern)>,
    allow: Vec<Oid>,
    text: String,
}

/// One alternative-name rule of a template, parsed.
#[derive(Debug, Clone)]
pub struct SanPattern {
    kind: SanKind,
    pattern: Pattern,
    required: bool,
    text: String,
}

/// Short name of an attribute type for messages.
fn short(oid: Oid) -> String {
    let text = oid.to_string();
    attribute_type(&text).map_or(text, |known| known.short.to_owned())
}

impl SubjectPattern {
    /// Reads `CN={device.name},O={organization}` and the further types that are allowed.
    ///
    /// # Errors
    /// Key and problem.
    pub fn parse(rule: &SubjectRule) -> Result<Self, (&'static str, String)> {
        let mut attributes: Vec<(Oid, Pattern)> = Vec::new();
        for part in split(&rule.pattern) {
            let fault = |problem: String| ("subject.pattern", format!("'{}': {problem}", printable(part)));
            let (kind, value) = part.split_once('=').ok_or_else(|| fault("it has no '='".to_owned()))?;
            let oid = name::resolve(kind.trim()).map_err(|e| fault(e.to_string()))?;
            if attributes.iter().any(|(known, _)| *known == oid) {
                return Err(fault(format!("{} stands there twice", short(oid))));
            }
            attributes.push((oid, Pattern::parse(value.trim()).map_err(fault)?));
        }
        let mut allow = Vec::new();
        for kind in &rule.allow {
            let fault = |problem: String| ("subject.allow", format!("'{}': {problem}", printable(kind)));
            let oid = name::resolve(kind).map_err(|e| fault(e.to_string()))?;
            if attributes.iter().any(|(known, _)| *known == oid) || allow.contains(&oid) {
                return Err(fault("the pattern or the list has it already".to_owned()));
            }
            allow.push(oid);
        }
        Ok(Self { attributes, allow, text: rule.pattern.clone() })
    }

    /// Whether the pattern has no attribute at all.
    pub const fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The subject filled in from the records.
    ///
    /// # Errors
    /// A variable that no record tells.
    pub fn expand(&self, records: &Records<'_>) -> Result<DistinguishedName, Variable> {
        let filled =
            self.attributes.iter().map(|(oid, pattern)| Ok(NameAttribute { oid: *oid, value: pattern.expand(records)? }));
        filled.collect::<Result<_, _>>().map(DistinguishedName)
    }

    /// Whether a given subject fits: each attribute of the pattern once, with a fitting value, and otherwise only allowed types.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn check(&self, records: &Records<'_>, subject: &DistinguishedName) -> Result<(), String> {
        for (oid, pattern) in &self.attributes {
            let mut values = subject.0.iter().filter(|a| a.oid == *oid).map(|a| a.value.as_str());
            match (values.next(), values.next()) {
                (Some(value), None) if pattern.fits(records, value) => {}
                (Some(value), None) => {
                    let wanted = pattern.expand(records).unwrap_or_else(|_| self.text.clone());
                    return Err(format!("{}={} does not fit '{}'", short(*oid), printable(value), printable(&wanted)));
                }
                (None, _) => return Err(format!("{} is missing; the template's pattern is '{}'", short(*oid), self.text)),
                (Some(_), Some(_)) => return Err(format!("{} stands there more than once", short(*oid))),
            }
        }
        let known = |oid: Oid| self.allow.contains(&oid) || self.attributes.iter().any(|(o, _)| *o == oid);
        match subject.0.iter().find(|a| !known(a.oid)) {
            Some(extra) => Err(format!("{} is not allowed in the subject by the template", short(extra.oid))),
            None => Ok(()),
        }
    }
}

/// Splits at commas that no backslash precedes; an empty pattern has no parts.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            parts.extend(text.get(start..at));
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    if !text.trim().is_empty() {
        parts.extend(text.get(start..));
    }
    parts
}

impl SanPattern {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with its pattern.
    pub fn parse(rule: &SanRule) -> Result<Self, String> {
        let pattern = Pattern::parse(&rule.pattern)?;
        Ok(Self { kind: rule.kind, pattern, required: rule.required, text: rule.pattern.clone() })
    }

    /// Whether a name of this kind must be there.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    fn fits(&self, records: &Records<'_>, san: &SubjectAltName) -> bool {
        san.kind() == Some(self.kind) && matches(&fold(self.kind, self.pattern.segments(records)), &san.value())
    }
}

/// Brings the text of a pattern into the canonical form in which [`SubjectAltName`] keeps its values: DNS names and the domains
/// of addresses in lower case.
fn fold(kind: SanKind, mut segments: Vec<Segment>) -> Vec<Segment> {
    let mut in_domain = kind == SanKind::Dns;
    for segment in &mut segments {
        let Segment::Text(text) = segment else { continue };
        match (kind, text.rsplit_once('@')) {
            (SanKind::Uri | SanKind::Ip, _) => {}
            _ if in_domain => *text = text.to_ascii_lowercase(),
            (_, Some((local, domain))) => {
                *text = format!("{local}@{}", domain.to_ascii_lowercase());
                in_domain = true;
            }
            (_, None) => {}
        }
    }
    // A record may hold the absolute form of a DNS name; certificates hold it without the last dot.
    if kind != SanKind::Uri
        && kind != SanKind::Ip
        && let Some(Segment::Text(last)) = segments.last_mut()
        && last.ends_with('.')
    {
        last.pop();
    }
    segments
}

/// Why alternative names cannot be filled in.
pub enum SanFault {
    /// A required rule has a variable that no record tells.
    Missing(String),
    /// A record's value is no name of the rule's kind.
    Unfit(String),
}

/// The alternative names filled in from the records. Rules that are not required are left out when a record does not tell.
///
/// # Errors
/// What is missing or does not fit.
pub fn expand_san(rules: &[SanPattern], records: &Records<'_>) -> Result<Vec<SubjectAltName>, SanFault> {
    let mut names = Vec::new();
    for rule in rules {
        match rule.pattern.expand(records) {
            Ok(text) => {
                let name = SubjectAltName::of_kind(rule.kind, &text).ok_or_else(|| {
                    SanFault::Unfit(format!("'{}' from the record is no name of kind {}", printable(&text), rule.kind.as_str()))
                })?;
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Err(variable) if rule.required => {
                return Err(SanFault::Missing(format!(
                    "the template needs a name of kind {} and no record tells {variable}",
                    rule.kind.as_str()
                )));
            }
            Err(_) => {}
        }
    }
    Ok(names)
}

/// Whether given alternative names fit: each some rule of its kind, no two the same, and every required rule met.
///
/// # Errors
/// A sentence that says what does not fit.
pub fn check_san(rules: &[SanPattern], records: &Records<'_>, names: &[SubjectAltName]) -> Result<(), String> {
    if names.len() > MAX_NAMES {
        return Err(format!("there are more than {MAX_NAMES} alternative names"));
    }
    for (position, name) in names.iter().enumerate() {
        let text = printable(&name.to_string());
        if let SubjectAltName::Uri(uri) = name
            && uri.get(..SID_URI.len()).is_some_and(|start| start.eq_ignore_ascii_case(SID_URI))
        {
            return Err(format!("{text} is a security identifier, which only a directory may tell"));
        }
        if names.iter().take(position).any(|earlier| earlier == name) {
            return Err(format!("{text} stands there twice"));
        }
        if !rules.iter().any(|rule| rule.fits(records, name)) {
            return Err(format!("{text} fits no alternative-name rule of the template"));
        }
    }
    let unmet = rules.iter().find(|rule| rule.required && !names.iter().any(|name| rule.fits(records, name)));
    match unmet {
        Some(rule) => Err(format!("a name of kind {} that fits '{}' is required", rule.kind.as_str(), rule.text)),
        None => Ok(()),
    }
}
