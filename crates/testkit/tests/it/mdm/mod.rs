//! Windows enrolment and renewal over HTTP, message by message.

mod agent;
mod enrolment;
mod renewal;
mod sign_in;
mod support;
