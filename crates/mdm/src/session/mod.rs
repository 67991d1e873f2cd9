//! Management sessions, both sides, as pure state machines.
//!
//! Start reading at [`server`]: `step` takes the state, a message and the facts, and gives the reply, the events and the new state.
//! [`device`] is the other side, over a management tree.
//!
//! Must never enter: HTTP, storage, clock, randomness; they are arguments.

pub mod device;
pub mod server;

#[cfg(test)]
mod tests;
