//! Programs of other people.

mod agent;
mod certmonger;
mod linters;
mod scepclient;
mod strongswan;
