//! Exchange ActiveSync as far as the gateway must understand it: who asks for what, from which device.
//!
//! Start reading at [`query`], which reads both forms of the query ([MS-ASHTTP] section 2.2.1.1.1); [`device`] has the rules for
//! devices, [`refusal`] what one is told that may not synchronise; [`wbxml`] is how bodies are written, for the tester.
//!
//! Must never enter: bodies of requests, other than those of the tester.

pub mod device;
pub mod query;
pub mod refusal;
pub mod wbxml;
