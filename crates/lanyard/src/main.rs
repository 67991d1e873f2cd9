//! The command line of Lanyard: arguments, printing, demo. What it does is done in the other rooms.

mod admin;
mod cli;
mod command;
mod print;
mod remote;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
