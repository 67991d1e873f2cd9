//! Reconciliation over time: nothing twice, nothing lost, everything in its turn.

use lanyard_mdm::{
    csp::Scope,
    profile::{
        inventory,
        scep::{self, KeyProtection, ScepProfile},
        wifi,
    },
};
use lanyard_model::{
    id::JobId,
    key::KeyKind,
    serial::SerialNumber,
    time::{Span, Timestamp},
};

use crate::fleet::{
    job::{ScepOrder, What},
    ledger::{Fetched, Ledger, Progress},
    reconcile::{Action, How, Wanted, reconcile},
};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

fn setting(digest: &str) -> Wanted {
    let job = wifi::remove(Scope::Device, digest);
    let undo = Some(wifi::remove(Scope::Device, "Office"));
    Wanted {
        key: "wifi/Office".into(),
        purpose: "network".into(),
        digest: digest.into(),
        after: vec!["scep/wifi".into()],
        how: How::Once { job, undo, anew: false },
    }
}

fn certificate() -> Wanted {
    let profile = ScepProfile {
        id: "wifi".into(),
        scope: Scope::Device,
        server_urls: vec!["http://pki.example.org/scep/default".into()],
        ekus: vec!["1.3.6.1.5.5.7.3.2".into()],
        key_usage: 128,
        subject: "CN=laptop-1".into(),
        key_protection: KeyProtection::TpmOptional,
        retry_delay: 5,
        retry_count: 3,
        key_length: 2048,
        hash_algorithms: vec!["SHA-2".into()],
        ca_thumbprint: "0".repeat(40),
        alternative_names: Vec::new(),
        valid_days: None,
        template: None,
    };
    let order = ScepOrder {
        profile: "default".parse().unwrap(),
        template: "wifi".parse().unwrap(),
        key: KeyKind::Rsa(2048),
        subject: "CN=laptop-1".into(),
        san: Vec::new(),
    };
    Wanted {
        key: "scep/wifi".into(),
        purpose: "certificate".into(),
        digest: "1".into(),
        after: Vec::new(),
        how: How::Scep { profile: Box::new(profile), order, renew_before: Span::from_days(30) },
    }
}

fn question() -> Wanted {
    let how =
        How::Every { job: inventory::query(Scope::Device), what: What::Inventory(Scope::Device), every: Span::from_days(7) };
    Wanted { key: "inventory/device".into(), purpose: "inventory".into(), digest: "1".into(), after: Vec::new(), how }
}

/// What is queued and taken back.
fn run(ledger: &mut Ledger, wanted: &[Wanted], now: Timestamp) -> (Vec<String>, usize) {
    let actions = reconcile(ledger, wanted, &[], now, JobId::generate(now));
    let cancelled = actions.iter().filter(|action| matches!(action, Action::Cancel(_))).count();
    let queued = actions.into_iter().filter_map(|action| match action {
        Action::Queue { purpose, .. } => Some(purpose),
        Action::Cancel(_) => None,
    });
    (queued.collect(), cancelled)
}

fn end(ledger: &mut Ledger, key: &str, progress: Progress, now: Timestamp) {
    let entry = ledger.entries.get_mut(key).unwrap();
    entry.progress = progress;
    entry.at = now;
    entry.failures += u32::from(progress == Progress::Failed);
}

#[test]
fn nothing_is_queued_twice_and_dependencies_are_named() {
    let (mut ledger, wanted) = (Ledger::default(), [certificate(), setting("1"), question()]);
    let actions = reconcile(&mut ledger, &wanted, &[], START, JobId::generate(START));
    assert_eq!(actions.len(), 3);
    let waits = actions.iter().any(|action| match action {
        Action::Queue { key, job, .. } => key.as_deref() == Some("wifi/Office") && job.after == ["scep/wifi"],
        Action::Cancel(_) => false,
    });
    assert!(waits);
    assert_eq!(run(&mut ledger, &wanted, START + Span::from_days(100)), (Vec::new(), 0), "what waits, waits");
}

#[test]
fn a_change_takes_the_place_of_what_waits() {
    let mut ledger = Ledger::default();
    run(&mut ledger, &[setting("1")], START);
    assert_eq!(run(&mut ledger, &[setting("2")], START), (vec!["network".into()], 1));
    end(&mut ledger, "wifi/Office", Progress::Done, START);
    assert_eq!(run(&mut ledger, &[setting("2")], START), (Vec::new(), 0));
    assert_eq!(run(&mut ledger, &[], START), (vec!["remove wifi/Office".into()], 0));
    assert!(ledger.entries.is_empty());
}

#[test]
fn what_failed_is_tried_again_ever_more_rarely() {
    let (mut ledger, wanted) = (Ledger::default(), [setting("1")]);
    let mut now = START;
    run(&mut ledger, &wanted, now);
    let mut waits = Vec::new();
    for _ in 0..12 {
        end(&mut ledger, "wifi/Office", Progress::Failed, now);
        let failed = now;
        while run(&mut ledger, &wanted, now).0.is_empty() {
            now = now + Span::from_secs(1800);
        }
        waits.push(now.since(failed).secs() / 3600);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168, 168]);
}

#[test]
fn what_an_administrator_took_back_stays_so_until_it_changes() {
    let mut ledger = Ledger::default();
    run(&mut ledger, &[setting("1")], START);
    end(&mut ledger, "wifi/Office", Progress::TakenBack, START);
    assert_eq!(run(&mut ledger, &[setting("1")], START + Span::from_days(900)), (Vec::new(), 0));
    assert_eq!(run(&mut ledger, &[setting("2")], START), (vec!["network".into()], 0));
}

#[test]
fn what_cannot_be_had_at_the_moment_is_not_taken_away() {
    let mut ledger = Ledger::default();
    run(&mut ledger, &[setting("1")], START);
    end(&mut ledger, "wifi/Office", Progress::Done, START);
    let before = ledger.clone();
    let actions = reconcile(&mut ledger, &[], &["wifi/Office".to_owned()], START, JobId::generate(START));
    assert_eq!((actions, ledger), (Vec::new(), before));
}

#[test]
fn a_certificate_gets_a_new_name_each_time_and_the_old_one_goes_last() {
    let (mut ledger, wanted) = (Ledger::default(), [certificate()]);
    run(&mut ledger, &wanted, START);
    end(&mut ledger, "scep/wifi", Progress::Done, START);
    let until = START + Span::from_days(365);
    let fetched =
        Fetched { issuer: "issuing".parse().unwrap(), serial: SerialNumber::from_magnitude(&[7]).unwrap(), not_after: until };
    ledger.entries.get_mut("scep/wifi").unwrap().certificate = Some(fetched);
    assert_eq!(run(&mut ledger, &wanted, until - Span::from_days(31)), (Vec::new(), 0));
    assert_eq!(run(&mut ledger, &wanted, until - Span::from_days(30)), (vec!["certificate".into()], 0));
    let entry = ledger.entries.get("scep/wifi").unwrap();
    assert_eq!((entry.generation, entry.replaced.as_slice()), (2, [scep::remove(Scope::Device, "wifi-1")].as_slice()));
    // A failure on the way leaves the first one and what was begun; both go once there is a good one.
    end(&mut ledger, "scep/wifi", Progress::Failed, START);
    run(&mut ledger, &wanted, until);
    end(&mut ledger, "scep/wifi", Progress::Done, until);
    assert_eq!(run(&mut ledger, &wanted, until).0.len(), 2);
    assert_eq!(run(&mut ledger, &wanted, until), (Vec::new(), 0));
}

#[test]
fn a_device_that_got_a_certificate_is_asked_which_it_has() {
    let mut ledger = Ledger::default();
    let wanted = [certificate(), question()];
    run(&mut ledger, &wanted, START);
    end(&mut ledger, "inventory/device", Progress::Done, START);
    assert_eq!(run(&mut ledger, &wanted, START).0.len(), 0);
    let later = START + Span::from_secs(60);
    end(&mut ledger, "scep/wifi", Progress::Done, later);
    let fetched = Fetched {
        issuer: "issuing".parse().unwrap(),
        serial: SerialNumber::from_magnitude(&[7]).unwrap(),
        not_after: START + Span::from_days(400),
    };
    ledger.entries.get_mut("scep/wifi").unwrap().certificate = Some(fetched);
    assert_eq!(run(&mut ledger, &wanted, later).0.len(), 1, "once");
    assert_eq!(run(&mut ledger, &wanted, later).0.len(), 0, "it is being asked");
    end(&mut ledger, "inventory/device", Progress::Done, later);
    assert_eq!(run(&mut ledger, &wanted, later).0.len(), 0);
}

#[test]
fn questions_are_asked_again_in_time() {
    let (mut ledger, wanted) = (Ledger::default(), [question()]);
    run(&mut ledger, &wanted, START);
    end(&mut ledger, "inventory/device", Progress::Done, START);
    assert!(run(&mut ledger, &wanted, START + Span::from_days(6)).0.is_empty());
    assert_eq!(run(&mut ledger, &wanted, START + Span::from_days(7)).0.len(), 1);
}
