//! Peers that mean no good.

mod challenges;
mod deviations;
mod message_types;
mod oracle;
mod races;
mod replay;
mod workload;
