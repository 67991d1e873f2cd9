//! The ways in which certificates reach people without a management server.

mod mail;
mod pfx;
mod portal;
mod support;
