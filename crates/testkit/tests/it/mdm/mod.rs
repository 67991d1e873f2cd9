//! Windows devices: enrolled, managed, renewed; over HTTP, message by message.

mod agent;
mod commands;
mod enrolment;
mod fleet;
mod managed;
mod nodes;
mod others;
mod renewal;
mod sessions;
mod sign_in;
mod support;
mod wifi;
mod year;
