//! lanyard serve: HTTP edges, flows, jobs, administrator's interface.
