//! Counters for `/metrics`, in the text form of Prometheus.

use std::time::Duration;

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Counters of one server. Several servers in one process do not share them.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Default for Telemetry {
    fn default() -> Self {
        // Fixed buckets that are not empty cannot be refused.
        let builder = PrometheusBuilder::new().set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]);
        let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        let describe = |name: &'static str, text: &'static str| {
            recorder.describe_counter(KeyName::from_const_str(name), None, text.into());
        };
        describe("lanyard_requests_total", "Enrolment requests by protocol, profile and outcome");
        describe("lanyard_certificates_issued_total", "Certificates issued by template");
        describe("lanyard_certificates_revoked_total", "Certificates revoked");
        describe("lanyard_challenges_created_total", "Challenges created");
        describe("lanyard_crls_issued_total", "CRLs signed");
        describe("lanyard_http_connections_total", "Connections accepted by listener");
        describe("lanyard_http_refused_total", "HTTP requests cut off by cause");
        describe("lanyard_mdm_sessions_total", "Management sessions begun, and whether the one before was cut off");
        describe("lanyard_mdm_sessions_ended_total", "Management sessions ended");
        describe("lanyard_mdm_jobs_total", "Jobs of managed devices by their end");
        describe("lanyard_mdm_refused_total", "Messages of who may not have a management session, by reason");
        describe("lanyard_mdm_unenrolled_total", "Devices that left the management");
        recorder.describe_gauge(
            KeyName::from_const_str("lanyard_mdm_devices"),
            None,
            "Enrolments by state; overdue ones are also active".into(),
        );
        recorder.describe_histogram(
            KeyName::from_const_str("lanyard_request_seconds"),
            None,
            "Time from the whole message to its answer".into(),
        );
        Self { recorder, handle }
    }
}

impl Telemetry {
    /// Adds one to a counter.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, String)]) {
        let labels: Vec<Label> = labels.iter().map(|(k, v)| Label::new(*k, v.clone())).collect();
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA).increment(1);
    }

    /// Sets what is counted now and then.
    #[allow(clippy::cast_precision_loss)]
    pub fn set(&self, name: &'static str, labels: &[(&'static str, String)], value: u64) {
        let labels: Vec<Label> = labels.iter().map(|(k, v)| Label::new(*k, v.clone())).collect();
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA).set(value as f64);
    }

    /// Records how long something took.
    pub fn observe(&self, name: &'static str, took: Duration) {
        self.recorder.register_histogram(&Key::from_static_name(name), &METADATA).record(took.as_secs_f64());
    }

    /// Sorts what was observed since the last time into its buckets; without it, observations pile up where nobody asks for them.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// The text for `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.upkeep();
        self.handle.render() + &process()
    }
}

/// CPU time and memory of the process, under the names that Prometheus uses everywhere.
fn process() -> String {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu = Duration::try_from(used).unwrap_or_default().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    format!(
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {cpu:.6}\n\
        # TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n\
        # TYPE process_resident_memory_max_bytes gauge\nprocess_resident_memory_max_bytes {}\n",
        kibibytes("VmRSS") * 1024,
        kibibytes("VmHWM") * 1024
    )
}
