//! A success is answered only after it is on disk.

use std::{collections::HashMap, fs};

use lanyard_testkit::{
    keys::rsa,
    process::Process,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, order},
};

use crate::bars::{size, tell};

/// What matters of a trace, in order.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    /// Octets were written to the write-ahead log, which every commit goes to.
    Written,
    /// The write-ahead log was synced.
    Synced,
    /// A success was sent to a device.
    Answered,
}

/// Reads a trace of strace -f -y. What is written to the database itself is what the log already holds: SQLite carries it over now and
/// then, and an answer need not wait for that. A call may be told in two halves when threads interleave. A write counts when it begins, a sync
/// only when it has ended.
fn events(trace: &str) -> Vec<Event> {
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ').map(|(pid, rest)| (pid, rest.trim_start())) else { continue };
        let (begun, ended) = if call.starts_with("<... ") {
            (None, unfinished.remove(pid).filter(|_| call.trim_end().ends_with("= 0")))
        } else if call.contains("<unfinished ...>") {
            unfinished.insert(pid, call);
            (Some(call), None)
        } else {
            (Some(call), Some(call).filter(|c| c.trim_end().ends_with("= 0")))
        };
        let on_log = |call: &str| call.contains("/lanyard.db-wal>");
        if let Some(call) = begun {
            if call.starts_with("pwrite") && on_log(call) {
                events.push(Event::Written);
            } else if call.contains("HTTP/1.1 200 OK") && call.contains("x-pki-message") {
                events.push(Event::Answered);
            }
        }
        if ended.is_some_and(|c| (c.starts_with("fsync") || c.starts_with("fdatasync")) && on_log(c)) {
            events.push(Event::Synced);
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn every_success_is_synced_before_it_is_answered() {
    let issues = size(20, 1000);
    let (site, _) = TestServer::builder().create().await;
    let trace = site.temp.path().join("trace");
    let calls = "fsync,fdatasync,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg";
    let process = Process::traced(&site, calls, &trace).await;
    let endpoint = Endpoint::at(process.http, "default").await;
    for n in 0..issues {
        let challenge = process.admin.challenge(&order("wifi", &format!("laptop-{n}"))).await;
        endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await.assert_issued();
    }
    let mut process = process;
    process.terminate().await;
    assert!(process.ended().await.success(), "{}", process.logged());

    let events = events(&fs::read_to_string(&trace).unwrap());
    let answered = events.iter().filter(|e| **e == Event::Answered).count();
    assert_eq!(answered, issues, "the trace shows every answer");
    for part in events.split(|e| *e == Event::Answered).take(issues) {
        // The challenge, then transactions 1 (intent) and 2 (certificate) by one; and nothing written after the last sync.
        assert!(part.iter().filter(|e| **e == Event::Synced).count() >= 2, "{part:?}");
        assert_eq!(part.last(), Some(&Event::Synced), "{part:?}");
        assert!(part.contains(&Event::Written));
    }
    tell(13, &format!("a sync precedes the answer in {issues} of {issues} issues"));
}

#[test]
fn the_trace_reader_sees_an_answer_that_comes_too_early() {
    let answer = "8 sendto(11<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\ncontent-type: application/x-pki-message\\r\\n\"..., 99) = 99";
    let write = "7 pwrite64(5</d/lanyard.db-wal>, \"x\", 1, 0) = 1";
    let good = [write, "7 fdatasync(5</d/lanyard.db-wal>) = 0", answer].join("\n");
    assert_eq!(events(&good), [Event::Written, Event::Synced, Event::Answered]);
    let early = [write, "7 fdatasync(5</d/lanyard.db-wal> <unfinished ...>", answer, "7 <... fdatasync resumed>) = 0"].join("\n");
    assert_eq!(events(&early), [Event::Written, Event::Answered, Event::Synced]);
    let failed = [write, "7 fdatasync(5</d/lanyard.db-wal>) = -1 EIO (Input/output error)", answer].join("\n");
    assert_eq!(events(&failed), [Event::Written, Event::Answered]);
}
