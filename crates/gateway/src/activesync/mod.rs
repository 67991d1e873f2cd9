//! Exchange ActiveSync as far as the gateway must understand it: who asks for what, from which device.
//!
//! Start reading at [`query`], which reads both forms of the query ([MS-ASHTTP] section 2.2.1.1.1); [`wbxml`] is for the tester.
//!
//! Must never enter: bodies of requests, other than those of the tester.

pub mod query;
pub mod wbxml;
