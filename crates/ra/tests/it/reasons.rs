//! The codes are a contract: documentation, log, API and console use them.

use std::collections::BTreeSet;

use lanyard_ra::reason::Reason;

#[test]
fn codes_are_pinned() {
    let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let pinned = [
        "ra.challenge-missing",
        "ra.challenge-malformed",
        "ra.challenge-unknown",
        "ra.challenge-signature",
        "ra.challenge-not-yet-valid",
        "ra.challenge-expired",
        "ra.challenge-used",
        "ra.challenge-other-key",
        "ra.challenge-other-audience",
        "ra.challenge-other-instance",
        "ra.subject-missing",
        "ra.subject-mismatch",
        "ra.san-missing",
        "ra.san-mismatch",
        "ra.key-usage-mismatch",
        "ra.eku-mismatch",
        "ra.key-type-mismatch",
        "ra.key-length-mismatch",
        "ra.extension-not-allowed",
        "ra.ca-requested",
        "ra.weak-signature",
        "ra.signer-key-mismatch",
        "ra.signer-foreign",
        "ra.profile-unknown",
        "ra.template-unknown",
        "ra.template-changed",
        "ra.template-not-in-profile",
        "ra.protocol-not-allowed",
        "ra.record-changed",
        "ra.user-unknown",
        "ra.user-disabled",
        "ra.device-unknown",
        "ra.device-of-another",
        "ra.portal-not-allowed",
        "ra.device-blocked",
        "ra.not-assigned",
        "ra.directory-unavailable",
        "ra.renewal-unknown-certificate",
        "ra.renewal-certificate-mismatch",
        "ra.renewal-revoked",
        "ra.renewal-expired",
        "ra.renewal-too-early",
        "ra.renewal-other-profile",
        "ra.renewal-weak-signature",
        "ra.renewal-changed",
        "ra.static-source",
        "ra.static-quota",
        "ra.module-denied",
        "ra.module-address",
        "ra.module-unreachable",
        "ra.module-timeout",
        "ra.module-answer",
        "ra.module-no-csr",
        "ra.module-notify",
        "ra.approval-denied",
        "ra.approval-own",
        "ra.approval-second",
        "ra.approval-unfounded",
        "ra.approval-expired",
        "ra.transaction-other-key",
        "ra.clock",
    ];
    assert_eq!(codes, pinned);
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "each code is there once");
}

#[test]
fn every_reason_says_what_happened_and_what_to_do() {
    for reason in Reason::ALL {
        assert!(reason.sentence().ends_with('.') && reason.sentence().len() > 15, "{reason}");
        assert!(!reason.remedy().ends_with('.') && reason.remedy().len() > 10, "{reason}");
        assert_eq!(reason.to_string(), reason.code());
    }
}

#[test]
fn incidents_are_what_an_honest_device_does_not_do() {
    let incidents: Vec<_> = Reason::ALL.iter().filter(|reason| reason.is_incident()).collect();
    assert_eq!(incidents, [&Reason::ChallengeOtherKey, &Reason::TransactionOtherKey]);
}
