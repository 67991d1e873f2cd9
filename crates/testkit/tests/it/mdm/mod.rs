//! Windows devices: enrolled, managed, renewed; over HTTP, message by message.

mod account;
mod agent;
mod commands;
mod enrolment;
mod fleet;
mod items;
mod managed;
mod nodes;
mod oidc;
mod others;
mod pfx;
mod postgres;
mod renewal;
mod running;
mod sessions;
mod sign_in;
mod support;
mod wifi;
mod withdrawn;
mod year;
