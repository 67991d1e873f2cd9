//! `CertificateStore`: roots, intermediates, the issued certificate, and how it is renewed.

use lanyard_pki::{certificate::Certificate, crypto::digest::sha1};

use super::tree::{Characteristic, Datatype};
use crate::{error::MdmError, soap::base64, wstep::EnrollmentType};

/// `CertificateStore`.
#[derive(Debug, Clone)]
pub struct CertificateStore {
    /// `Root/System`. Needed unless the server's TLS certificate chains to a root that everybody has; documented for one.
    pub roots: Vec<Certificate>,
    /// `CA/System`; documented for one.
    pub intermediates: Vec<Certificate>,
    /// `My`.
    pub client: ClientCertificate,
    /// `My/WSTEP/Renew`; absent when the server does not renew.
    pub renew: Option<Renew>,
}

/// The issued certificate.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// Where it goes.
    pub store: Store,
    /// The certificate.
    pub certificate: Certificate,
    /// The key made for the request.
    pub container: PrivateKeyContainer,
}

/// Part of the store `My`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Store {
    /// Of the user.
    User,
    /// Of the device.
    System,
}

impl Store {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::System => "System",
        }
    }
}

impl From<EnrollmentType> for Store {
    fn from(kind: EnrollmentType) -> Self {
        match kind {
            EnrollmentType::Full => Self::User,
            EnrollmentType::Device => Self::System,
        }
    }
}

/// `PrivateKeyContainer`: ties the certificate to the key of the request. Usually empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateKeyContainer {
    /// KeySpec: 2 for signatures.
    pub key_spec: Option<u32>,
    /// ContainerName.
    pub container_name: Option<String>,
    /// ProviderType: 1.
    pub provider_type: Option<u32>,
}

/// `My/WSTEP/Renew`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renew {
    /// Whether the server renews without the user (ROBOSupport).
    pub robo_support: bool,
    /// Days before the end of the certificate when renewal begins, 1 to 1000; 40 to 60 are recommended.
    pub renew_period: u32,
    /// Days between two tries, 1 to 1000 and not above `renew_period`; 4 or 5 are recommended.
    pub retry_interval: u32,
    /// Discovery URL for renewals; absent for the one used at enrolment.
    pub server_url: Option<String>,
}

/// SHA-1 of the DER in upper-case hexadecimal, the name of a certificate in the store.
#[must_use]
pub fn thumbprint(certificate: &Certificate) -> String {
    sha1(certificate.der()).iter().map(|octet| format!("{octet:02X}")).collect()
}

impl CertificateStore {
    pub(super) fn encode(&self) -> Characteristic {
        let mut store = Characteristic::new("CertificateStore");
        for (name, certificates) in [("Root", &self.roots), ("CA", &self.intermediates)] {
            if !certificates.is_empty() {
                let system =
                    certificates.iter().map(encode_certificate).fold(Characteristic::new("System"), Characteristic::child);
                store = store.child(Characteristic::new(name).child(system));
            }
        }
        let client = Characteristic::new(self.client.store.name())
            .child(encode_certificate(&self.client.certificate))
            .child(self.client.container.encode());
        let mut my = Characteristic::new("My").child(client);
        if let Some(renew) = &self.renew {
            my = my.child(Characteristic::new("WSTEP").child(renew.encode()));
        }
        store.child(my)
    }

    /// Reads it. Each certificate must lie under its own thumbprint, and there must be one of the client with its container.
    pub(super) fn decode(store: &Characteristic) -> Result<Self, MdmError> {
        let system = |name| match store.find(name).and_then(|one| one.find("System")) {
            Some(system) => system.children.iter().map(decode_certificate).collect::<Result<Vec<_>, _>>(),
            None => Ok(Vec::new()),
        };
        let my = store.find("My").ok_or(MdmError::Provisioning("it has no certificate of the client"))?;
        let clients: Vec<ClientCertificate> = [Store::User, Store::System]
            .into_iter()
            .filter_map(|place| my.find(place.name()).map(|found| ClientCertificate::decode(place, found)))
            .collect::<Result<_, _>>()?;
        let [client] = <[_; 1]>::try_from(clients)
            .map_err(|_| MdmError::Provisioning("it has not exactly one place for the client's certificate"))?;
        let renew = my.find("WSTEP").and_then(|wstep| wstep.find("Renew")).map(Renew::decode).transpose()?;
        Ok(Self { roots: system("Root")?, intermediates: system("CA")?, client, renew })
    }
}

fn encode_certificate(certificate: &Certificate) -> Characteristic {
    Characteristic::new(thumbprint(certificate)).parm("EncodedCertificate", base64::encode(certificate.der()))
}

fn decode_certificate(node: &Characteristic) -> Result<Certificate, MdmError> {
    let text = node.value("EncodedCertificate").ok_or(MdmError::Provisioning("a certificate is missing"))?;
    let certificate = base64::decode(text)
        .and_then(|der| Certificate::decode(&der).ok())
        .ok_or(MdmError::Provisioning("a certificate cannot be read"))?;
    if node.kind.eq_ignore_ascii_case(&thumbprint(&certificate)) {
        Ok(certificate)
    } else {
        Err(MdmError::Provisioning("a certificate lies under another's thumbprint"))
    }
}

impl ClientCertificate {
    fn decode(store: Store, node: &Characteristic) -> Result<Self, MdmError> {
        const CONTAINER: &str = "PrivateKeyContainer";
        let mut certificates = node.children.iter().filter(|child| !child.kind.eq_ignore_ascii_case(CONTAINER));
        let (Some(certificate), None) = (certificates.next(), certificates.next()) else {
            return Err(MdmError::Provisioning("it has not exactly one certificate of the client"));
        };
        // QUIRK(documentation of renewal): the container stands within the certificate's node instead of beside it.
        let container = node.find(CONTAINER).or_else(|| certificate.find(CONTAINER));
        let container = container.ok_or(MdmError::Provisioning("the client's certificate has no PrivateKeyContainer"))?;
        Ok(Self { store, certificate: decode_certificate(certificate)?, container: PrivateKeyContainer::decode(container)? })
    }
}

impl PrivateKeyContainer {
    fn encode(&self) -> Characteristic {
        let mut node = Characteristic::new("PrivateKeyContainer");
        if let Some(key_spec) = self.key_spec {
            node = node.parm("KeySpec", key_spec.to_string());
        }
        if let Some(name) = &self.container_name {
            node = node.parm("ContainerName", &**name);
        }
        if let Some(provider_type) = self.provider_type {
            node = node.parm("ProviderType", provider_type.to_string());
        }
        node
    }

    fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        Ok(Self {
            key_spec: node.parsed("KeySpec")?,
            container_name: node.value("ContainerName").map(str::to_owned),
            provider_type: node.parsed("ProviderType")?,
        })
    }
}

impl Renew {
    fn encode(&self) -> Characteristic {
        Characteristic::new("Renew")
            .typed("ROBOSupport", Some(self.robo_support), Datatype::Boolean)
            .typed("RenewPeriod", Some(self.renew_period), Datatype::Integer)
            .typed("RetryInterval", Some(self.retry_interval), Datatype::Integer)
            .typed("ServerURL", self.server_url.as_ref(), Datatype::String)
    }

    /// Reads it; what is missing has the default of the CSP.
    fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let renew = Self {
            robo_support: node.parsed("ROBOSupport")?.unwrap_or(true),
            renew_period: node.parsed("RenewPeriod")?.unwrap_or(42),
            retry_interval: node.parsed("RetryInterval")?.unwrap_or(7),
            server_url: node.value("ServerURL").map(str::to_owned),
        };
        let days = 1..=1000;
        if days.contains(&renew.renew_period)
            && days.contains(&renew.retry_interval)
            && renew.retry_interval <= renew.renew_period
        {
            Ok(renew)
        } else {
            Err(MdmError::Provisioning("the days of the renewal are outside their range"))
        }
    }
}
