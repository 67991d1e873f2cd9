//! The device side: store, keys, SCEP client flow.
