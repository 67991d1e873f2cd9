//! `lanyard probe`: what stands between a client and a server, step by step, told in plain words. Works against any server.
//!
//! Start reading at [`run`], which holds the order of the checks; [`verdict`] has every verdict with its texts, [`report`] what is told,
//! [`plan`] what is asked for, [`dial`] names, sockets and TLS, [`answer`] what answers over HTTP mean, [`exchange`] the commands of ActiveSync.
//!
//! Must never enter: acknowledging a policy that is not enforced, wiping anything, passwords in what is told.

pub mod answer;
pub mod autodiscover;
pub mod dial;
pub mod exchange;
pub mod http;
pub mod identity;
pub mod plan;
pub mod report;
pub mod run;
pub mod tls;
pub mod verdict;
