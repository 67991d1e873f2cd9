//! `lanyard-tpm`: keys in a TPM 2.0, for the device agent, over standard input and output. A program of its own, because libtss2 links hard:
//! `lanyard` starts where it is missing.
//!
//! Start reading at [`protocol`] (one line asks, one line answers), then [`keys`] (what is done); [`device`] holds the connection and gives
//! every slot back, [`turns`] keeps programs apart where nobody else does, [`lockout`] reads the protection against guessing, [`keyfile`] is the form in which a key is kept outside.
//!
//! Must never enter: files, connections of its own, a PIN in an argument, an answer, a log line or `Debug`.

mod device;
mod error;
mod keyfile;
mod keys;
mod lockout;
mod protocol;
mod serve;
mod turns;

use std::process::ExitCode;

const USAGE: &str = "lanyard-tpm is started by 'lanyard device' and asked over standard input; LANYARD_TPM names the TPM, such as \
device:/dev/tpmrm0";

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        let mut stderr = std::io::stderr();
        // Nobody is left to be told when that fails.
        let _ = std::io::Write::write_all(&mut stderr, format!("{USAGE}\n").as_bytes());
        return ExitCode::from(2);
    }
    match serve::serve(&mut std::io::stdin().lock(), &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
