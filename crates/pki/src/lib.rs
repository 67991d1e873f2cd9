//! X.509 certificates, PKCS#10, CRLs and CMS: decode, encode, verify; keys behind the [`key::Signer`] and
//! [`key::Decrypter`] traits.
//!
//! Start reading at [`tlv`] (how bytes from outside are taken apart), then [`cms`], [`csr`] and [`certificate`].
//! [`crypto`] is the only place of the program that names the cryptographic library.
//!
//! Must never enter: sockets, files, the clock, policy, storage.

pub mod ber;
pub mod bundle;
pub mod certificate;
pub mod cms;
pub mod crl;
pub mod crypto;
pub mod csr;
pub mod error;
pub mod extension;
pub mod general_name;
pub mod key;
pub mod name;
pub mod oids;
pub mod pem;
pub mod pkcs12;
pub mod private_key;
pub mod signature;
pub mod spki;
pub mod time;
pub mod tlv;
pub mod write;
