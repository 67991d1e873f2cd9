//! The gateway, seen from its clients and from its back ends.
//!
//! The groups of negative tests that the gateway must have, and where they are:
//! 1 rogue authority: `table`. 2 revoked, expired, not yet valid, wrong purpose, no name, two names, weak key: `certificates`. 3 resumed session after
//! revocation or removal of the authority: `certificates`. 4 server name and host, none, HTTP/2: `hosts`, `floods`. 5 spoofed identity headers: `headers`.
//! 6 certificate of one and password of another: `table`. 7 accounts: `mapping`, `active_directory`.
//! 8 filter characters: `mapping`. 9 passwords: `passwords`. 10 lock-out: `passwords`. 11 a directory or server that is down: `mapping`, `state`. 12 two users on one connection
//! to the back end: `streaming`. 13 held requests, clients that leave, reload: `streaming`. 14 lengths, chunks, Expect, large and slow bodies:
//! `streaming`. 15 base64 queries: `activesync`. 16 449, 451, 456: `streaming`. 17 never 401, never a certificate request: `table`.

mod active_directory;
mod activesync;
mod back_end;
mod certificates;
mod command_line;
mod floods;
mod headers;
mod hosts;
mod listeners;
mod mapping;
mod passwords;
mod sogo;
mod state;
mod streaming;
pub mod support;
mod table;
