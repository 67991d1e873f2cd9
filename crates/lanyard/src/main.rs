//! The command line of Lanyard: arguments, printing, demo. What it does is done in the other rooms.

mod admin;
mod cli;
mod command;
mod print;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
