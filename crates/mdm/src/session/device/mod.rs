//! The device's side of a session.
//!
//! Start reading at [`DeviceSession`]; [`ManagementTree`] is what commands act on, [`MemoryTree`] one without anything behind it.
//!
//! Must never enter: keys, certificate stores, the network.

mod execute;
mod memory;
mod rules;
mod session;
mod tree;

pub use memory::MemoryTree;
pub use session::{DeviceConfig, DeviceCredentials, DeviceSession, Next};
pub use tree::{Execution, ManagementTree, TreeError};
