//! What every storage engine must do, written once against the ports and run for each engine.
//!
//! Start reading at [`engine`]; each other file is one port. `on_sqlite` holds what only a file of SQLite can show.
//!
//! Must never enter: knowledge of one engine outside its own `on_…` file.

// Clippy's leave for tests does not reach functions that are called by tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod archive;
mod audit;
mod authorities;
mod certificates;
mod challenges;
mod counts;
mod crls;
mod directory;
mod engine;
mod fleet;
mod issuance;
mod leases;
mod notices;
mod on_postgres;
mod on_sqlite;
mod people;
mod renewal;
mod requests;
mod sample;
// The starter of the real server is the testkit's; this room may not depend on it.
#[path = "../../../testkit/src/programs/postgres.rs"]
mod server;
#[path = "../../../testkit/src/temporary.rs"]
mod temporary;
mod writing;

/// Runs tests of the battery on an engine, each on a new database.
macro_rules! battery {
    ($($module:ident: $($test:ident),+;)+) => {
        mod sqlite {$(
            mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(&crate::on_sqlite::OnSqlite::new()).await;
                }
            )+}
        )+}
        mod postgres {$(
            mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(&crate::on_postgres::OnPostgres::new()).await;
                }
            )+}
        )+}
    };
}

battery! {
    archive: keys_are_kept_by_user, a_recovery_changes_once, an_invitation_ends_once, what_is_somebodys_own_is_found;
    challenges: round_trip, unknown_is_none, same_id_twice_is_refused, one_of_many_adopts_an_id;
    requests: round_trip, newest_of_a_message, transaction_of_a_key, by_text, list_pages_newest_first, denied_replaces_pending_only,
        hold_consumes_the_challenge, hold_refuses_another_key,
        a_refusal_burns_its_challenge;
    issuance: begin_and_finish, challenge_is_consumed_once, challenge_expired_or_unknown, same_serial_is_refused, two_keys_in_one_transaction_at_once,
        another_key_in_the_transaction, clock_behind, from_pending_only_once, refusals_leave_no_trace, finish_twice,
        abandoned_intent_is_taken_over_once, finish_without_intent, withdrawn_is_stored_revoked, own_certificates_need_no_request;
    renewal: predecessor_is_linked, race_has_one_winner, revoked_or_unsigned_predecessor, successor_is_superseded, across_two_authorities;
    certificates: round_trip, found_by_serial, listed_by_status, listed_by_text, a_search_ends_somewhere, revoked_once, counted;
    crls: numbers_never_return, lists_what_is_revoked, round_trip, behind_when_something_was_revoked_since;
    leases: one_takes_and_the_others_see_it, a_sign_of_life_keeps_it, the_fence_stops_whoever_lost_it, nodes_say_what_they_loaded;
    authorities: round_trip, a_key_is_never_replaced;
    directory: users, devices, settings;
    counts: sink_and_are_limited, something_is_used_once, places_of_a_page_are_never_exceeded;
    notices: kept_with_every_outcome, tried_until_ended;
    people: tokens, groups, an_import_is_one_write, removal, approvals_while_pending;
    fleet: enrolments_change_as_seen, enrolments_are_listed, a_message_changes_all_or_nothing, passwords;
    audit: chain_is_intact, records_of_a_request, heads;
    writing: a_bad_job_harms_no_neighbour, a_caller_that_leaves_undoes_nothing, nothing_is_lost_without_close,
        a_closed_store_refuses, the_health_check_writes;
}
