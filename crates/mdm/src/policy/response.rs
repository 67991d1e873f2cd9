//! The answer.

use lanyard_model::oid::Oid;

use crate::{error::MdmError, soap::namespace::POLICY, xml::Element};

/// Group of hash algorithms (MS-XCEP, section 3.1.4.1.3.16).
pub const OID_GROUP_HASH: u32 = 1;
/// Group of public-key algorithms.
pub const OID_GROUP_KEY: u32 = 3;
/// Group of enrolment objects (templates).
pub const OID_GROUP_TEMPLATE: u32 = 9;

/// Version of the schema; Windows MDM knows no other.
const SCHEMA: &str = "3";

/// `GetPoliciesResponse` (MS-XCEP, section 3.1.4.1.1.2). The elements that Windows MDM wants nil (`cAs`, requirements, archival and
/// extensions among them) have no fields: they are written nil and passed over when read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPoliciesResponse {
    /// Names this answer.
    pub policy_id: String,
    /// Shown to people; Windows MDM passes it over.
    pub policy_friendly_name: Option<String>,
    /// When to ask again; Windows MDM passes it over.
    pub next_update_hours: Option<u32>,
    /// Whether nothing changed since lastUpdate.
    pub policies_not_changed: Option<bool>,
    /// The policies; Windows MDM takes the first.
    pub policies: Vec<CertificateEnrollmentPolicy>,
    /// The object identifiers that policies refer to by number.
    pub oids: Vec<PolicyOid>,
}

/// `policy` (MS-XCEP, section 3.1.4.1.3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnrollmentPolicy {
    /// oIDReferenceID of the template.
    pub policy_oid_reference: u32,
    /// Name of the template.
    pub common_name: Option<String>,
    /// Life of a certificate in seconds; the certificate itself decides.
    pub validity_period_seconds: u64,
    /// How long before its end renewal begins, in seconds; the provisioning document decides.
    pub renewal_period_seconds: u64,
    /// Whether the client may enrol.
    pub enroll: bool,
    /// Whether it may without being told to.
    pub auto_enroll: bool,
    /// Least bits of the key; the client makes exactly as many.
    pub minimal_key_length: u32,
    /// 1 for key exchange, 2 for signatures; nil with a key storage provider.
    pub key_spec: Option<u32>,
    /// keyUsageProperty.
    pub key_usage_property: Option<u32>,
    /// Access rights of the key (SDDL).
    pub permissions: Option<String>,
    /// oIDReferenceID of the key's algorithm.
    pub algorithm_oid_reference: Option<u32>,
    /// Key storage providers in order of preference.
    pub crypto_providers: Vec<String>,
    /// Version of the template: major and minor.
    pub revision: (u32, u32),
    /// privateKeyFlags.
    pub private_key_flags: Option<u32>,
    /// subjectNameFlags.
    pub subject_name_flags: Option<u32>,
    /// enrollmentFlags.
    pub enrollment_flags: Option<u32>,
    /// generalFlags.
    pub general_flags: Option<u32>,
    /// oIDReferenceID of the hash with which the request is signed.
    pub hash_algorithm_oid_reference: Option<u32>,
}

/// `oID` (MS-XCEP, section 3.1.4.1.3.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOid {
    /// The identifier.
    pub value: Oid,
    /// What it is of: [`OID_GROUP_HASH`] and so on.
    pub group: u32,
    /// The number by which policies refer to it.
    pub reference: u32,
    /// Its name.
    pub default_name: Option<String>,
}

impl GetPoliciesResponse {
    /// What a reference points at. Servers do not agree on groups, so only the number counts.
    #[must_use]
    pub fn oid(&self, reference: u32) -> Option<Oid> {
        self.oids.iter().find(|oid| oid.reference == reference).map(|oid| oid.value)
    }

    /// Reads the body of a response.
    ///
    /// # Errors
    /// [`MdmError::Missing`], [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        if !body.is(POLICY, "GetPoliciesResponse") {
            return Err(body.wrong("is not GetPoliciesResponse"));
        }
        let response = body.require(POLICY, "response")?;
        let policies = match response.find(POLICY, "policies")? {
            Some(policies) => {
                policies.all(POLICY, "policy").map(CertificateEnrollmentPolicy::decode).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        let oids = match body.find(POLICY, "oIDs")? {
            Some(oids) => oids.all(POLICY, "oID").map(PolicyOid::decode).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self {
            policy_id: response.require_text(POLICY, "policyID")?,
            policy_friendly_name: response.find_text(POLICY, "policyFriendlyName")?,
            next_update_hours: value(response, "nextUpdateHours")?,
            policies_not_changed: value(response, "policiesNotChanged")?,
            policies,
            oids,
        })
    }

    /// The body of a response.
    #[must_use]
    pub fn encode(&self) -> Element {
        let policies = self.policies.iter().map(CertificateEnrollmentPolicy::encode);
        let response = Element::new(POLICY, "response")
            .leaf("policyID", &*self.policy_id)
            .leaf_or_nil("policyFriendlyName", self.policy_friendly_name.clone())
            .leaf_or_nil("nextUpdateHours", text(self.next_update_hours))
            .leaf_or_nil("policiesNotChanged", text(self.policies_not_changed))
            .child(Element::new(POLICY, "policies").children_of(policies));
        let oids = Element::new(POLICY, "oIDs").children_of(self.oids.iter().map(PolicyOid::encode));
        Element::new(POLICY, "GetPoliciesResponse").child(response).nil("cAs").child(oids)
    }
}

impl CertificateEnrollmentPolicy {
    fn decode(policy: &Element) -> Result<Self, MdmError> {
        let attributes = policy.require(POLICY, "attributes")?;
        if attributes.require_text(POLICY, "policySchema")? != SCHEMA {
            return Err(attributes.require(POLICY, "policySchema")?.wrong("is not 3"));
        }
        let validity = attributes.require(POLICY, "certificateValidity")?;
        let permission = attributes.require(POLICY, "permission")?;
        let key = attributes.require(POLICY, "privateKeyAttributes")?;
        let revision = attributes.find(POLICY, "revision")?;
        let revised = |name| Ok::<u32, MdmError>(revision.map(|one| value(one, name)).transpose()?.flatten().unwrap_or(0));
        let mut crypto_providers = Vec::new();
        if let Some(providers) = key.find(POLICY, "cryptoProviders")? {
            for provider in providers.all(POLICY, "provider") {
                crypto_providers.push(provider.simple_text()?.to_owned());
            }
        }
        Ok(Self {
            policy_oid_reference: required(policy, "policyOIDReference")?,
            common_name: attributes.find_text(POLICY, "commonName")?,
            validity_period_seconds: required(validity, "validityPeriodSeconds")?,
            renewal_period_seconds: required(validity, "renewalPeriodSeconds")?,
            enroll: required(permission, "enroll")?,
            auto_enroll: required(permission, "autoEnroll")?,
            minimal_key_length: required(key, "minimalKeyLength")?,
            key_spec: value(key, "keySpec")?,
            key_usage_property: value(key, "keyUsageProperty")?,
            permissions: key.find_text(POLICY, "permissions")?,
            algorithm_oid_reference: value(key, "algorithmOIDReference")?,
            crypto_providers,
            revision: (revised("majorRevision")?, revised("minorRevision")?),
            private_key_flags: value(attributes, "privateKeyFlags")?,
            subject_name_flags: value(attributes, "subjectNameFlags")?,
            enrollment_flags: value(attributes, "enrollmentFlags")?,
            general_flags: value(attributes, "generalFlags")?,
            hash_algorithm_oid_reference: value(attributes, "hashAlgorithmOIDReference")?,
        })
    }

    fn encode(&self) -> Element {
        let new = |name: &'static str| Element::new(POLICY, name);
        let providers = new("cryptoProviders");
        let providers = self.crypto_providers.iter().fold(providers, |providers, one| providers.leaf("provider", &**one));
        let key = new("privateKeyAttributes")
            .leaf("minimalKeyLength", self.minimal_key_length.to_string())
            .leaf_or_nil("keySpec", text(self.key_spec))
            .leaf_or_nil("keyUsageProperty", text(self.key_usage_property))
            .leaf_or_nil("permissions", self.permissions.clone())
            .leaf_or_nil("algorithmOIDReference", text(self.algorithm_oid_reference));
        let key = if self.crypto_providers.is_empty() { key.nil("cryptoProviders") } else { key.child(providers) };
        let mut attributes = new("attributes");
        if let Some(name) = &self.common_name {
            attributes = attributes.leaf("commonName", &**name);
        }
        let attributes = attributes
            .leaf("policySchema", SCHEMA)
            .child(
                new("certificateValidity")
                    .leaf("validityPeriodSeconds", self.validity_period_seconds.to_string())
                    .leaf("renewalPeriodSeconds", self.renewal_period_seconds.to_string()),
            )
            .child(new("permission").leaf("enroll", self.enroll.to_string()).leaf("autoEnroll", self.auto_enroll.to_string()))
            .child(key)
            .child(
                new("revision")
                    .leaf("majorRevision", self.revision.0.to_string())
                    .leaf("minorRevision", self.revision.1.to_string()),
            )
            .nil("supersededPolicies")
            .leaf_or_nil("privateKeyFlags", text(self.private_key_flags))
            .leaf_or_nil("subjectNameFlags", text(self.subject_name_flags))
            .leaf_or_nil("enrollmentFlags", text(self.enrollment_flags))
            .leaf_or_nil("generalFlags", text(self.general_flags))
            .leaf_or_nil("hashAlgorithmOIDReference", text(self.hash_algorithm_oid_reference))
            .nil("rARequirements")
            .nil("keyArchivalAttributes")
            .nil("extensions");
        new("policy").leaf("policyOIDReference", self.policy_oid_reference.to_string()).nil("cAs").child(attributes)
    }
}

impl PolicyOid {
    fn decode(oid: &Element) -> Result<Self, MdmError> {
        let value = oid.require(POLICY, "value")?;
        Ok(Self {
            value: value.simple_text()?.parse().map_err(|_| value.wrong("is no object identifier"))?,
            group: required(oid, "group")?,
            reference: required(oid, "oIDReferenceID")?,
            default_name: oid.find_text(POLICY, "defaultName")?,
        })
    }

    fn encode(&self) -> Element {
        Element::new(POLICY, "oID")
            .leaf("value", self.value.to_string())
            .leaf("group", self.group.to_string())
            .leaf("oIDReferenceID", self.reference.to_string())
            .leaf_or_nil("defaultName", self.default_name.clone())
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn value<T: std::str::FromStr>(parent: &Element, name: &'static str) -> Result<Option<T>, MdmError> {
    match parent.find_text(POLICY, name)? {
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(parent.require(POLICY, name)?.wrong("is no value of its type")),
        },
        None => Ok(None),
    }
}

fn required<T: std::str::FromStr>(parent: &Element, name: &'static str) -> Result<T, MdmError> {
    value(parent, name)?.ok_or_else(|| MdmError::Missing { path: parent.path(name), at: parent.at })
}
