//! Microsoft's Intune SCEP validation protocol for third-party authorities (ndes-policy, section 3.2).
//!
//! Start reading at [`Intune`]. A request is validated before anything is issued; a success is told before the device gets its
//! certificate, and an error there withdraws it; a failure is told with an HRESULT. Every call carries the same transactionID and
//! the CSR exactly as received.
//!
//! Must never enter: what a validated request may contain; that is the template's to say.

mod directory;
mod hresult;
mod messages;
mod service;
mod token;

pub use service::Intune;
