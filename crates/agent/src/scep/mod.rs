//! The device's SCEP flow (RFC 8894).
//!
//! Start reading at [`enroll`]: capabilities, CA certificates under the pinned fingerprint, key, request, polling, storing. [`renew`] begins
//! with an old certificate, [`resume`] goes on with what an earlier run left behind. [`transaction`] makes messages and verifies
//! answers without any HTTP; [`server`] is one SCEP server over HTTP; [`exchange`] sends, waits and asks again.
//!
//! Must never enter: printing, exit codes, a key or challenge in a log line.

pub mod enroll;
pub mod exchange;
pub mod load;
pub mod names;
pub mod options;
pub mod outcome;
pub mod renew;
pub mod resume;
pub mod server;
pub mod transaction;

pub use enroll::enroll;
pub use lanyard_enroll::scep::client::trust::CaCertificates;
pub use options::{EnrollOptions, SessionOptions};
pub use outcome::{EnrollOutcome, Progress};
pub use renew::renew;
pub use resume::resume;
pub use server::{ScepServer, TrustedServer};
pub use transaction::Transaction;
