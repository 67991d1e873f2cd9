//! Certification requests (PKCS#10, RFC 2986).
//!
//! [`decode`] reads and verifies one, [`encode`] makes one.
//!
//! Must never enter: comparison with what is allowed; that is registration's work.

pub mod decode;
pub mod encode;
