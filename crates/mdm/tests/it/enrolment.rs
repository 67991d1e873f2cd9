//! Discovery, policy, first request, and faults.

use lanyard_mdm::{
    discovery::{AuthPolicy, Discover, DiscoverResult, sign_in},
    hresult::Hresult,
    policy::{
        CertificateEnrollmentPolicy, GetPolicies, GetPoliciesResponse, OID_GROUP_HASH, OID_GROUP_KEY, OID_GROUP_TEMPLATE,
        PolicyOid,
    },
    soap::{
        Action, Activity, Answer, BinarySecurityToken, Credential, ErrorType, Fault, Lifetime, Request, RequestHeader,
        ResponseHeader, Security, Subcode, UsernameToken, ValueType,
    },
    wstep::{AdditionalContext, CertificateRequest, EnrollmentType, RequestSecurityToken, RequestSecurityTokenResponse},
};
use lanyard_model::{
    secret::{SecretBytes, SecretText},
    time::Timestamp,
};
use lanyard_pki::csr::decode::decode as decode_request;

use crate::vectors::{self, assert_same};

pub const USER: &str = "alex@example.com";
const TOKEN: &[u8] = b"opaque-token-issued-by-the-example-sts-0001";
pub const DEVICE_ID: &str = "A0B1C2D3E4F5061728394A5B6C7D8E9F";
const HW_DEV_ID: &str = "6F5FAFC7E9C2286383A2FB79750B4C0522966E55EC6578039680E3085605B851";

pub fn id(number: u32) -> String {
    format!("urn:uuid:00000000-0000-4000-8000-{number:012}")
}

pub fn request(octets: &[u8], action: Action) -> Request {
    Request::decode(octets, action).unwrap()
}

pub fn header(action: Action, number: u32, to: &str, security: Security) -> RequestHeader {
    RequestHeader { action, message_id: id(number), to: to.into(), security }
}

pub fn response_header(action: Action, number: u32) -> ResponseHeader {
    let activity = Activity {
        correlation: "0a0b0c0d-0000-4000-8000-000000000001".into(),
        id: "0a0b0c0d-0000-4000-8000-000000000002".into(),
    };
    ResponseHeader { activity: Some(activity), ..ResponseHeader::answering(action, Some(&id(number))) }
}

pub fn username(password: &str) -> Security {
    let token = UsernameToken { username: USER.into(), password: SecretText::new(password.into()) };
    Security { username: Some(token), ..Security::default() }
}

pub fn token() -> Security {
    let token = BinarySecurityToken {
        id: None,
        value_type: ValueType::DeviceEnrollmentUserToken,
        octets: SecretBytes::new(TOKEN.to_vec()),
    };
    Security { token: Some(token), ..Security::default() }
}

pub fn response(octets: &[u8], action: Action, number: u32) -> lanyard_mdm::soap::Response {
    match Answer::decode(octets, action, &id(number)).unwrap() {
        Answer::Response(response) => response,
        Answer::Fault(fault) => panic!("{fault:?}"),
    }
}

#[test]
fn vector_01_discover() {
    let received = request(vectors::DISCOVER, Action::Discover);
    assert_eq!(received.header.message_id, id(1));
    assert_eq!(received.header.to, "https://enterpriseenrollment.example.com:443/EnrollmentServer/Discovery.svc");
    assert!(matches!(received.header.security.credential(), Ok(Credential::None)));
    let discover = Discover::decode(received.body().unwrap()).unwrap();
    let expected = Discover {
        email_address: USER.into(),
        request_version: "6.0".parse().unwrap(),
        device_type: "CIMClient_Windows".into(),
        application_version: Some("10.0.22621.3155".parse().unwrap()),
        os_edition: Some(101),
        auth_policies: vec![AuthPolicy::OnPremise, AuthPolicy::Federated],
    };
    assert_eq!(discover, expected);
    let ours = header(Action::Discover, 1, &received.header.to, Security::default()).encode(expected.encode()).unwrap();
    assert_same(ours.expose().as_bytes(), vectors::DISCOVER);
}

#[test]
fn vector_02_discover_response() {
    for (octets, federated) in [(vectors::DISCOVER_ON_PREMISE, false), (vectors::DISCOVER_FEDERATED, true)] {
        let expected = DiscoverResult {
            auth_policy: if federated { AuthPolicy::Federated } else { AuthPolicy::OnPremise },
            enrollment_version: Some("4.0".parse().unwrap()),
            enrollment_policy_service_url: Some("https://mdm.example.com/EnrollmentServer/Policy.svc".into()),
            enrollment_service_url: "https://mdm.example.com/EnrollmentServer/Enrollment.svc".into(),
            authentication_service_url: federated.then(|| "https://mdm.example.com/EnrollmentServer/Auth".into()),
        };
        let received = response(octets, Action::Discover, 1);
        assert_eq!(DiscoverResult::decode(&received.body).unwrap(), expected);
        assert_eq!(received.header, response_header(Action::Discover, 1));
        let ours = response_header(Action::Discover, 1).encode(expected.encode()).unwrap();
        assert_same(ours.as_bytes(), octets);
    }
}

#[test]
fn vector_03_get_policies() {
    let to = "https://mdm.example.com/EnrollmentServer/Policy.svc";
    let received = request(vectors::GET_POLICIES_USERNAME, Action::GetPolicies);
    match received.header.security.credential().unwrap() {
        Credential::Password { username, password } => assert_eq!((username, password.expose()), (USER, "{{PASSWORD}}")),
        other => panic!("{other:?}"),
    }
    assert_eq!(GetPolicies::decode(received.body().unwrap()).unwrap(), GetPolicies::default());
    let ours = header(Action::GetPolicies, 2, to, username("{{PASSWORD}}")).encode(GetPolicies::default().encode()).unwrap();
    assert_same(ours.expose().as_bytes(), vectors::GET_POLICIES_USERNAME);

    let received = request(vectors::GET_POLICIES_FEDERATED, Action::GetPolicies);
    match received.header.security.credential().unwrap() {
        Credential::UserToken(token) => assert_eq!(token.expose(), TOKEN),
        other => panic!("{other:?}"),
    }
    let ours = header(Action::GetPolicies, 3, to, token()).encode(GetPolicies::default().encode()).unwrap();
    assert_same(ours.expose().as_bytes(), vectors::GET_POLICIES_FEDERATED);
}

#[test]
fn vector_04_get_policies_response() {
    let oid = |value: &str, group, reference, name: &str| PolicyOid {
        value: value.parse().unwrap(),
        group,
        reference,
        default_name: Some(name.into()),
    };
    let expected = GetPoliciesResponse {
        policy_id: "7f1b6d0c-1111-4222-8333-444455556666".into(),
        policy_friendly_name: None,
        next_update_hours: None,
        policies_not_changed: None,
        policies: vec![CertificateEnrollmentPolicy {
            policy_oid_reference: 2,
            common_name: Some("ExampleMDM device identity".into()),
            validity_period_seconds: 31_536_000,
            renewal_period_seconds: 3_628_800,
            enroll: true,
            auto_enroll: false,
            minimal_key_length: 2048,
            key_spec: None,
            key_usage_property: None,
            permissions: None,
            algorithm_oid_reference: Some(1),
            crypto_providers: vec!["Microsoft Platform Crypto Provider".into(), "Microsoft Software Key Storage Provider".into()],
            revision: (101, 0),
            private_key_flags: None,
            subject_name_flags: None,
            enrollment_flags: None,
            general_flags: None,
            hash_algorithm_oid_reference: Some(0),
        }],
        oids: vec![
            oid("2.16.840.1.101.3.4.2.1", OID_GROUP_HASH, 0, "szOID_NIST_sha256"),
            oid("1.2.840.113549.1.1.1", OID_GROUP_KEY, 1, "szOID_RSA_RSA"),
            oid("1.3.6.1.4.1.32473.2.1", OID_GROUP_TEMPLATE, 2, "ExampleMDM device identity"),
        ],
    };
    let received = response(vectors::GET_POLICIES_RESPONSE, Action::GetPolicies, 2);
    let decoded = GetPoliciesResponse::decode(&received.body).unwrap();
    assert_eq!(decoded, expected);
    assert_eq!(decoded.oid(0).unwrap().to_string(), "2.16.840.1.101.3.4.2.1");
    let ours = response_header(Action::GetPolicies, 2).encode(expected.encode()).unwrap();
    assert_same(ours.as_bytes(), vectors::GET_POLICIES_RESPONSE);
}

pub fn context() -> AdditionalContext {
    AdditionalContext {
        ux_initiated: Some(true),
        hw_dev_id: Some(HW_DEV_ID.into()),
        locale: Some("en-US".into()),
        targeted_user_logged_in: Some(true),
        os_edition: Some(101),
        device_name: Some("EXAMPLE-PC-01".into()),
        mac: vec!["00-00-5E-00-53-01".into(), "00-00-5E-00-53-02".into()],
        device_id: Some(DEVICE_ID.into()),
        enrollment_type: Some(EnrollmentType::Full),
        device_type: Some("CIMClient_Windows".into()),
        os_version: Some("10.0.22621.3155".parse().unwrap()),
        application_version: Some("10.0.22621.3155".parse().unwrap()),
        not_in_oobe: Some(true),
        request_version: Some("6.0".parse().unwrap()),
        ..AdditionalContext::default()
    }
}

#[test]
fn vector_05_request_security_token() {
    let to = "https://mdm.example.com/EnrollmentServer/Enrollment.svc";
    for (octets, number, security) in
        [(vectors::ISSUE_USERNAME, 4, username("{{PASSWORD}}")), (vectors::ISSUE_FEDERATED, 5, token())]
    {
        let received = request(octets, Action::RequestSecurityToken);
        let decoded = RequestSecurityToken::decode(received.body().unwrap()).unwrap();
        assert_eq!(decoded.context, context());
        let CertificateRequest::Issue(pkcs10) = &decoded.request else { panic!("{:?}", decoded.request) };
        // The subject is as odd as Windows writes it; the request's own signature holds.
        let csr = decode_request(pkcs10, false).unwrap();
        assert!(csr.content.subject.to_string().contains(DEVICE_ID), "{}", csr.content.subject);
        let ours = header(Action::RequestSecurityToken, number, to, security).encode(decoded.encode()).unwrap();
        assert_same(ours.expose().as_bytes(), octets);
    }
}

#[test]
fn vector_06_response_carries_vector_07a() {
    let received = response(vectors::ISSUE_RESPONSE, Action::RequestSecurityToken, 4);
    let decoded = RequestSecurityTokenResponse::decode(&received.body).unwrap();
    assert_eq!(decoded.request_id, "0");
    assert_same(decoded.provisioning_document.expose(), vectors::DOCUMENT_USER);
    let minutes = |minutes: i64| Timestamp::from_secs(1_767_258_000 + 60 * minutes);
    let lifetime = Lifetime { created: minutes(-5), expires: minutes(5) };
    assert_eq!(received.header.timestamp, Some(lifetime));
    let header = ResponseHeader { timestamp: Some(lifetime), ..response_header(Action::RequestSecurityToken, 4) };
    assert_same(header.encode(decoded.encode()).unwrap().as_bytes(), vectors::ISSUE_RESPONSE);
}

#[test]
fn vectors_11_to_13_faults() {
    let authentication = Fault::new(Subcode::Authentication, "The user name or password is not valid.");
    let mut cap = Fault::new(Subcode::Authorization, "This user cannot enroll another device.")
        .with_detail(ErrorType::DeviceCapReached, "00000000-0000-4000-8000-0000000000aa");
    let mut not_eligible = Fault::new(Subcode::CertificateRequest, "The certificate cannot be renewed now.")
        .with_detail(ErrorType::NotEligibleToRenew, "00000000-0000-4000-8000-0000000000ab");
    cap.detail.as_mut().unwrap().message = "Device limit reached for this user.".into();
    not_eligible.detail.as_mut().unwrap().message = "Renewal opens 42 days before expiry.".into();
    for (octets, number, fault, hresult) in [
        (vectors::FAULT_AUTHENTICATION, 4, authentication, 0x8018_0002),
        (vectors::FAULT_DEVICE_CAP, 4, cap, 0x8018_0013),
        (vectors::FAULT_NOT_ELIGIBLE, 7, not_eligible, 0x8018_0016),
    ] {
        match Answer::decode(octets, Action::RequestSecurityToken, &id(number)).unwrap() {
            Answer::Fault(received) => assert_eq!(received, fault),
            Answer::Response(_) => panic!("no fault"),
        }
        assert_eq!(fault.hresult(), Hresult(hresult));
        let ours = fault.encode_with(&response_header(Action::RequestSecurityToken, number)).unwrap();
        assert_same(ours.as_bytes(), octets);
    }
}

#[test]
fn vector_02c_last_page_of_a_sign_in() {
    let appru = "ms-app://s-1-15-2-1/x?a=1&b=2";
    let token = SecretText::new("a\"><b>&'token".into());
    let page = sign_in::final_page(appru, &token).unwrap();
    let vector = std::str::from_utf8(vectors::FINAL_PAGE).unwrap();
    let vector = vector.replace("{{APPRU}}", "ms-app://s-1-15-2-1/x?a=1&amp;b=2");
    let vector = vector.replace("{{WRESULT_HTML_ESCAPED}}", "a&quot;&gt;&lt;b&gt;&amp;&#39;token");
    assert_same(page.expose().as_bytes(), vector.as_bytes());
    for page in [page.expose(), vector.as_str()] {
        assert_eq!(sign_in::decode_final_page(page.as_bytes(), appru).unwrap().expose(), token.expose());
        assert_eq!(sign_in::decode_final_page(page.as_bytes(), "ms-app://other").unwrap_err().code(), "mdm.value");
    }
    for other in ["https://evil.example/", "javascript:alert(1)", "ms-app://", "ms-app://a b", "ms-appx://x", "", "ü"] {
        assert!(!sign_in::is_acceptable_appru(other) && sign_in::final_page(other, &token).is_err(), "{other}");
    }
    let url = sign_in::authentication_url("https://mdm.example.com/Auth?v=1#top", appru, "alex@example.com");
    assert_eq!(
        url,
        "https://mdm.example.com/Auth?v=1&appru=ms-app%3A%2F%2Fs-1-15-2-1%2Fx%3Fa%3D1%26b%3D2&login_hint=alex%40example.com#top"
    );
}

/// A request as Windows makes it: `!` in a PrintableString, a NUL at its end, and the device's id with a NUL in an extension of its own.
#[test]
fn requests_with_the_subjects_of_windows_are_read() {
    use lanyard_model::key::KeyKind;
    use lanyard_pki::{
        crypto::software::{SoftwareSigner, generate},
        key::Signer,
        signature::SignatureAlgorithm,
        tlv::tag,
        write,
    };
    let key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).unwrap()).unwrap();
    let text = format!("11111111-2222-4333-8444-555555!{DEVICE_ID}\0");
    for string in [tag::PRINTABLE_STRING, tag::UTF8_STRING] {
        let value = write::element(string, text.as_bytes());
        let attribute = write::sequence(&[write::oid("2.5.4.3".parse().unwrap()), value]);
        let subject = write::sequence(&[write::set_of(vec![attribute])]);
        let info = write::sequence(&[
            write::integer(0),
            subject,
            key.public_key().spki.clone(),
            write::constructed::<Vec<u8>>(tag::context(0), &[]),
        ]);
        let algorithm = SignatureAlgorithm::natural(KeyKind::EcP256);
        let signature = key.sign(algorithm, &info).unwrap();
        let pkcs10 = lanyard_pki::certificate::encode::assemble(&info, algorithm, &signature);
        let read = decode_request(&pkcs10, false);
        assert!(read.is_ok(), "{read:?}");
    }
}
