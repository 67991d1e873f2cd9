//! SCEP messages: bytes to typed message and back, server and client side.
