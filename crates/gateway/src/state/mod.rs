//! What the gateway knows of Lanyard: certificates, users and devices as the server tells them, and how fresh that is.
//!
//! Start reading at [`known`]; [`follow`] keeps it up to date, [`server`] asks the server, [`live`] ends connections whose certificate, device
//! or user no longer counts.
//!
//! Must never enter: the server's types beyond what is told over the network.

pub mod follow;
pub mod known;
pub mod live;
pub mod server;
