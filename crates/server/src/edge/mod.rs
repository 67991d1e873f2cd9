//! HTTP: one file per protocol, each turning bytes into calls of a flow and outcomes into that protocol's answers.
//!
//! Start reading at [`router`]; [`listen`] accepts connections and cuts off the slow ones.
//!
//! Must never enter: decisions.

pub mod admin_socket;
pub mod body;
pub mod client_address;
pub mod enrollment;
pub mod health;
pub mod listen;
pub mod management;
pub mod ndes_page;
pub mod pki;
pub mod router;
pub mod scep;
mod scep_certificates;
mod scep_evidence;
pub mod sign_in;
pub mod sign_in_elsewhere;
pub mod throttle;
pub mod tls;
