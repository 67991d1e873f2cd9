//! Documents made to be slow: each is answered within the time that its length asks, one way or the other.

use std::time::{Duration, Instant};

use lanyard_mdm::xml::{Limits, read};

/// Generous for a machine that is busy with other things: the tests run unoptimised.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn hostile_documents_take_no_longer_than_their_length_asks() {
    let declarations: String = (0..32).map(|i| format!(" xmlns:p{i}='u{i}'")).collect();
    let open: String = (0..63).map(|_| format!("<p0:a{declarations}>")).collect();
    let namespaces = format!("{open}{}{}", "<p31:b p7:x=''/>".repeat(4000), "</p0:a>".repeat(63));
    let long_namespace = format!("<a xmlns='{}'>{}</a>", "u".repeat(200_000), "<b/>".repeat(4000));
    let attributes: String = (0..64).map(|i| format!(" a{i}=''")).collect();
    let many_attributes = format!("<a>{}</a>", format!("<b{attributes}/>").repeat(500));
    let documents = [
        namespaces,
        long_namespace,
        many_attributes,
        format!("<a>{}</a>", "&amp;".repeat(50_000)),
        format!("<a>{}</a>", "<![CDATA[x]]>".repeat(15_000)),
        format!("<a>{}</a>", "x<!---->".repeat(25_000)),
        format!("<a x='{}'/>", "&#10;".repeat(50_000)),
        format!("<a{}", " ".repeat(250_000)),
        format!("<a {}", "a='".repeat(80_000)),
        format!("<a {}/>", "a='' ".repeat(50_000)),
        format!("<!--{}", "-".repeat(250_000)),
        format!("<a>{}", "&".repeat(250_000)),
        "<".repeat(250_000),
        "<a>".repeat(80_000),
    ];
    for document in documents {
        let started = Instant::now();
        let _ = read(document.as_bytes(), &Limits::SOAP);
        let taken = started.elapsed();
        assert!(taken < LIMIT, "{taken:?} for {}…", document.get(..60).unwrap_or(&document));
    }
}
