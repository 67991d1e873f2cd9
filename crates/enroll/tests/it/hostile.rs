//! Messages that must be refused, and quickly.

use std::time::{Duration, Instant};

use lanyard_enroll::scep::{error::ScepError, query::MAX_MESSAGE, request::decode};
use lanyard_pki::{tlv::tag, write};

/// SignedData with this set of digest algorithms and nothing else of interest.
fn signed_data(digests: &[u8], certificates: &[u8]) -> Vec<u8> {
    let content = write::sequence(&[write::oid(lanyard_pki::oids::DATA)]);
    let signed = write::sequence(&[
        write::integer(1),
        write::element(tag::SET, digests),
        content,
        write::element(tag::context(0), certificates),
        write::element(tag::SET, &[]),
    ]);
    write::sequence(&[write::oid(lanyard_pki::oids::SIGNED_DATA), write::explicit(0, &signed)])
}

#[test]
fn security_2_oversized_messages_are_refused_unread() {
    let refused = decode(&vec![0x30; MAX_MESSAGE + 1], true);
    assert!(refused.reply_to.is_none() && matches!(refused.message, Err(ScepError::TooLarge { .. })));
}

#[test]
fn security_2_counts_are_limited() {
    let algorithm = write::sequence(&[write::oid(lanyard_pki::oids::SHA256)]);
    for (message, what) in [
        (signed_data(&algorithm.repeat(9), &[]), "digest algorithms"),
        (signed_data(&algorithm, &write::sequence(&[[0u8; 0]]).repeat(17)), "certificates"),
    ] {
        assert!(decode(&message, true).message.is_err(), "{what}");
    }
}

#[test]
fn security_5_7_hostile_structures_take_linear_time_and_little_of_it() {
    let nested = |n: usize| [0x30u8, 0x80].repeat(n);
    let chunks = |n: usize| {
        let mut message = vec![0x24, 0x80];
        message.extend([4u8, 1, 0].repeat(n));
        message.extend([0, 0]);
        message
    };
    let set = |n: usize| signed_data(&[2u8, 1, 5].repeat(n), &[]);
    let attributes = |n: usize| signed_data(&write::sequence(&[write::oid(lanyard_pki::oids::SHA256)]).repeat(n), &[]);
    let messages =
        [("nesting", nested(15_000)), ("chunks", chunks(10_000)), ("set", set(10_000)), ("attributes", attributes(2_000))];
    for (shape, message) in messages {
        let best = (0..5)
            .map(|_| {
                let began = Instant::now();
                assert!(decode(&message, true).message.is_err(), "{shape}");
                began.elapsed()
            })
            .min()
            .unwrap();
        // The bar is 20 ms in a release build; unoptimised code on a busy machine gets ten times that.
        assert!(best < Duration::from_millis(200), "{shape}: {best:?} for {} octets", message.len());
    }
}
