//! What the server does, one file per job. [`enroll`] is the main one; [`scep`] brings SCEP messages to it.
//!
//! Must never enter: HTTP types, rules, wire parsing.

pub mod administrate;
pub mod adopt;
pub mod approve;
pub mod ask;
pub mod audit_chain;
pub mod belongings;
pub mod challenge;
pub mod crl;
pub mod csv;
mod device_certificates;
pub mod device_discovery;
pub mod device_document;
pub mod device_enrollment;
pub mod device_identity;
pub mod device_refusal;
pub mod device_renewal;
pub mod device_sign_in;
pub mod enroll;
pub mod expire;
mod finish;
pub mod fleet;
pub mod fleet_watch;
pub mod import;
pub mod invite;
pub mod management;
mod management_events;
pub mod management_plan;
pub mod nodes;
pub mod notices;
pub mod outcome;
pub mod pfx;
mod re_association;
pub mod record;
pub mod replay;
pub mod resume;
pub mod revoke;
pub mod scep;
mod scep_fetch;
pub mod send;
pub mod service_certificate;
pub mod subjects;
pub mod successor;
pub mod token;
