//! `lanyard serve`: the HTTP edges, the flows behind them, periodic jobs, the administrator's interface.
//!
//! Start reading at [`flow::enroll`], the main job on one page; [`serve`] starts everything, [`init`] creates an installation.
//!
//! Must never enter: rules who may have what (`ra`), parsing of wire formats (`enroll`, `pki`).

pub mod api;
pub mod clock;
pub mod config;
pub mod database;
pub mod delivery;
pub mod edge;
pub mod error;
pub mod fleet;
pub mod floor;
pub mod flow;
pub mod init;
pub mod installation;
pub mod jobs;
pub mod keyring;
pub mod ldap;
pub mod mail;
pub mod mdm;
pub mod modules;
pub mod move_database;
pub mod oidc;
pub mod policy_files;
pub mod portal;
pub mod serve;
pub mod state;
pub mod telemetry;

// What the command line needs to read arguments and print: it may use `server`, but not the rooms below it.
pub use lanyard_model::{
    key::KeyKind,
    secret::SecretText,
    text::{hex, printable},
};
pub use lanyard_pki::{cms::sign::certificates_only, pem};
