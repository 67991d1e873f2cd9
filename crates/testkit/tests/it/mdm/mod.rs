//! Windows devices: enrolled, managed, renewed.

mod agent;
mod enrolment;
mod fleet;
mod managed;
mod renewal;
mod sessions;
mod sign_in;
mod support;
