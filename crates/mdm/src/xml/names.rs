//! Characters and names (XML 1.0, sections 2.2 and 2.3; Namespaces in XML, section 3).

/// Whether a document may contain the character at all.
pub(super) const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{1_0000}'..)
}

/// White space of XML, which is less than that of Unicode.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

const fn starts_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{1_0000}'..='\u{E_FFFF}')
}

const fn continues_name(c: char) -> bool {
    starts_name(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether it is a name without colon.
pub(super) fn is_ncname(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(starts_name) && characters.all(continues_name)
}

/// Prefix (empty without one) and local part of a qualified name.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    ((prefix.is_empty() && !name.starts_with(':') || is_ncname(prefix)) && is_ncname(local)).then_some((prefix, local))
}
