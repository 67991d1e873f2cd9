//! Namespaces, and the prefixes that Windows and the documented samples give them.

use crate::xml::Prefixes;

/// SOAP 1.2, prefix `s`.
pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing 1.0, prefix `a`.
pub const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
/// WS-Security utility, prefix `u`.
pub const UTILITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// WS-Security extensions, prefix `wsse` or `o`.
pub const SECURITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// WS-Trust 1.3, prefix `wst`.
pub const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
/// Authorization context, prefix `ac`.
pub const AUTHORIZATION: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";
/// Bodies of the discovery service.
pub const DISCOVERY: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
/// Bodies of the policy service.
pub const POLICY: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
/// What MS-WSTEP adds to WS-Trust.
pub const WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
/// The ActivityId header.
pub const DIAGNOSTICS: &str = "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics";
/// Subcodes of the dispatcher.
pub const DISPATCHER: &str = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher";
/// XML signatures.
pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalisation, which is also its algorithm.
pub const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// `xml:lang`.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Namespace declarations written as attributes.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// `xsi:nil`.
pub const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// EncodingType of every BinarySecurityToken.
pub const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary";

/// What the root of a request declares.
pub const REQUEST_PREFIXES: Prefixes<'static> = &[
    ("s", SOAP),
    ("a", ADDRESSING),
    ("u", UTILITY),
    ("wsse", SECURITY),
    ("wst", TRUST),
    ("ac", AUTHORIZATION),
    ("xsi", INSTANCE),
];

/// What the root of a response declares. The bodies stand in default namespaces, as those of the samples do.
pub const RESPONSE_PREFIXES: Prefixes<'static> = &[("s", SOAP), ("a", ADDRESSING), ("u", UTILITY), ("xsi", INSTANCE)];
