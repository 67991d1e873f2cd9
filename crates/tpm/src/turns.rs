//! Taking turns at a TPM without a resource manager, where programs would find each other's keys in the slots.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    thread,
    time::{Duration, Instant},
};

/// How long others may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest part of a TPM's name that is told apart: an abstract name has 107 octets.
const MAX_NAME: usize = 90;

/// A turn; it ends with this value or with the process, however that ends.
pub struct Turn(#[expect(dead_code, reason = "holding it is its use")] UnixListener);

/// Waits for this program's turn. Nobody connects to the socket: its abstract name, which only one process can have, is the lock.
///
/// # Errors
/// When others do not end.
pub fn wait_for(tpm: &str) -> io::Result<Turn> {
    let name: Vec<u8> = b"lanyard-tpm/".iter().chain(tpm.as_bytes().iter().rev().take(MAX_NAME)).copied().collect();
    let address = SocketAddr::from_abstract_name(name)?;
    let began = Instant::now();
    loop {
        match UnixListener::bind_addr(&address) {
            Ok(listener) => return Ok(Turn(listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_waits_until_the_first_has_ended() {
        let name = format!("test:{}", std::process::id());
        let first = wait_for(&name).unwrap();
        let waiting = {
            let name = name.clone();
            thread::spawn(move || wait_for(&name).map(drop).map(|()| Instant::now()))
        };
        thread::sleep(PAUSE * 5);
        let released = Instant::now();
        drop(first);
        assert!(waiting.join().unwrap().unwrap() >= released);
        assert!(wait_for(&format!("{name}0")).is_ok(), "another TPM");
    }
}
