//! How much of a document is read.

/// What a document may have at most. Depth also bounds the recursion of whoever walks the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole document as received.
    pub octets: usize,
    /// Elements within each other; the root is at depth 1.
    pub depth: usize,
    /// Elements altogether, which bounds the memory of the tree.
    pub elements: usize,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: usize,
    /// Namespace declarations of one element.
    pub namespaces: usize,
}

impl Limits {
    /// A SOAP message: 256 KiB.
    pub const SOAP: Self = Self::of(256 * 1024, 4096);
    /// A SyncML message: 1 MiB.
    pub const SYNCML: Self = Self::of(1024 * 1024, 32_768);
    /// A provisioning document: it comes within a SOAP message.
    pub const PROVISIONING: Self = Self::of(192 * 1024, 4096);

    const fn of(octets: usize, elements: usize) -> Self {
        Self { octets, depth: 64, elements, attributes: 64, namespaces: 32 }
    }
}
