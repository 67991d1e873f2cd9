//! A SCEP server as seen from outside.

use std::net::SocketAddr;

use lanyard_pki::{certificate::Certificate, cms::signed::SignedData};

use super::{device::Device, reply::CertRep};
use crate::{
    http::{self, Response},
    server::TestServer,
};

/// One profile of a server.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Address of plain HTTP.
    pub address: SocketAddr,
    /// Path of the profile.
    pub path: String,
    /// Registration certificate.
    pub ra: Certificate,
    /// Everything GetCACert gave, in its order.
    pub certificates: Vec<Certificate>,
}

impl Endpoint {
    /// Asks a profile for its certificates.
    ///
    /// # Panics
    /// When the answer is not a certs-only message.
    pub async fn at(address: SocketAddr, profile: &str) -> Self {
        let path = format!("/scep/{profile}");
        let response = http::get(address, &format!("{path}?operation=GetCACert")).await;
        assert_eq!((response.status, response.field("content-type")), (200, Some("application/x-x509-ca-ra-cert")));
        let certificates = SignedData::decode(&response.body).expect("certs-only").certificates;
        Self { address, path, ra: certificates[0].clone(), certificates }
    }

    /// The default profile of a server.
    pub async fn of(server: &TestServer) -> Self {
        Self::at(server.http, "default").await
    }

    /// Issuing CA certificate.
    #[must_use]
    pub fn issuing(&self) -> &Certificate {
        &self.certificates[1]
    }

    /// Posts octets.
    pub async fn post(&self, message: &[u8]) -> Response {
        http::post(self.address, &format!("{}?operation=PKIOperation", self.path), message).await
    }

    /// Posts a message of this device and reads the answer.
    pub async fn send(&self, message: &[u8], device: &Device) -> CertRep {
        CertRep::read(&self.post(message).await, &self.ra, device)
    }

    /// Posts a GetCert or GetCRL of this device and reads the answer.
    pub async fn fetch(&self, message: &[u8], device: &Device) -> CertRep {
        let reply = CertRep::fetched(&self.post(message).await, &self.ra, device);
        reply.assert_issued();
        reply
    }

    /// Sends the device's request.
    pub async fn enrol(&self, device: &Device) -> CertRep {
        self.send(&device.message(self), device).await
    }

    /// Sends a message of this device by GET and reads the answer.
    pub async fn get(&self, message: &[u8], device: &Device) -> CertRep {
        let message = lanyard_enroll::scep::query::encode_message(message);
        let response = http::get(self.address, &format!("{}?operation=PKIOperation&message={message}", self.path)).await;
        CertRep::read(&response, &self.ra, device)
    }
}
