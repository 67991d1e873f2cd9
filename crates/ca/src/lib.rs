//! The authority: prepare, lint, sign, revoke, CRL, sealed keys.
