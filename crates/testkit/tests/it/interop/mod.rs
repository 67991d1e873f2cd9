//! Programs of other people.

mod certmonger;
mod linters;
mod scepclient;
