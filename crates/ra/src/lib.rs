//! Registration: who may have which certificate.
