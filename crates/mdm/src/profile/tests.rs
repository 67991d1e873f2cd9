//! The jobs against the written messages.
