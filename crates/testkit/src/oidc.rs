//! A double of an OpenID Connect provider that speaks the code flow over TLS, and deviates from it as a test wants.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use lanyard_model::time::Timestamp;
use lanyard_pki::{
    crypto::digest::sha256,
    key::Signer,
    signature::{Digest, SignatureAlgorithm},
    tlv::Reader,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use crate::{
    keys::rsa,
    programs::{program, run},
    service::{Asked, Says, Service},
};

/// Name of the client at the double.
pub const CLIENT_ID: &str = "lanyard";
/// Its secret.
pub const CLIENT_SECRET: &str = "s3cret & more: 100%";
/// The key that the double signs with and publishes.
pub const KEY: usize = 80;

/// What was agreed when a browser was sent here.
#[derive(Clone)]
struct Granted {
    redirect_uri: String,
    challenge: String,
    token: String,
}

#[derive(Default)]
struct State {
    codes: HashMap<String, Granted>,
    /// Keys as published: number and name.
    keys: Vec<(usize, String)>,
    /// Answers in place of the usual ones, by path.
    instead: HashMap<String, Says>,
    made: usize,
}

/// The double; it ends with this value.
pub struct Provider {
    /// Everything it was asked.
    pub service: Service,
    /// Its certificate, PEM.
    pub certificate: String,
    state: Arc<Mutex<State>>,
}

/// A browser that was sent to the provider.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Parameters of the query.
    pub query: HashMap<String, String>,
}

/// How a token is to be.
pub struct Token {
    /// Head.
    pub header: Value,
    /// Claims.
    pub claims: Value,
    /// Key that signs it; none leaves the signature out.
    pub key: Option<usize>,
}

/// A certificate for `localhost` and its key, PEM, in this folder.
pub async fn certificate(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (pem, key) = (folder.join("tls.pem"), folder.join("tls.key"));
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key).arg("-out").arg(&pem);
    run(&mut command).await.good();
    (pem, key)
}

impl Provider {
    /// A provider that does as it should.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pem, key) = certificate(folder.path()).await;
        let certificates = CertificateDer::pem_file_iter(&pem).unwrap().collect::<Result<_, _>>().unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from_pem_file(&key).unwrap())
            .unwrap();
        let state = Arc::new(Mutex::new(State { keys: vec![(KEY, "key-1".into())], ..State::default() }));
        let service = Service::start_tls(TlsAcceptor::from(Arc::new(tls)), |_| Says::status(500)).await;
        let (issuer, shared) = (format!("https://localhost:{}", service.address.port()), Arc::clone(&state));
        service.now_says(move |asked| answer(asked, &issuer, &mut shared.lock().unwrap_or_else(PoisonError::into_inner)));
        Self { service, certificate: std::fs::read_to_string(&pem).unwrap(), state }
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://localhost:{}", self.service.address.port())
    }

    /// Answers a path like this from now on.
    pub fn instead(&self, path: &str, says: Says) {
        self.state.lock().unwrap().instead.insert(path.to_owned(), says);
    }

    /// Publishes these keys from now on: number and name.
    pub fn publish(&self, keys: &[(usize, &str)]) {
        self.state.lock().unwrap().keys = keys.iter().map(|(n, name)| (*n, (*name).to_owned())).collect();
    }

    /// A token as it should be, for somebody whom a browser was sent for.
    #[must_use]
    pub fn token(&self, sent: &Sent, user: &str, now: Timestamp) -> Token {
        let seconds = now.0 / 1000;
        Token {
            header: json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }),
            claims: json!({
                "iss": self.issuer(), "aud": CLIENT_ID, "sub": "4711", "iat": seconds, "exp": seconds + 300,
                "nonce": sent.query["nonce"], "preferred_username": user,
            }),
            key: Some(KEY),
        }
    }

    /// Signs somebody in: a code for this token.
    ///
    /// # Panics
    /// When the browser was sent without what belongs to it.
    #[must_use]
    pub fn code(&self, sent: &Sent, token: &Token) -> String {
        assert_eq!(sent.query["response_type"], "code");
        assert_eq!(sent.query["code_challenge_method"], "S256");
        assert!(sent.query["scope"].split(' ').any(|scope| scope == "openid"));
        let granted = Granted {
            redirect_uri: sent.query["redirect_uri"].clone(),
            challenge: sent.query["code_challenge"].clone(),
            token: write(token),
        };
        let mut state = self.state.lock().unwrap();
        state.made += 1;
        let code = format!("code-{}", state.made);
        state.codes.insert(code.clone(), granted);
        code
    }
}

impl Sent {
    /// Of the address a browser was sent to.
    ///
    /// # Panics
    /// When it is none of this double's.
    #[must_use]
    pub fn to(provider: &Provider, location: &str) -> Self {
        let query = location.strip_prefix(&format!("{}/authorize?", provider.issuer())).expect(location);
        Self { query: parse(query) }
    }
}

fn parse(query: &str) -> HashMap<String, String> {
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (unescape(name), unescape(value))).collect()
}

fn unescape(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(octets).unwrap()
}

/// A token in compact form.
#[must_use]
pub fn write(token: &Token) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&token.header), part(&token.claims));
    let signature = token.key.map_or_else(Vec::new, |key| {
        rsa(key).signer.sign(SignatureAlgorithm::RsaPkcs1(Digest::Sha256), signed.as_bytes()).unwrap()
    });
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A key as JWK.
fn jwk((n, name): &(usize, String)) -> Value {
    let mut spki = Reader::sequence_of(&rsa(*n).public().spki, "key").unwrap();
    spki.sequence().unwrap();
    let mut key = Reader::sequence_of(spki.octet_aligned_bits().unwrap(), "key").unwrap();
    let mut number = || URL_SAFE_NO_PAD.encode(key.unsigned().unwrap());
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": number(), "e": number() })
}

fn answer(asked: &Asked, issuer: &str, state: &mut State) -> Says {
    let path = asked.path.split('?').next().unwrap_or_default();
    if let Some(says) = state.instead.get(path) {
        return says.clone();
    }
    match path {
        "/.well-known/openid-configuration" => Says::json(&json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
        })),
        "/keys" => Says::json(&json!({ "keys": state.keys.iter().map(jwk).collect::<Vec<_>>() })),
        "/token" => exchange(asked, state),
        _ => Says::status(404),
    }
}

/// A code is good once, for whoever has the verifier and the client's secret.
fn exchange(asked: &Asked, state: &mut State) -> Says {
    let form = parse(&String::from_utf8_lossy(&asked.body));
    let basic = asked.field("authorization").and_then(|text| text.strip_prefix("Basic "));
    let basic = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|octets| String::from_utf8(octets).ok());
    let client = basic.and_then(|text| text.split_once(':').map(|(id, secret)| (unescape(id), unescape(secret))));
    if client != Some((CLIENT_ID.into(), CLIENT_SECRET.into())) {
        return Says::status(401);
    }
    let Some(granted) = form.get("code").and_then(|code| state.codes.remove(code)) else { return Says::status(400) };
    let challenge = form.get("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())));
    if challenge.as_ref() != Some(&granted.challenge) || form.get("redirect_uri") != Some(&granted.redirect_uri) {
        return Says::status(400);
    }
    Says::json(&json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": granted.token }))
}
