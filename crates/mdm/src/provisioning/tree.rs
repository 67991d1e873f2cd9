//! The tree of characteristics and parameters.

use std::{borrow::Cow, fmt};

use lanyard_model::secret::SecretText;

use crate::{
    error::MdmError,
    xml::{Element, Limits, read, write},
};

/// `wap-provisioningdoc`, version 1.1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The characteristics of the root.
    pub characteristics: Vec<Characteristic>,
}

/// `characteristic`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Characteristic {
    /// `type`.
    pub kind: Cow<'static, str>,
    /// Its parameters.
    pub parms: Vec<Parm>,
    /// The characteristics within it.
    pub children: Vec<Self>,
}

/// `parm`.
#[derive(Clone, PartialEq, Eq)]
pub struct Parm {
    /// `name`.
    pub name: Cow<'static, str>,
    /// `value`; some mean something by being there without one.
    pub value: Option<String>,
    /// `datatype`.
    pub datatype: Option<Datatype>,
}

/// Without the value of what may be a secret.
impl fmt::Debug for Parm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = self.name.starts_with("AAUTH");
        let value = if is_secret { Some("…") } else { self.value.as_deref() };
        f.debug_struct("Parm").field("name", &self.name).field("value", &value).finish_non_exhaustive()
    }
}

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    /// `string`.
    String,
    /// `integer`.
    Integer,
    /// `boolean`.
    Boolean,
}

impl Datatype {
    const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// [`MdmError::Value`] for anything but characteristics and parameters, and those of the XML.
    pub fn decode(octets: &[u8]) -> Result<Self, MdmError> {
        let root = read(octets, &Limits::PROVISIONING)?;
        if !root.is("", "wap-provisioningdoc") {
            return Err(root.wrong("is not wap-provisioningdoc"));
        }
        let mut whole = Characteristic::default();
        whole.take(&root)?;
        if whole.parms.is_empty() { Ok(Self { characteristics: whole.children }) } else { Err(root.wrong("has parameters")) }
    }

    /// Writes a document, with an XML declaration.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`].
    pub fn encode(&self) -> Result<SecretText, MdmError> {
        Ok(SecretText::new(write(&self.element(), &[], true)?))
    }

    /// The document as XML.
    #[must_use]
    pub fn element(&self) -> Element {
        let root = Element::new("", "wap-provisioningdoc").with("version", "1.1");
        root.children_of(self.characteristics.iter().map(Characteristic::element))
    }
}

impl Characteristic {
    /// An empty one.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// With a child at its end.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// With a parameter without datatype.
    #[must_use]
    pub fn parm(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parms.push(Parm { name: name.into(), value: Some(value.into()), datatype: None });
        self
    }

    /// With a parameter that has no value.
    #[must_use]
    pub fn flag(mut self, name: &'static str) -> Self {
        self.parms.push(Parm { name: name.into(), value: None, datatype: None });
        self
    }

    /// With a parameter with datatype, if there is a value.
    #[must_use]
    pub fn typed(mut self, name: &'static str, value: Option<impl ToString>, datatype: Datatype) -> Self {
        if let Some(value) = value {
            self.parms.push(Parm { name: name.into(), value: Some(value.to_string()), datatype: Some(datatype) });
        }
        self
    }

    /// The child of this type; case does not count, because the stores are written `My` and `MY`.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.kind.eq_ignore_ascii_case(kind))
    }

    /// Value of a parameter; empty when it has none.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parms.iter().find(|parm| parm.name == name).map(|parm| parm.value.as_deref().unwrap_or_default())
    }

    /// Value of a parameter as another type.
    ///
    /// # Errors
    /// [`MdmError::Provisioning`].
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, MdmError> {
        match self.value(name) {
            Some(value) => value.parse().map(Some).map_err(|_| MdmError::Provisioning("a value is not of its type")),
            None => Ok(None),
        }
    }

    fn take(&mut self, element: &Element) -> Result<(), MdmError> {
        for child in element.children() {
            match (child.namespace(), child.local()) {
                ("", "characteristic") => {
                    let kind = child.attribute("", "type").ok_or_else(|| child.wrong("has no type"))?;
                    let mut inner = Self::new(kind.to_owned());
                    // As deep as the XML, which is limited.
                    inner.take(child)?;
                    self.children.push(inner);
                }
                ("", "parm") => self.parms.push(Parm::decode(child)?),
                _ => return Err(child.wrong("is neither characteristic nor parm")),
            }
        }
        if element.text().chars().all(|c| c.is_ascii_whitespace()) { Ok(()) } else { Err(element.wrong("has text")) }
    }

    fn element(&self) -> Element {
        let element = Element::new("", "characteristic").with("type", &*self.kind);
        element.children_of(self.parms.iter().map(Parm::element)).children_of(self.children.iter().map(Self::element))
    }
}

impl Parm {
    fn decode(parm: &Element) -> Result<Self, MdmError> {
        let name = parm.attribute("", "name").ok_or_else(|| parm.wrong("has no name"))?;
        let datatype = match parm.attribute("", "datatype") {
            None => None,
            Some("string") => Some(Datatype::String),
            Some("integer") => Some(Datatype::Integer),
            Some("boolean") => Some(Datatype::Boolean),
            Some(_) => return Err(parm.wrong("has an unknown datatype")),
        };
        if parm.children().next().is_some() {
            return Err(parm.wrong("contains elements"));
        }
        Ok(Self { name: name.to_owned().into(), value: parm.attribute("", "value").map(str::to_owned), datatype })
    }

    fn element(&self) -> Element {
        let mut element = Element::new("", "parm").with("name", &*self.name);
        if let Some(value) = &self.value {
            element = element.with("value", &**value);
        }
        if let Some(datatype) = self.datatype {
            element = element.with("datatype", datatype.name());
        }
        element
    }
}
