//! The tree: elements with their namespace, and how to find something in them.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc};

use super::names::is_space;
use crate::error::MdmError;

/// The instance namespace of XML Schema, of `nil`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A namespace name; empty for none. Shared by all elements of a document, so that a long one costs its length once.
#[derive(Clone)]
pub enum Namespace {
    /// One the program knows.
    Known(&'static str),
    /// One that came with a document.
    Read(Arc<str>),
}

impl Deref for Namespace {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Read(name) => name,
        }
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Namespace {}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<&'static str> for Namespace {
    fn from(name: &'static str) -> Self {
        Self::Known(name)
    }
}

/// A qualified name. Two are equal when namespace and local part are; the prefix is not part of the name.
#[derive(Clone)]
pub struct Name {
    /// Namespace name; empty for none.
    pub namespace: Namespace,
    /// Local part.
    pub local: Cow<'static, str>,
    /// Prefix as read, empty without one. Only canonical XML has a use for it: [`super::write()`] chooses its own.
    pub prefix: Box<str>,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.local == other.local && self.namespace == other.namespace
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", &*self.namespace, self.local)
    }
}

/// An attribute; namespace declarations are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Name; in no namespace unless it was written with a prefix.
    pub name: Name,
    /// Value, references resolved and white space normalised.
    pub value: String,
}

/// What an element contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Characters, references resolved and CDATA sections included; no two stand beside each other.
    Text(String),
}

/// An element.
#[derive(Clone)]
pub struct Element {
    /// Name.
    pub name: Name,
    /// Attributes in the order written, each name once.
    pub attributes: Vec<Attribute>,
    /// Contents in the order written.
    pub nodes: Vec<Node>,
    /// Octet of the document at which it begins, for errors; 0 in a tree that was not read.
    pub at: usize,
}

/// Equal when they mean the same to whoever keeps white space; where they stand does not count.
impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.attributes == other.attributes && self.nodes == other.nodes
    }
}

impl Eq for Element {}

/// The names only: a message may carry passwords.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element")
            .field("name", &self.name)
            .field("children", &self.children().map(|child| &child.name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Building.
impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(namespace: impl Into<Namespace>, local: impl Into<Cow<'static, str>>) -> Self {
        let name = Name { namespace: namespace.into(), local: local.into(), prefix: Box::from("") };
        Self { name, attributes: Vec::new(), nodes: Vec::new(), at: 0 }
    }

    /// With an attribute in no namespace.
    #[must_use]
    pub fn with(self, local: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with_attribute("", local, value)
    }

    /// With an attribute.
    #[must_use]
    pub fn with_attribute(
        mut self,
        namespace: impl Into<Namespace>,
        local: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let name = Name { namespace: namespace.into(), local: local.into(), prefix: Box::from("") };
        self.attributes.push(Attribute { name, value: value.into() });
        self
    }

    /// With a child at its end.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// With children at its end.
    #[must_use]
    pub fn children_of(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// With text at its end.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.push_text(&text.into());
        self
    }

    /// A child with nothing but text, in the namespace of this element.
    #[must_use]
    pub fn leaf(self, local: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        let leaf = Self::new(self.name.namespace.clone(), local).with_text(text);
        self.child(leaf)
    }

    /// A child that is `xsi:nil`, in the namespace of this element.
    #[must_use]
    pub fn nil(self, local: impl Into<Cow<'static, str>>) -> Self {
        let nil = Self::new(self.name.namespace.clone(), local).with_attribute(XSI, "nil", "true");
        self.child(nil)
    }

    /// A leaf, or nil without a value.
    #[must_use]
    pub fn leaf_or_nil(self, local: impl Into<Cow<'static, str>>, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.leaf(local, text),
            None => self.nil(local),
        }
    }

    /// Appends a child.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends text, to the text before it if there is some.
    pub fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.nodes.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }
}

/// Reading.
impl Element {
    /// Local part of its name.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.name.local
    }

    /// Namespace name; empty for none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.name.namespace
    }

    /// Whether it has this name.
    #[must_use]
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.local == local && &*self.name.namespace == namespace
    }

    /// Child elements.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// Children of this name.
    pub fn all<'a>(&'a self, namespace: &'a str, local: &'a str) -> impl DoubleEndedIterator<Item = &'a Self> {
        self.children().filter(move |child| child.is(namespace, local))
    }

    /// The child of this name, if there is one.
    ///
    /// # Errors
    /// [`MdmError::Repeated`] when there are several.
    pub fn find(&self, namespace: &str, local: &str) -> Result<Option<&Self>, MdmError> {
        let mut found = None;
        for child in self.children().filter(|child| child.is(namespace, local)) {
            if found.replace(child).is_some() {
                return Err(MdmError::Repeated { path: self.path(local), at: child.at });
            }
        }
        Ok(found)
    }

    /// The child of this name.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`].
    pub fn require(&self, namespace: &str, local: &str) -> Result<&Self, MdmError> {
        self.find(namespace, local)?.ok_or_else(|| MdmError::Missing { path: self.path(local), at: self.at })
    }

    /// The text of the child of this name, without white space around it; none when there is no such child, or it is empty or nil.
    ///
    /// # Errors
    /// [`MdmError::Repeated`]; [`MdmError::Value`] when the child contains elements.
    pub fn find_text(&self, namespace: &str, local: &str) -> Result<Option<String>, MdmError> {
        let Some(child) = self.find(namespace, local)? else { return Ok(None) };
        let text = child.simple_text()?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// The text of the child of this name, without white space around it.
    ///
    /// # Errors
    /// [`MdmError::Missing`] also when the child is empty; [`MdmError::Repeated`]; [`MdmError::Value`] when it contains elements.
    pub fn require_text(&self, namespace: &str, local: &str) -> Result<String, MdmError> {
        self.find_text(namespace, local)?.ok_or_else(|| MdmError::Missing { path: self.path(local), at: self.at })
    }

    /// Its own characters, without those of its children.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let mut text = Cow::Borrowed("");
        for node in &self.nodes {
            if let Node::Text(part) = node {
                if text.is_empty() {
                    text = Cow::Borrowed(part);
                } else {
                    text.to_mut().push_str(part);
                }
            }
        }
        text
    }

    /// Its characters without white space around them, when it contains nothing else.
    ///
    /// # Errors
    /// [`MdmError::Value`] when it contains elements.
    pub fn simple_text(&self) -> Result<&str, MdmError> {
        match self.nodes.as_slice() {
            [] => Ok(""),
            [Node::Text(text)] => Ok(text.trim_matches(is_space)),
            _ => Err(self.wrong("contains elements instead of text")),
        }
    }

    /// Value of an attribute.
    #[must_use]
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|one| one.name.local == local && &*one.name.namespace == namespace);
        found.map(|one| one.value.as_str())
    }

    /// Value of the attribute of this local name in whatever namespace, for peers that do not agree on one.
    #[must_use]
    pub fn attribute_anywhere(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|one| one.name.local == local).map(|one| one.value.as_str())
    }

    /// Whether `xsi:nil` is true.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self.attribute(XSI, "nil"), Some("true" | "1"))
    }

    /// The error that the value of this element is not acceptable; `problem` continues "the element … ".
    #[must_use]
    pub fn wrong(&self, problem: &'static str) -> MdmError {
        MdmError::Value { path: self.local().to_owned(), problem, at: self.at }
    }

    /// This element's name and that of a child.
    #[must_use]
    pub fn path(&self, child: &str) -> String {
        format!("{}/{child}", self.local())
    }
}
