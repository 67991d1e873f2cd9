//! Certificates (RFC 5280, section 4).
//!
//! [`decode`] reads what others made, tolerantly; [`encode`] writes what an authority signs; [`pkix`] verifies signatures and chains;
//! [`oddity`] names what was odd about one that was read.
//!
//! Must never enter: the decision whether a certificate may be issued.

pub mod decode;
pub mod encode;
pub mod oddity;
pub mod pkix;

pub use decode::Certificate;
