//! The command line of Lanyard: arguments, printing, demo. What it does is done in the other rooms.

mod admin;
mod cli;
mod command;
mod print;
mod remote;

use std::process::ExitCode;

/// An enrolment makes some thousand small allocations; the system's allocator took a twelfth of the server's time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
