//! The ways in which certificates reach people without a management server.

mod pfx;
mod portal;
mod support;
