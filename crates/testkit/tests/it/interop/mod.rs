//! Programs of other people.

mod certmonger;
mod scepclient;
