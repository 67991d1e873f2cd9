//! Counters for `/metrics`, in the text form of Prometheus.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use crate::{run::Rules, state::known::State};

/// Counters of the whole gateway; those of applications are with them.
#[derive(Debug, Default)]
pub struct Telemetry {
    connections: Arc<AtomicI64>,
    accepted: AtomicU64,
    failed: AtomicU64,
}

/// A connection that is counted as long as this lives.
#[derive(Debug)]
pub struct Connected(Arc<AtomicI64>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Counts a connection.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(Arc::clone(&self.connections))
    }

    /// Counts a handshake that came to nothing.
    pub fn handshake_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The text for `/metrics`.
    #[must_use]
    pub fn render(&self, rules: &Rules, state: Option<&State>) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        line("# TYPE lanyard_gateway_connections gauge".into());
        line(format!("lanyard_gateway_connections {}", self.connections.load(Ordering::Relaxed)));
        line("# TYPE lanyard_gateway_connections_total counter".into());
        line(format!("lanyard_gateway_connections_total {}", self.accepted.load(Ordering::Relaxed)));
        line("# TYPE lanyard_gateway_handshakes_failed_total counter".into());
        line(format!("lanyard_gateway_handshakes_failed_total {}", self.failed.load(Ordering::Relaxed)));
        if let Some(state) = state {
            let (certificates, users, devices) = state.sizes();
            line("# TYPE lanyard_gateway_state gauge".into());
            for (what, count) in [("certificates", certificates), ("users", users), ("devices", devices)] {
                line(format!("lanyard_gateway_state{{what=\"{what}\"}} {count}"));
            }
            line("# TYPE lanyard_gateway_state_age_seconds gauge".into());
            let age = state.age().map_or_else(|| "+Inf".to_owned(), |age| format!("{:.3}", age.as_secs_f64()));
            line(format!("lanyard_gateway_state_age_seconds {age}"));
        }
        line("# TYPE lanyard_gateway_requests_total counter".into());
        for application in &rules.applications {
            for (code, count) in application.counts() {
                line(format!(
                    "lanyard_gateway_requests_total{{application=\"{}\",outcome=\"{code}\"}} {count}",
                    application.name
                ));
            }
        }
        line("# TYPE lanyard_gateway_pending gauge".into());
        line("# TYPE lanyard_gateway_back_end_up gauge".into());
        for application in &rules.applications {
            for back_end in application.back_ends.list() {
                let labels = format!("application=\"{}\",back_end=\"{}\"", application.name, back_end.origin);
                line(format!("lanyard_gateway_pending{{{labels}}} {}", back_end.active()));
                line(format!("lanyard_gateway_back_end_up{{{labels}}} {}", i32::from(back_end.is_well())));
            }
        }
        out
    }
}
