//! Load for measuring a server: distinct first enrolments prepared beforehand, sent over kept-alive connections, every answer
//! checked afterwards, so that the cost of a device does not stand in the figures of the server.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lanyard_enroll::scep::client::{answer::Answer, message::Outgoing, trust::CaCertificates};
use lanyard_model::{name::DistinguishedName, secret::SecretText, time::Timestamp};
use lanyard_pki::csr::encode::{CertificationRequestInfo, encode};
use tokio::net::TcpStream;

use super::transaction::Transaction;
use crate::{error::AgentError, http::MAX_BODY, key::DeviceKey};

/// A request ready to be sent.
pub struct Prepared {
    transaction: Transaction,
    outgoing: Outgoing,
}

impl Prepared {
    /// Signs and encrypts the request of one device. `number` keeps transactions apart that share a key: making an RSA key takes
    /// longer than everything else together.
    ///
    /// # Errors
    /// [`AgentError::Own`].
    pub fn new(
        number: usize,
        key: &Arc<DeviceKey>,
        subject: &DistinguishedName,
        challenge: SecretText,
        ca: &CaCertificates,
        now: Timestamp,
    ) -> Result<Self, AgentError> {
        let info = CertificationRequestInfo { subject: subject.clone(), challenge: Some(challenge), ..Default::default() };
        let csr = encode(&info, key.signer()).map_err(AgentError::Own)?;
        let mut transaction = Transaction::first(key, subject, now)?;
        transaction.id = format!("{}-{number}", transaction.id);
        let outgoing = transaction.request(&csr, ca)?;
        Ok(Self { transaction, outgoing })
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.outgoing.message
    }
}

/// What came back for one request.
pub struct Answered {
    prepared: Prepared,
    /// HTTP status; 0 when the connection broke.
    pub status: u16,
    /// From the first octet sent to the last received.
    pub took: Duration,
    body: Bytes,
}

impl Answered {
    /// Whether it is a certificate for the device's key, verified as a device does.
    #[must_use]
    pub fn is_certificate(&self, ca: &CaCertificates, now: Timestamp) -> bool {
        let answer = self.prepared.transaction.decode(&self.body, &self.prepared.outgoing, ca, now);
        self.status == 200 && matches!(answer, Ok(Answer::Issued { .. }))
    }
}

/// Sends the requests by POST over this many connections, each connection one after the other. Returns the answers and the time from
/// the first request to the last answer.
///
/// # Errors
/// The connection could not be made.
pub async fn send(
    address: SocketAddr,
    path: &str,
    requests: Vec<Prepared>,
    connections: usize,
) -> std::io::Result<(Vec<Answered>, Duration)> {
    let mut shares: Vec<Vec<Prepared>> = (0..connections.max(1)).map(|_| Vec::new()).collect();
    let count = shares.len();
    for (n, request) in requests.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(n % count) {
            share.push(request);
        }
    }
    let mut ready = Vec::new();
    for share in shares {
        ready.push((connect(address).await?, share));
    }
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (connection, share) in ready {
        tasks.spawn(drive(connection, format!("{path}?operation=PKIOperation"), address, share));
    }
    let answered = tasks.join_all().await.into_iter().flatten().collect();
    Ok((answered, began.elapsed()))
}

async fn connect(address: SocketAddr) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn drive(
    mut connection: SendRequest<Full<Bytes>>,
    path: String,
    address: SocketAddr,
    share: Vec<Prepared>,
) -> Vec<Answered> {
    let mut answered = Vec::with_capacity(share.len());
    for prepared in share {
        let body = Bytes::copy_from_slice(prepared.message());
        let began = Instant::now();
        let (status, body) = exchange(&mut connection, &path, address, body).await.unwrap_or_default();
        answered.push(Answered { prepared, status, took: began.elapsed(), body });
        if status == 0 {
            match connect(address).await {
                Ok(again) => connection = again,
                Err(_) => break,
            }
        }
    }
    answered
}

async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    path: &str,
    address: SocketAddr,
    body: Bytes,
) -> Option<(u16, Bytes)> {
    connection.ready().await.ok()?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/x-pki-message")
        .body(Full::new(body))
        .ok()?;
    let response = connection.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await.ok()?.to_bytes();
    Some((status, body))
}
