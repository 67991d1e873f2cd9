//! The bars of `docs/security.md` with their numbers. `make test` runs short forms; `make soak` sets `LANYARD_SOAK` and runs them whole.
//!
//! | Bar | Test |
//! |---|---|
//! | 1 | `authority` |
//! | 2 | `hostile::deviations` |
//! | 3 | `nodes` |
//! | 4 | `guessing` |
//! | 5 | `timing`, and `hostile::oracle` for the octets |
//! | 6 | `issues` |
//! | 7 | `parsers`, and `hostile::workload` for growth |
//! | 13 | `process::crashes`, `process::durability` |
//! | 17 | `slow` |

mod authority;
mod guessing;
mod issues;
mod parsers;
mod slow;
mod timing;

use std::{io::Write, time::Duration};

/// Whether the long forms run.
pub fn soaking() -> bool {
    std::env::var_os("LANYARD_SOAK").is_some()
}

/// How many: the short form's or the long one's.
pub fn size(short: usize, long: usize) -> usize {
    if soaking() { long } else { short }
}

/// Prints a figure for whoever watches, and keeps it in the file `LANYARD_FIGURES` so that all can be printed last.
pub fn tell(bar: u32, figure: &str) {
    let line = format!("bar {bar:2}: {figure}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    if let Some(path) = std::env::var_os("LANYARD_FIGURES") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the file of figures");
        file.write_all(line.as_bytes()).expect("the file of figures");
    }
}

/// The time that this share of all samples does not exceed.
pub fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let place = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len()) - 1;
    samples[place]
}
