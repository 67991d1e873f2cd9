//! Whole servers, real clients and hostile peers, all in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod architecture;
mod bars;
mod clients;
mod delivery;
mod device;
mod directory;
mod documents;
mod enrolment;
mod files;
mod gateway;
mod held;
mod hostile;
mod http_edge;
mod installation;
mod interop;
mod interrupted;
mod mdm;
mod moving;
mod nodes;
mod policy;
mod probe;
mod process;
mod renewal;
mod rollover;
mod support;
mod tpm;
mod trial;
