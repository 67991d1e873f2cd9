//! What a device sends to the three services, and what our own device reads of their answers.
#![no_main]

use lanyard_mdm::{
    discovery::{Discover, DiscoverResult},
    policy::{GetPolicies, GetPoliciesResponse},
    soap::{Action, Answer, Request, signature},
    wstep::{CertificateRequest, RequestSecurityToken, RequestSecurityTokenResponse, UnverifiedRenewal},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for action in [Action::Discover, Action::GetPolicies, Action::RequestSecurityToken] {
        match Request::decode(data, action) {
            Ok(request) => service(&request, action),
            Err(rejected) => {
                let _ = rejected.fault().encode(action, rejected.message_id.as_deref());
            }
        }
        if let Ok(Answer::Response(response)) = Answer::decode(data, action, "urn:uuid:00000000-0000-4000-8000-000000000004") {
            let _ = DiscoverResult::decode(&response.body);
            let _ = GetPoliciesResponse::decode(&response.body);
            let _ = RequestSecurityTokenResponse::decode(&response.body);
        }
    }
});

fn service(request: &Request, action: Action) {
    let _ = request.header.security.credential();
    let _ = signature::verify(request, true);
    let Ok(body) = request.body() else { return };
    match action {
        Action::Discover => {
            if let Ok(discover) = Discover::decode(body) {
                let _ = Discover::decode(&discover.encode());
            }
        }
        Action::GetPolicies => {
            let _ = GetPolicies::decode(body);
        }
        _ => {
            let Ok(token) = RequestSecurityToken::decode(body) else { return };
            if let CertificateRequest::Renew { pkcs7, .. } = &token.request
                && let Ok(renewal) = UnverifiedRenewal::decode(pkcs7)
                && let Some(certificate) = renewal.certificate()
            {
                let _ = renewal.verify(certificate);
            }
            let _ = RequestSecurityToken::decode(&token.encode());
        }
    }
}
