//! Windows devices: enrolled, managed, renewed.

mod fleet;
mod managed;
mod sessions;
