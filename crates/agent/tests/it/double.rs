//! A SCEP server that does as it is told.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lanyard_enroll::scep::{
    attributes::{FailInfo, MessageType},
    capabilities::Capabilities,
    query::{Operation, decode as decode_query},
    reply::{CertRep, Replier, ca_certificates, encode},
    request::{PkiMessage, RegistrationKey, decode},
};
use lanyard_model::secret::SecretBytes;
use lanyard_pki::{
    crypto::digest::sha256, csr::decode::CertificationRequest, extension::Extension, general_name, name, oids, tlv::Reader, write,
};
use tokio::net::TcpListener;

use super::authority::{Authority, rsa};

/// What the server does with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Issue,
    IssueOtherNames,
    IssueForOtherKey,
    Hold,
    Refuse(FailInfo),
    /// Decides, but the connection breaks before the answer.
    Lose,
    Status(u16),
    WrongNonce,
    WrongTransaction,
    SignedByOther,
    IssueWithoutSignerCertificate,
    RefuseWithoutSignerCertificate,
    Huge,
    Garbage,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub message_type: MessageType,
    pub transaction: String,
    pub digest: [u8; 32],
    pub post: bool,
    pub challenge: Option<String>,
    pub self_signed: bool,
}

pub struct Double {
    pub authority: Authority,
    /// The answer to GetCACaps; `None` is 404.
    pub capabilities: Mutex<Option<String>>,
    /// The answer to GetCACert.
    pub offered: Mutex<Vec<Vec<u8>>>,
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
    request: Mutex<Option<CertificationRequest>>,
    address: SocketAddr,
}

impl Double {
    /// Starts a server that does these acts, one a message, and the last for ever.
    pub async fn start(acts: &[Act]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = Authority::new();
        let offered = vec![authority.registration.der().to_vec(), authority.ca.der().to_vec()];
        let double = Arc::new(Self {
            authority,
            capabilities: Mutex::new(Some(Capabilities::offered(false, false).encode())),
            offered: Mutex::new(offered),
            acts: Mutex::new(acts.iter().copied().collect()),
            seen: Mutex::new(Vec::new()),
            request: Mutex::new(None),
            address: listener.local_addr().unwrap(),
        });
        let serving = Arc::clone(&double);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let double = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| Arc::clone(&double).serve(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        double
    }

    pub fn url(&self) -> String {
        format!("http://{}/scep/devices", self.address)
    }

    pub fn fingerprint(&self) -> [u8; 32] {
        self.authority.ca.fingerprint()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Replaces what is done from now on.
    pub fn then(&self, acts: &[Act]) {
        *self.acts.lock().unwrap() = acts.iter().copied().collect();
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, String> {
        let post = request.method() == Method::POST;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        let text = |status: u16, body: Vec<u8>| -> Result<Response<Full<Bytes>>, Infallible> {
            Ok(Response::builder().status(status).body(Full::new(body.into())).unwrap())
        };
        let answer = match decode_query(&query, post).map_err(|e| e.to_string())?.operation {
            Operation::GetCaCaps => match self.capabilities.lock().unwrap().clone() {
                Some(capabilities) => text(200, capabilities.into_bytes()),
                None => text(404, b"<html>AES SHA-256</html>".to_vec()),
            },
            Operation::GetCaCert => {
                let offered = self.offered.lock().unwrap().clone();
                let offered: Vec<&[u8]> = offered.iter().map(Vec::as_slice).collect();
                text(200, ca_certificates(&offered).1)
            }
            Operation::GetNextCaCert => text(404, Vec::new()),
            Operation::PkiOperation(message) => return self.operate(&message.unwrap_or_else(|| body.to_vec()), post),
        };
        answer.map_err(|never| match never {})
    }

    fn operate(&self, message: &[u8], post: bool) -> Result<Response<Full<Bytes>>, String> {
        let act = {
            let mut acts = self.acts.lock().unwrap();
            if acts.len() > 1 { acts.pop_front().unwrap() } else { acts[0] }
        };
        let pki_message = decode(message, false).message.unwrap();
        self.note(&pki_message, message, post);
        let reply = match act {
            Act::Lose => return Err("the connection breaks".into()),
            Act::Status(status) => {
                return Ok(Response::builder().status(status).body(Full::default()).unwrap());
            }
            Act::Huge => vec![0x30; 2 * 1024 * 1024],
            Act::Garbage => b"<html>Please log in</html>".to_vec(),
            act => self.reply(act, &pki_message),
        };
        let response = Response::builder().header("lanyard-request-id", format!("request-{}", self.seen().len()));
        Ok(response.header("content-type", "application/x-pki-message").body(Full::new(reply.into())).unwrap())
    }

    fn note(&self, message: &PkiMessage, bytes: &[u8], post: bool) {
        let envelope = message.envelope(false).unwrap();
        let keys = [RegistrationKey {
            certificate: &self.authority.registration,
            decrypter: self.authority.registration_key.decrypter().unwrap(),
        }];
        let (plain, _) = message.open(&envelope, &keys, &SecretBytes::new(vec![1; 32])).unwrap();
        let self_signed = message.signer.is_self_issued();
        let mut challenge = None;
        if message.message_type == MessageType::CertPoll {
            message.issuer_and_subject(&plain).unwrap();
        } else {
            let request = message.certification_request(&plain, !self_signed, false).unwrap();
            challenge = request.challenge.as_ref().map(|c| c.expose().to_owned());
            *self.request.lock().unwrap() = Some(request);
        }
        self.seen.lock().unwrap().push(Seen {
            message_type: message.message_type,
            transaction: message.reply_to.transaction.clone(),
            digest: sha256(bytes),
            post,
            challenge,
            self_signed,
        });
    }

    fn reply(&self, act: Act, message: &PkiMessage) -> Vec<u8> {
        let envelope = message.envelope(false).unwrap();
        let keys = [RegistrationKey {
            certificate: &self.authority.registration,
            decrypter: self.authority.registration_key.decrypter().unwrap(),
        }];
        let (_, mirror) = message.open(&envelope, &keys, &SecretBytes::new(vec![1; 32])).unwrap();
        let issued = self.certificate(act);
        let bag = [issued.as_slice(), self.authority.ca.der()];
        let success =
            CertRep::Success { certificates: &bag, recipient: &message.signer, recipient_key: &message.signer_key, mirror };
        let rep = match act {
            Act::Hold => CertRep::Pending,
            Act::Refuse(fail_info) => CertRep::Failure { fail_info, text: true },
            Act::RefuseWithoutSignerCertificate => CertRep::Failure { fail_info: FailInfo::BadRequest, text: true },
            _ => success,
        };
        let mut to = message.reply_to.clone();
        match act {
            Act::WrongNonce => to.nonce = vec![7; 16],
            Act::WrongTransaction => to.transaction.push('0'),
            _ => {}
        }
        let authority = &self.authority;
        let by = match act {
            Act::SignedByOther => Replier { certificate: &authority.foreign, signer: authority.foreign_key.signer() },
            _ => Replier { certificate: &authority.registration, signer: authority.registration_key.signer() },
        };
        let reply = encode(rep, &to, by).unwrap();
        match act {
            Act::IssueWithoutSignerCertificate | Act::RefuseWithoutSignerCertificate => without_certificates(&reply),
            _ => reply,
        }
    }

    fn certificate(&self, act: Act) -> Vec<u8> {
        let request = self.request.lock().unwrap();
        let Some(request) = request.as_ref() else { return Vec::new() };
        let content = &request.content;
        let other = name::parse("CN=somebody-else").unwrap();
        let subject = if act == Act::IssueOtherNames { &other } else { &content.subject };
        let spki = if act == Act::IssueForOtherKey { rsa(3).public_key().spki.clone() } else { content.key.spki.clone() };
        let extensions: Vec<Extension> = (!content.san.is_empty())
            .then(|| Extension::plain(oids::SUBJECT_ALT_NAME, general_name::encode(&content.san)))
            .into_iter()
            .collect();
        self.authority.issue(&name::encode(subject), &spki, &extensions).der().to_vec()
    }
}

/// The same SignedData without its certificates field, as NDES sends it.
fn without_certificates(message: &[u8]) -> Vec<u8> {
    let mut info = Reader::sequence_of(message, "test").unwrap();
    let oid = info.any().unwrap().raw.to_vec();
    let mut signed = Reader::sequence_of(info.any().unwrap().contents, "test").unwrap();
    let mut fields = Vec::new();
    while !signed.is_empty() {
        let field = signed.any().unwrap();
        if field.tag != 0xa0 {
            fields.push(field.raw.to_vec());
        }
    }
    write::sequence(&[oid, write::explicit(0, &write::sequence(&fields))])
}
