//! Devices without a store, of which one program can be many: for measuring servers.

pub use lanyard_mdm::session::device::MemoryTree;

pub use super::sync::hold;
