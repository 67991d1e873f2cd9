//! The server's side of a session.
//!
//! Start reading at [`step`]; [`state`] is what is kept between two messages, [`facts`] what the caller knows, [`event`] what it has to
//! store. How one job goes on is in `flight`.
//!
//! Must never enter: how jobs are made (that is `profile`), and anything that waits.

mod answer;
mod authenticate;
pub mod event;
pub mod facts;
mod flight;
mod read;
mod send;
pub mod state;
mod step;

pub use answer::{Answer, Outcome, Wanted};
pub use event::Event;
pub use facts::{Credentials, Facts, Failure, JobState, Limits, QueueItem};
pub use state::SessionState;
pub use step::step;
