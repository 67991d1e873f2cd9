//! Client certificates: what a connection has shown, and what each request makes of it.
//!
//! Start reading at [`verdict`]. In the handshake a certificate is only taken, together with the proof that the client has its key
//! ([`crate::edge::tls`]); here it is judged, again for every request, so that neither a resumed session nor an open connection outlives it.
//!
//! Must never enter: accounts.

pub mod crl;
pub mod facts;
pub mod trust;
pub mod verdict;
pub mod windows;
