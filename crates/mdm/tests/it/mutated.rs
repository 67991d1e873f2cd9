//! The vectors, damaged: nothing panics, and what is still read can be written and read again.

use lanyard_mdm::{
    discovery::{Discover, DiscoverResult},
    policy::{GetPolicies, GetPoliciesResponse},
    provisioning::{Document, ProvisioningDocument},
    soap::{Action, Answer, Request, c14n::canonicalize, signature},
    wstep::{CertificateRequest, RequestSecurityToken, RequestSecurityTokenResponse, UnverifiedRenewal},
    xml::{Limits, read},
};
use proptest::prelude::*;

use crate::vectors::ALL;

/// What a damage puts in.
const PIECES: [&[u8]; 16] = [
    b"",
    b"<",
    b">",
    b"\"",
    b"&",
    b"<a>",
    b"</s:Body>",
    b"<!--",
    b"]]>",
    b"&#0;",
    b"\0",
    b"\xFF",
    b" xmlns=''",
    b"=",
    b"/>",
    b"MIIB",
];

fn everything(octets: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(tree) = read(octets, &Limits::SOAP) {
        let canonical = canonicalize(&tree);
        let again = read(canonical.as_bytes(), &Limits { octets: usize::MAX, ..Limits::SOAP });
        prop_assert_eq!(canonicalize(&again.map_err(|error| TestCaseError::fail(error.to_string()))?), canonical);
    }
    for action in [Action::Discover, Action::GetPolicies, Action::RequestSecurityToken] {
        match Request::decode(octets, action) {
            Ok(request) => {
                let _ = request.header.security.credential();
                let _ = signature::verify(&request, true);
                let body = request.body().map_err(|error| TestCaseError::fail(error.to_string()))?;
                if let Ok(discover) = Discover::decode(body) {
                    prop_assert_eq!(Discover::decode(&discover.encode()), Ok(discover));
                }
                if let Ok(policies) = GetPolicies::decode(body) {
                    prop_assert_eq!(GetPolicies::decode(&policies.encode()), Ok(policies));
                }
                if let Ok(token) = RequestSecurityToken::decode(body) {
                    prop_assert_eq!(RequestSecurityToken::decode(&token.encode()), Ok(token.clone()));
                    if let CertificateRequest::Renew { pkcs7, .. } = &token.request
                        && let Ok(renewal) = UnverifiedRenewal::decode(pkcs7)
                        && let Some(certificate) = renewal.certificate()
                    {
                        let _ = renewal.verify(certificate);
                    }
                }
            }
            Err(rejected) => {
                let fault = rejected.fault().encode(action, rejected.message_id.as_deref());
                prop_assert!(fault.is_ok());
            }
        }
        for number in 1..8 {
            let id = format!("urn:uuid:00000000-0000-4000-8000-{number:012}");
            match Answer::decode(octets, action, &id) {
                Ok(Answer::Response(response)) => {
                    let _ = DiscoverResult::decode(&response.body);
                    if let Ok(policies) = GetPoliciesResponse::decode(&response.body) {
                        prop_assert_eq!(GetPoliciesResponse::decode(&policies.encode()), Ok(policies));
                    }
                    let _ = RequestSecurityTokenResponse::decode(&response.body);
                }
                Ok(Answer::Fault(fault)) => prop_assert!(fault.encode(action, Some(&id)).is_ok()),
                Err(_) => {}
            }
        }
    }
    if let Ok(document) = Document::decode(octets) {
        let text = document.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(Document::decode(text.expose().as_bytes()), Ok(document));
    }
    if let Ok(document) = ProvisioningDocument::decode(octets) {
        let text = document.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let again = ProvisioningDocument::decode(text.expose().as_bytes());
        prop_assert_eq!(again.map(|again| again.to_document()), Ok(document.to_document()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_vectors_do_no_harm(
        vector in 0..ALL.len(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, 0..PIECES.len()), 1..4),
    ) {
        let mut octets = ALL[vector].1.to_vec();
        for (place, gone, piece) in damages {
            let start = place.index(octets.len());
            let end = (start + gone).min(octets.len());
            octets.splice(start..end, PIECES[piece].iter().copied());
        }
        everything(&octets)?;
    }
}

/// Any prefix of a vector is refused and nothing worse; a whole one is not.
#[test]
fn cut_vectors_are_refused() {
    for (name, octets) in ALL {
        let end = octets.iter().rposition(|octet| *octet == b'>').unwrap();
        for length in (0..end).step_by(97) {
            assert!(read(&octets[..length], &Limits::SOAP).is_err(), "{name} cut at {length}");
        }
    }
}
