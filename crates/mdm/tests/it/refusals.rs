//! What is refused, how it is told, and where the decoders are lenient on purpose.

use lanyard_mdm::{
    discovery::{AuthPolicy, Discover, DiscoverResult},
    error::MdmError,
    hresult::Hresult,
    soap::{Action, Answer, Credential, ErrorType, Fault, Request, Security, Subcode, UsernameToken},
    wstep::{AdditionalContext, EnrollmentType, RequestSecurityToken},
};
use lanyard_model::secret::SecretText;
use proptest::prelude::*;

use crate::{
    enrolment::{DEVICE_ID, USER, context, header, id, request, token, username},
    vectors,
};

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

#[test]
fn a_name_without_password_is_a_claim_and_neither_of_them_is_nothing() {
    let of = |username: &str, password: &str| Security {
        username: Some(UsernameToken { username: username.into(), password: SecretText::new(password.into()) }),
        ..Security::default()
    };
    assert!(matches!(of("", "").credential(), Ok(Credential::None)));
    assert_eq!(of("", "secret").credential().unwrap_err().code(), "mdm.security");
    let nameless = header(Action::Discover, 1, "", of("", "")).encode(lanyard_mdm::xml::Element::new("", "x")).unwrap();
    let received = request(nameless.expose().as_bytes(), Action::Discover);
    assert!(matches!(received.header.security.credential(), Ok(Credential::None)));
}

fn item() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[!-~äß€][ -~äß€]{0,10}[!-~]")
}

prop_compose! {
    fn any_context()(
        flags in any::<[Option<bool>; 3]>(), texts in prop::array::uniform8(item()), os_edition: Option<u32>,
        mac in prop::collection::vec("[0-9A-F-]{1,17}", 0..4), imei in prop::collection::vec("[0-9]{15}", 0..3),
        kind in prop::option::of(any::<bool>()), version in prop::option::of((any::<u32>(), any::<u32>())),
    ) -> AdditionalContext {
        let [ux_initiated, targeted_user_logged_in, not_in_oobe] = flags;
        let [hw_dev_id, locale, device_name, device_id, device_type, enrollment_data, manufacturer, serial_number] = texts;
        let version = version.map(|(major, minor)| lanyard_mdm::version::Version::of(major, minor));
        AdditionalContext {
            ux_initiated, hw_dev_id, locale, targeted_user_logged_in, os_edition, device_name, mac, imei, device_id,
            enrollment_type: kind.map(|full| if full { EnrollmentType::Full } else { EnrollmentType::Device }),
            device_type, os_version: version.clone(), application_version: version.clone(), not_in_oobe, request_version: version,
            enrollment_data, manufacturer, device_model: None, serial_number, os_platform: None,
            others: vec![("Flavour".to_owned(), "vanilla".to_owned())],
        }
    }
}

proptest! {
    #[test]
    fn requests_survive_both_directions(context in any_context(), der in prop::collection::vec(any::<u8>(), 1..80), kind in 0..3) {
        use lanyard_mdm::wstep::CertificateRequest;
        // A PKCS#7 is a SEQUENCE, which is what tells how often it was encoded.
        let sequence = [vec![0x30], der].concat();
        let certificate_request = match kind {
            0 => CertificateRequest::Issue(sequence),
            twice => CertificateRequest::Renew { pkcs7: sequence, is_twice_encoded: twice == 2 },
        };
        let sent = RequestSecurityToken { request: certificate_request, context };
        let message = header(Action::RequestSecurityToken, 1, "https://mdm.example.com/", token()).encode(sent.encode()).unwrap();
        let received = request(message.expose().as_bytes(), Action::RequestSecurityToken);
        prop_assert_eq!(RequestSecurityToken::decode(received.body().unwrap()).unwrap(), sent);
    }
}
