//! The ways in which certificates reach people without a management server.

mod browser;
mod encrypted_mail;
mod invitations;
mod mail;
mod pfx;
mod platforms;
mod portal;
mod recovery;
mod sign_in_elsewhere;
mod support;
