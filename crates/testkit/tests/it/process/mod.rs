//! The real program in processes of its own.

mod command_line;
mod crashes;
mod durability;
mod secrets;
mod stopping;
