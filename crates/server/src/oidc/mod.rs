//! Signing in people at an OpenID Connect provider: authorization code flow with PKCE (OpenID Connect Core 1.0; RFC 7636).
//!
//! Start reading at [`Oidc::begin`], which sends a browser to the provider, and [`Oidc::finish`], which makes a name of what comes back.
//! [`settings`] is what an administrator writes, [`provider`] what the provider publishes, [`attempt`] what a browser carries between the two
//! halves, [`id_token`] the token that says who it is.
//!
//! Must never enter: what somebody who has signed in may do; web pages; a way out other than `modules::outbound`.

pub mod attempt;
mod error;
pub mod id_token;
pub mod provider;
pub mod settings;
mod sign_in;

pub use error::OidcError;
pub use sign_in::{Begun, Oidc, SignedIn};
