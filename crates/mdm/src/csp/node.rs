//! What a table says about one node.

/// Whose tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `./Device/…`, also written without it.
    Device,
    /// `./User/…`: the enrolled user, who must be logged on.
    User,
}

/// In which trees a node exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scopes {
    /// In the device's only.
    Device,
    /// In the user's only.
    User,
    /// In both.
    Both,
}

impl Scopes {
    /// Whether the node exists in this tree.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        matches!((self, scope), (Self::Both, _) | (Self::Device, Scope::Device) | (Self::User, Scope::User))
    }
}

/// What a value is (`Meta/Format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text; what a value is when nothing is said.
    Chr,
    /// Decimal number.
    Int,
    /// `true` or `false`.
    Bool,
    /// Base64, decoded by the recipient.
    B64,
    /// Bytes, base64 in XML.
    Bin,
    /// Escaped XML.
    Xml,
    /// Interior node, no data.
    Node,
    /// No data.
    Null,
    /// ISO 8601, basic form.
    Time,
    /// ISO 8601 date.
    Date,
    /// Floating point number.
    Float,
}

impl Format {
    /// As it stands in `Meta/Format`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chr => "chr",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::B64 => "b64",
            Self::Bin => "bin",
            Self::Xml => "xml",
            Self::Node => "node",
            Self::Null => "null",
            Self::Time => "time",
            Self::Date => "date",
            Self::Float => "float",
        }
    }

    /// Reads `Meta/Format`; nothing for a word that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "chr" => Self::Chr,
            "int" => Self::Int,
            "bool" => Self::Bool,
            "b64" => Self::B64,
            "bin" => Self::Bin,
            "xml" => Self::Xml,
            "node" => Self::Node,
            "null" => Self::Null,
            "time" => Self::Time,
            "date" => Self::Date,
            "float" => Self::Float,
            _ => return None,
        })
    }

    /// Whether a text is a value of this format. Old parsers write bool as 1 and 0; both are accepted.
    #[must_use]
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Chr | Self::Xml | Self::Time | Self::Date => true,
            Self::Int => text.trim().parse::<i64>().is_ok(),
            Self::Bool => matches!(text.trim(), "true" | "false" | "1" | "0"),
            Self::B64 | Self::Bin => is_base64(text),
            Self::Node | Self::Null => text.is_empty(),
            Self::Float => text.trim().parse::<f64>().is_ok(),
        }
    }
}

fn is_base64(text: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text.trim()).is_ok()
}

/// Which commands a node allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Add.
    pub const ADD: Self = Self(1);
    /// Get.
    pub const GET: Self = Self(2);
    /// Replace.
    pub const REPLACE: Self = Self(4);
    /// Delete.
    pub const DELETE: Self = Self(8);
    /// Exec.
    pub const EXEC: Self = Self(16);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the other's commands are allowed.
    #[must_use]
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How often a node exists below its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// Always there.
    One,
    /// There or not.
    ZeroOrOne,
    /// Any number, each under a name of its own.
    ZeroOrMore,
}

/// Which values a leaf takes, beyond its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Any.
    Any,
    /// Numbers from the first to the second, both included.
    Range(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Text of at most so many bytes.
    Length(usize),
}

impl Limit {
    /// Whether a value is allowed.
    #[must_use]
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Range(low, high) => text.trim().parse::<i64>().is_ok_and(|number| (low..=high).contains(&number)),
            Self::OneOf(values) => values.contains(&text.trim()),
            Self::Length(most) => text.len() <= most,
        }
    }
}

/// One node of a provider.
#[derive(Debug, Clone, Copy)]
pub struct NodeSpec {
    /// Below the provider's base, names joined with `/`; empty for the base itself. A name in angle brackets stands for any; `<SHA1>` for 40
    /// hexadecimal digits and `<GUID>` for a GUID in braces.
    pub path: &'static str,
    /// What its value is.
    pub format: Format,
    /// Which commands it allows.
    pub access: Access,
    /// How often it exists.
    pub occurrence: Occurrence,
    /// Its value when none was set.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub limit: Limit,
    /// First build of Windows that has it; nothing where it is as old as its provider.
    pub since: Option<u32>,
    /// In which trees, if not in all of the provider's.
    pub scopes: Option<Scopes>,
    /// Commands that change it work inside Atomic only.
    pub atomic: bool,
}

impl NodeSpec {
    /// A leaf.
    #[must_use]
    pub const fn leaf(path: &'static str, format: Format, access: &'static str) -> Self {
        Self {
            path,
            format,
            access: access_of(access),
            occurrence: Occurrence::ZeroOrOne,
            default: None,
            limit: Limit::Any,
            since: None,
            scopes: None,
            atomic: false,
        }
    }

    /// An interior node that is always there.
    #[must_use]
    pub const fn interior(path: &'static str, access: &'static str) -> Self {
        let mut node = Self::leaf(path, Format::Node, access);
        node.occurrence = Occurrence::One;
        node
    }

    /// Interior nodes of any number and name.
    #[must_use]
    pub const fn many(path: &'static str, access: &'static str) -> Self {
        let mut node = Self::leaf(path, Format::Node, access);
        node.occurrence = Occurrence::ZeroOrMore;
        node
    }

    /// An interior node that may be missing.
    #[must_use]
    pub const fn optional(path: &'static str, access: &'static str) -> Self {
        Self::leaf(path, Format::Node, access)
    }

    /// With the value it has when none was set; the leaf is then always there.
    #[must_use]
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// With the numbers it takes.
    #[must_use]
    pub const fn range(mut self, low: i64, high: i64) -> Self {
        self.limit = Limit::Range(low, high);
        self
    }

    /// With the values it takes.
    #[must_use]
    pub const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.limit = Limit::OneOf(values);
        self
    }

    /// With the length it takes.
    #[must_use]
    pub const fn length(mut self, most: usize) -> Self {
        self.limit = Limit::Length(most);
        self
    }

    /// With the first build that has it.
    #[must_use]
    pub const fn since(mut self, build: u32) -> Self {
        self.since = Some(build);
        self
    }

    /// In one scope only.
    #[must_use]
    pub const fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Changed inside Atomic only.
    #[must_use]
    pub const fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }

    /// Whether it has a value instead of children.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.format != Format::Node
    }

    /// Whether a text may become its value.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        self.format.accepts(text) && self.limit.accepts(text)
    }
}

/// Access from the letters of the tables: A Add, G Get, R Replace, D Delete, X Exec.
const fn access_of(letters: &'static str) -> Access {
    let mut access = Access::NONE;
    let mut rest = letters.as_bytes();
    while let [letter, more @ ..] = rest {
        access = access.and(match letter {
            b'A' => Access::ADD,
            b'G' => Access::GET,
            b'R' => Access::REPLACE,
            b'D' => Access::DELETE,
            b'X' => Access::EXEC,
            _ => Access::NONE,
        });
        rest = more;
    }
    access
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_letters_are_read() {
        assert!(NodeSpec::leaf("x", Format::Int, "AGR").access.allows(Access::ADD.and(Access::REPLACE)));
        assert!(!NodeSpec::leaf("x", Format::Int, "AGR").access.allows(Access::DELETE));
    }

    #[test]
    fn values_are_judged_by_format_and_limit() {
        let days = NodeSpec::leaf("x", Format::Int, "AGR").range(1, 1000);
        assert!(days.accepts("42") && !days.accepts("0") && !days.accepts("many"));
        let switch = NodeSpec::leaf("x", Format::Bool, "AGR");
        assert!(switch.accepts("true") && switch.accepts("0") && !switch.accepts("yes"));
        assert!(Format::B64.accepts("AAAA") && !Format::B64.accepts("*"));
    }
}
