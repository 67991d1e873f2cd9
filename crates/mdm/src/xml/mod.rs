//! XML with namespaces, as little of it as Windows enrolment and management need.
//!
//! Start reading at [`read`], which turns bytes from outside into a tree of [`Element`]s within [`Limits`], and [`write()`], which turns a
//! tree into text with the prefixes one chooses.
//!
//! Must never enter: document types, entities, external references, and the meaning of any element.

mod element;
mod encoding;
mod limits;
mod names;
mod read;
mod write;

pub use element::{Attribute, Element, Name, Namespace, Node};
pub use limits::Limits;
pub use read::read;
pub use write::{Prefixes, write};

#[cfg(test)]
mod tests;
