//! Every habit of every client, one test or more for each.
//!
//! | Habit | Test |
//! |---|---|
//! | POST without Content-Type, with another, without operation (sscep, strongSwan, Go) | `habits::every_client_enrols_as_it_does`, `http_edge::http_1_0_without_host_and_posts_without_type_or_operation_are_served` |
//! | media types exact and without parameters, Content-Length, never chunked (sscep, certmonger, Go, MikroTik) | `http_edge::rfc8894_4_answers_have_exact_media_types_and_lengths`, every `CertRep::read` |
//! | GetCACaps without or with any identifier, below 1024 octets, no empty line (sscep, certmonger, strongSwan) | `http_edge::rfc8894_4_answers_have_exact_media_types_and_lengths` |
//! | CertRep signed by the certificate offered, with every attribute in its exact string type (sscep, jscep, Apple, certmonger, MikroTik, Windows) | every `CertRep::read` |
//! | leaf first in the answer (sscep, Go, strongSwan) | every `CertRep::read` |
//! | failInfo between 0 and 4 (sscep) | `FailInfo` has no other |
//! | CertPoll that names the registration certificate as issuer (sscep) | `habits::a_poll_may_name_any_issuer` |
//! | all certificates of GetCACert as recipients; no EC certificates for such clients (Go) | `envelopes::our_recipient_is_found_among_four`, `shapes::programs_in_go_are_offered_rsa_alone` |
//! | identical request instead of a poll (Go) | `held::rfc8894_3_3_3_a_held_request_is_polled_until_it_is_approved` |
//! | renewal without challenge (Go) | `renewal::rfc8894_2_5_a_certificate_in_its_window_renews_itself` |
//! | CSR without challenge (Go) | `hostile::challenges` |
//! | 200 for every CertRep, refusals too (jscep) | every `CertRep::read` |
//! | registration certificate issued by the issuing CA itself, with its key usages (jscep, Apple, Windows) | `http_edge::rfc8894_4_answers_have_exact_media_types_and_lengths`, `shapes::the_registration_certificate_suits_apple_jscep_and_windows` |
//! | fresh senderNonce in each answer (jscep) | `habits::each_answer_has_a_nonce_of_its_own` |
//! | PKCS#1 v1.5 in the answer unless the request came with OAEP (jscep, Windows) | `envelopes::oaep_is_answered_with_the_same_oaep` |
//! | missing Host, empty Content-Type, RSASSA-PSS, unsorted CSR attributes (strongSwan) | `http_edge::http_1_0…`, `envelopes::pss_signatures_verify`, `habits::a_challenge_with_characters_outside_printable_string_is_read`, `interop::strongswan` |
//! | root in GetCACert (strongSwan) | `http_edge::rfc8894_4_answers_have_exact_media_types_and_lengths` |
//! | version 1 written out, GeneralizedTime, a century, serial of 33 octets, 77 digits of transactionID, GET (certmonger) | `habits::every_client_enrols_as_it_does`, `interop::certmonger` |
//! | challengePassword in PrintableString with `_ @ * !` (certmonger) | `habits::a_challenge_with_characters_outside_printable_string_is_read` |
//! | friendlyName and other attributes in the CSR (certmonger) | `habits::a_challenge_with_characters_outside_printable_string_is_read` |
//! | GetCACert&message=0, 1, 2 … (certmonger) | `shapes::every_identifier_gets_the_same_answer` |
//! | BER, constructed strings, raw `+` and `/`, `=` as %3D, random subject of the signer (Apple) | `habits::every_client_enrols_as_it_does` |
//! | 3DES with SHA-512 as captured against NDES (Apple) | `habits::old_versions_enrol_at_a_legacy_profile_alone` |
//! | no TLS client certificate asked for (Apple, Windows) | `http_edge::https_serves_the_same_with_a_certificate_under_the_root_and_asks_for_none` |
//! | one request per linked profile, with the same key (Apple) | `habits::one_key_may_enrol_as_often_as_there_are_challenges` |
//! | NDES addresses, `message=default` (Windows) | `habits::every_client_enrols_as_it_does`, `http_edge::http_1_0…` |
//! | critical authorityKeyIdentifier, OAEP (Windows) | `habits::every_client_enrols_as_it_does`, `envelopes::oaep_is_answered_with_the_same_oaep` |
//! | notBefore before the present (Windows) | `bars::issues`, `shapes::the_registration_certificate_suits_apple_jscep_and_windows` |
//! | back-pressure by 429 (Windows) | `bars::guessing` |
//! | HTTP/1.0, base64 in lines with %0A at the end, GET although POST is offered (Cisco) | `habits::every_client_enrols_as_it_does` |
//! | MD5 answered with badAlg, DES by profile only (Cisco) | `envelopes::md5_is_answered_with_bad_alg`, `habits::old_versions_enrol_at_a_legacy_profile_alone` |
//! | the request's cipher mirrored (Cisco) | `hostile::oracle::every_accepted_cipher_and_digest_is_mirrored_and_every_other_is_bad_alg` |
//! | renewal as PKCSReq (Cisco, certmonger, macOS, sscep) | `habits::renewals_come_as_pkcs_req` |
//! | many requests from one address (Jamf and other proxies) | `bars::guessing`: who has a right challenge is served |
//! | 60 kB of URL | `http_edge::what_is_too_large_is_refused_before_it_is_read` |
//!
//! What our own device tolerates of servers is tested in `crates/agent/tests` and `crates/enroll/tests/it/tolerant.rs`; real clients run in
//! `interop`: scepclient, certmonger, strongSwan. sscep has no package here; its messages are in `habits`.

mod envelopes;
mod fetch;
mod habits;
mod next_ca;
mod shapes;
mod story;
mod take_over;
mod vectors;
