//! X.509, PKCS#10, CRL and CMS: decode, encode, verify; signing and decrypting keys behind traits.
