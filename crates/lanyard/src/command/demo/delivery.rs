//! What reaches people without a management server: the root by a link, an identity by a link in a mail, and mail that stays readable.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_agent::{
    install::{Consent, Review, source},
    model::{audit::AuditKind, directory::User, secret::SecretBytes, secret::SecretText},
    pki::{
        certificate::Certificate,
        cms::enveloped::{EnvelopedData, KeyTransport, seal},
        crypto::{cipher::ContentCipher, software::SoftwareDecrypter},
        pem,
        pkcs12::Pkcs12,
        signature::Digest,
    },
    store::Owner,
};
use lanyard_server::{
    api::{
        delivery_types::{Invite, Invited, Pfx, PfxMade},
        types::Order,
    },
    clock::{Clock, SystemClock},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{acts::Happened, stage::Stage};

const USER: &str = "user2";
const ADDRESS: &str = "user2@example.org";

/// Plays the acts.
pub async fn play(stage: &Stage) -> Vec<Happened> {
    let outcomes = [
        ("root by link", root_by_link(stage).await),
        ("identity by mail", identity_by_mail(stage).await),
        ("encrypted mail after renewal", mail_after_renewal(stage).await),
    ];
    let happened = outcomes.into_iter().map(|(act, outcome)| {
        let held = outcome.is_ok();
        Happened { who: "phone-1".into(), act, held, what: outcome.unwrap_or_else(|problem| problem) }
    });
    happened.collect()
}

/// The device follows the portal's link, looks, and trusts the root because its fingerprint is the one that was told.
async fn root_by_link(stage: &Stage) -> Result<String, String> {
    let link = format!("{}/portal/roots/roots.p7b", stage.https());
    let octets = source::read(&link, Some(&stage.root_pem())).await.map_err(|e| e.to_string())?;
    let store = stage.device("phone-1")?;
    let now = SystemClock.now();
    let review = Review::of(&octets, None, &store, now).map_err(|e| e.to_string())?.ok_or("the file is locked")?;
    if !review.new_roots().any(|root| root.certificate.fingerprint() == stage.fingerprint()) {
        return Err("the root is another than the one that was told".into());
    }
    let nothing = Consent { roots: false, exportable: false, owner: Owner::User };
    let left_out = review.install(&store, nothing, &link, now).map_err(|e| e.to_string())?;
    let agreed = review.install(&store, Consent { roots: true, ..nothing }, &link, now).map_err(|e| e.to_string())?;
    match (left_out.refused_roots, agreed.certificates.len()) {
        (1, 1) => Ok("left out until agreed to, then trusted".into()),
        other => Err(format!("left out and trusted: {other:?}")),
    }
}

/// The mail has a link and no passphrase; the link works once.
async fn identity_by_mail(stage: &Stage) -> Result<String, String> {
    let server = stage.server();
    let user = USER.parse().map_err(|e| format!("{e}"))?;
    let user = User { email: Some(ADDRESS.into()), display_name: Some("User Two".into()), ..User::named(user) };
    server.store.save_user(user, server.event(AuditKind::DirectoryChanged, "admin:demo")).await.map_err(|e| e.to_string())?;
    let wanted = Invite { user: USER.into(), template: "user-client".into(), mail: true, ..Invite::default() };
    let _: Invited = stage.target().post("/invitations", &wanted).await.map_err(|e| e.to_string())?;
    let mail = stage.post_office().newest_to(ADDRESS).await?;
    let mail = mail.replace("=\r\n", "").replace("=3D", "=");
    let link = between(&mail, "/portal/invitation/", "\r\n").ok_or("the mail has no link")?;
    let path = format!("/portal/invitation/{}", link.trim());
    let page = browse(stage, "POST", &path, "").await?;
    let passphrase = between(&page, "id=\"passphrase\">", "<").ok_or("the page shows no passphrase")?;
    if mail.contains(passphrase) {
        return Err("the mail has the passphrase".into());
    }
    let sealed = between(&page, "name=\"file\" value=\"", "\"").ok_or("the page has no file")?;
    let form = format!("file={}", sealed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    let octets = browse_octets(stage, "POST", "/portal/invitation-file", &form).await?;
    let (store, now) = (stage.device("phone-1")?, SystemClock.now());
    let opened = Review::of(&octets, Some(&SecretText::new(passphrase.to_owned())), &store, now).map_err(|e| e.to_string())?;
    let review = opened.ok_or("the passphrase does not open the file")?;
    let consent = Consent { roots: false, exportable: false, owner: Owner::User };
    let installed = review.install(&store, consent, &path, now).map_err(|e| e.to_string())?;
    if installed.identities.len() != 1 {
        return Err(format!("{} identities were installed", installed.identities.len()));
    }
    let again = browse(stage, "POST", &path, "").await?;
    if again.contains("id=\"passphrase\"") {
        return Err("the link worked twice".into());
    }
    Ok("the link worked once, its file is installed, the passphrase was on the page only".into())
}

/// A mail to the first key is read with the file of the second.
async fn mail_after_renewal(stage: &Stage) -> Result<String, String> {
    let order = Order { template: "smime-encryption".into(), user: Some(USER.into()), ..Order::default() };
    let wanted = Pfx { order, old: false, mail: false };
    let (first, second) = (made(stage, &wanted).await?, made(stage, &wanted).await?);
    let text = first.certificate.as_deref().ok_or("there is no certificate")?;
    let der = pem::decode(pem::CERTIFICATE, text).map_err(|e| e.to_string())?;
    let certificate = Certificate::decode(&der).map_err(|e| e.to_string())?;
    let key = certificate.public_key().map_err(|e| e.to_string())?;
    let (cipher, transport) = (ContentCipher::Aes256, KeyTransport::Oaep(Digest::Sha256));
    let mail = seal(b"old mail", &certificate, &key, cipher, transport).map_err(|e| e.to_string())?;
    let octets = STANDARD.decode(second.file.unwrap_or_default()).map_err(|e| e.to_string())?;
    let passphrase = SecretText::new(second.passphrase.unwrap_or_default());
    let opened = Pkcs12::decode(&octets, &passphrase).map_err(|e| e.to_string())?;
    let mail = EnvelopedData::decode(&mail).map_err(|e| e.to_string())?;
    let recipient = mail.recipient(&certificate).ok_or("the mail is to nobody")?;
    let nothing = SecretBytes::new(vec![0; 32]);
    let read = opened.keys.iter().any(|key| {
        let decrypter = SoftwareDecrypter::from_pkcs8(&key.pkcs8);
        decrypter.and_then(|key| mail.open(recipient, &key, &nothing)).is_ok_and(|plain| plain.expose() == b"old mail")
    });
    match (read, opened.keys.len()) {
        (true, 2) => Ok("mail to the first key is read with the file of the second".into()),
        (read, keys) => Err(format!("read: {read}, with {keys} keys")),
    }
}

async fn made(stage: &Stage, wanted: &Pfx) -> Result<PfxMade, String> {
    stage.target().post("/pfx", wanted).await.map_err(|e| e.to_string())
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    text.split_once(from)?.1.split_once(to).map(|(found, _)| found)
}

async fn browse(stage: &Stage, method: &str, path: &str, form: &str) -> Result<String, String> {
    browse_octets(stage, method, path, form).await.map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

/// What a browser gets that sends a form from a page of the portal.
async fn browse_octets(stage: &Stage, method: &str, path: &str, form: &str) -> Result<Vec<u8>, String> {
    let base = stage.https();
    let host = base.trim_start_matches("https://");
    let failed = |e: &dyn std::fmt::Display| e.to_string();
    let der = pem::decode(pem::CERTIFICATE, &String::from_utf8_lossy(&stage.root_pem())).map_err(|e| failed(&e))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der)).map_err(|e| failed(&e))?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(|e| failed(&e))?;
    let stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).await.map_err(|e| failed(&e))?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| failed(&e))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {base}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(|e| failed(&e))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|e| failed(&e))?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the portal answers nothing")?;
    Ok(answer.split_off(end + 4))
}
