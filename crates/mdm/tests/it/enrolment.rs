//! Discovery, policy, first request, and faults.

use lanyard_mdm::{
    discovery::{AuthPolicy, Discover, DiscoverResult},
    error::MdmError,
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

const USER: &str = "alex@example.com";
const TOKEN: &[u8] = b"opaque-token-issued-by-the-example-sts-0001";
const DEVICE_ID: &str = "A0B1C2D3E4F5061728394A5B6C7D8E9F";
const HW_DEV_ID: &str = "6F5FAFC7E9C2286383A2FB79750B4C0522966E55EC6578039680E3085605B851";

fn id(number: u32) -> String {
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

fn token() -> Security {
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

fn context() -> AdditionalContext {
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
fn every_fault_survives_and_has_the_hresult_of_its_table() {
    use {ErrorType as E, Subcode as S};
    let subcodes = [
        (S::MessageFormat, 1),
        (S::Authentication, 2),
        (S::Authorization, 3),
        (S::CertificateRequest, 4),
        (S::EnrollmentServer, 5),
        (S::InternalServiceFault, 6),
        (S::InvalidSecurity, 7),
        (S::ActionMismatch, 8),
        (S::EndpointUnavailable, 8),
    ];
    let details = [
        (E::DeviceCapReached, 0x13),
        (E::DeviceNotSupported, 0x14),
        (E::NotSupported, 0x15),
        (E::NotEligibleToRenew, 0x16),
        (E::InMaintenance, 0x17),
        (E::UserLicense, 0x18),
        (E::InvalidEnrollmentData, 0x19),
        (E::CustomServerError, 0x32),
    ];
    let plain = subcodes.map(|(subcode, low)| (Fault::new(subcode, "No <&>."), low));
    let detailed = details.map(|(kind, low)| (Fault::new(S::Authorization, "No.").with_detail(kind, "trace"), low));
    for (fault, low) in plain.into_iter().chain(detailed) {
        assert_eq!(fault.hresult(), Hresult(0x8018_0000 + low), "{fault:?}");
        let text = fault.encode(Action::Discover, Some("urn:uuid:1")).unwrap();
        let Answer::Fault(received) = Answer::decode(text.as_bytes(), Action::Discover, "urn:uuid:1").unwrap() else {
            panic!("{text}");
        };
        assert_eq!(received, fault, "{text}");
    }
    let text = Fault::new(S::InternalServiceFault, "").encode(Action::Discover, None).unwrap();
    let declared =
        "xmlns:a=\"http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher\">a:InternalServiceFault<";
    assert!(text.contains(declared), "{text}");
    // As other servers write it.
    let lower = text.replace("s:Receiver", "s:receiver").replace("a:InternalServiceFault", "s:internalservicefault");
    let Answer::Fault(received) = Answer::decode(lower.as_bytes(), Action::Discover, "urn:uuid:1").unwrap() else { panic!() };
    assert_eq!(received.subcode, S::InternalServiceFault);
    let unknown = text.replace("a:InternalServiceFault", "s:Sunday");
    let Answer::Fault(received) = Answer::decode(unknown.as_bytes(), Action::Discover, "urn:uuid:1").unwrap() else { panic!() };
    assert_eq!(received.hresult(), Hresult::DEVICE_UNKNOWN_ERROR);
}

fn altered(octets: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(octets).unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to).into_bytes()
}

#[test]
fn requests_that_cannot_be_understood_tell_which_they_were() {
    let rejected = |octets: &[u8]| Request::decode(octets, Action::GetPolicies).unwrap_err();
    let other = rejected(vectors::DISCOVER);
    assert!(matches!(other.error, MdmError::Action(_)));
    assert_eq!((other.message_id.clone(), other.fault().subcode), (Some(id(1)), Subcode::ActionMismatch));
    let base = vectors::GET_POLICIES_USERNAME;
    let strange = altered(base, "<wsse:Security", "<x:Other xmlns:x='u:x' s:mustUnderstand='1'/><wsse:Security");
    assert_eq!(rejected(&strange).error.code(), "mdm.must-understand");
    let twice = altered(base, "</a:Action>", "</a:Action><a:Action>x</a:Action>");
    assert_eq!(rejected(&twice).error.code(), "mdm.repeated");
    let elsewhere = altered(base, "addressing/anonymous", "addressing/none");
    assert_eq!(rejected(&elsewhere).error.code(), "mdm.value");
    let digest = altered(base, "#PasswordText", "#PasswordDigest");
    assert_eq!(rejected(&digest).fault().subcode, Subcode::InvalidSecurity);
    let two_bodies = altered(base, "</s:Body>", "<x/></s:Body>");
    assert_eq!(rejected(&two_bodies).error.code(), "mdm.repeated");
    let soap_11 = altered(base, "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/");
    assert_eq!(rejected(&soap_11).fault().subcode, Subcode::MessageFormat);
    assert_eq!(rejected(b"<").message_id, None);
    let nameless = altered(base, "<a:MessageID>urn:uuid:00000000-0000-4000-8000-000000000002</a:MessageID>", "");
    assert_eq!(rejected(&nameless).error.code(), "mdm.missing");
    // A header that need not be understood is none of our business.
    let optional = altered(base, "<wsse:Security", "<x:Other xmlns:x='u:x'/><wsse:Security");
    Request::decode(&optional, Action::GetPolicies).unwrap();
}

#[test]
fn credentials_are_one_or_none() {
    let both = Security { token: token().token, ..username("secret") };
    assert_eq!(both.credential().unwrap_err().code(), "mdm.security");
    assert!(matches!(username("").credential(), Ok(Credential::Username(USER))));
    for kind in ["wsse:Type", "Type", "u:Type"] {
        let octets = altered(vectors::GET_POLICIES_USERNAME, "wsse:Type", kind);
        assert!(matches!(request(&octets, Action::GetPolicies).header.security.credential(), Ok(Credential::Password { .. })));
    }
    // White space belongs to the password, and nothing of it is printed.
    let octets = altered(vectors::GET_POLICIES_USERNAME, "{{PASSWORD}}", " hunter 2\t");
    let received = request(&octets, Action::GetPolicies);
    assert_eq!(received.header.security.username.as_ref().unwrap().password.expose(), " hunter 2\t");
    assert!(!format!("{received:?}").contains("hunter"));
    let received = request(vectors::GET_POLICIES_FEDERATED, Action::GetPolicies);
    assert!(!format!("{received:?}").contains("b3BhcXVl"));
}

#[test]
fn discovery_is_lenient_where_clients_differ() {
    let quirks = altered(vectors::DISCOVER, "2012/01/enrollment\"", "2012/01/enrollment/\"");
    let quirks = altered(&quirks, "<AuthPolicy>OnPremise</AuthPolicy>", "");
    let quirks = altered(&quirks, "<AuthPolicy>Federated</AuthPolicy>", "Certificate");
    let discover = Discover::decode(request(&quirks, Action::Discover).body().unwrap()).unwrap();
    assert_eq!(discover.auth_policies, [AuthPolicy::Certificate]);
    let unknown = altered(vectors::DISCOVER, ">Federated<", ">Telepathy<");
    let discover = Discover::decode(request(&unknown, Action::Discover).body().unwrap()).unwrap();
    assert_eq!(discover.auth_policies, [AuthPolicy::OnPremise]);
}

#[test]
fn device_refuses_answers_that_are_none() {
    let decode = |octets: &[u8]| {
        let answer = Answer::decode(octets, Action::Discover, &id(1));
        answer.and_then(|answer| match answer {
            Answer::Response(response) => DiscoverResult::decode(&response.body),
            Answer::Fault(_) => panic!(),
        })
    };
    decode(vectors::DISCOVER_FEDERATED).unwrap();
    let base = vectors::DISCOVER_FEDERATED;
    assert_eq!(
        decode(&altered(base, "000000000001</a:RelatesTo>", "000000000009</a:RelatesTo>")).unwrap_err(),
        MdmError::Unrelated
    );
    assert_eq!(decode(vectors::GET_POLICIES_RESPONSE).unwrap_err(), MdmError::Unrelated);
    assert_eq!(decode(&altered(base, "https://mdm", "http://mdm")).unwrap_err().code(), "mdm.value");
    assert_eq!(
        decode(&altered(base, "IDiscoveryService/DiscoverResponse", "IDiscoveryService/Discover")).unwrap_err().code(),
        "mdm.action"
    );
    let without =
        altered(base, "<AuthenticationServiceUrl>https://mdm.example.com/EnrollmentServer/Auth</AuthenticationServiceUrl>", "");
    assert_eq!(decode(&without).unwrap_err().code(), "mdm.missing");
}

#[test]
fn context_items_that_identify_the_device_come_once() {
    let again = |name: &str, value: &str| {
        let item =
            format!("<ac:ContextItem Name=\"{name}\"><ac:Value>{value}</ac:Value></ac:ContextItem></ac:AdditionalContext>");
        let octets = altered(vectors::ISSUE_USERNAME, "</ac:AdditionalContext>", &item);
        RequestSecurityToken::decode(request(&octets, Action::RequestSecurityToken).body().unwrap()).map(|one| one.context)
    };
    assert_eq!(again("DeviceID", DEVICE_ID).unwrap(), context());
    assert_eq!(again("DeviceID", "00").unwrap_err().code(), "mdm.repeated");
    assert_eq!(again("Locale", "de-DE").unwrap().others, [("Locale".to_owned(), "de-DE".to_owned())]);
    assert_eq!(again("Flavour", "vanilla").unwrap().others, [("Flavour".to_owned(), "vanilla".to_owned())]);
    assert_eq!(again("MAC", "00-00-5E-00-53-03").unwrap().mac.len(), 3);
}
