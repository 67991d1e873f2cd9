//! `lanyard probe`, run as a program, against servers that answer in every way it explains.

mod mailbox;
mod modes;
mod support;
mod tls;
