//! How long a revocation takes until the gateway refuses: from the moment the server is told until a request over a connection that was open
//! all the time gets no answer of the back end any more.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_agent::{
    model::secret::SecretText,
    pki::{certificate::Certificate, pkcs12::Pkcs12},
};
use lanyard_server::api::{
    delivery_types::{Pfx, PfxMade},
    types::{NewToken, Order, Revoke, Revoked, TokenWish, User},
};
use tokio::time::{sleep, timeout};

use super::{
    super::site::Site,
    load::{Clients, Connection, ORDINARY},
    papers::Papers,
    servers::Proxy,
};

/// Between two requests of a phone.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait for the gateway to know a certificate, or to refuse it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long so many revocations took, one after the other, sorted.
pub async fn measure(folder: &Path, papers: &Papers, back_end: SocketAddr, count: usize) -> Result<Vec<Duration>, String> {
    let text = |e: std::io::Error| e.to_string();
    let place = folder.join("site");
    std::fs::create_dir(&place).map_err(text)?;
    let site = Site::create_for_devices(&place).await?;
    let running = site.serve().await?;
    let target = site.target();
    std::fs::write(folder.join("lanyard-root.pem"), site.root()).map_err(text)?;
    let wish = TokenWish { description: "bench".into(), role: "gateway".into(), rate: Some(60_000), ..TokenWish::default() };
    let token: NewToken = target.post("/tokens", &wish).await.map_err(|e| e.to_string())?;
    let proxy = Proxy::following(folder, site.url(), &token.token, back_end).await?;
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let user = format!("user{number}");
        let record = User { upn: Some(format!("{user}@example.org")), ..User::named(user.parse().map_err(|e| format!("{e}"))?) };
        target.put::<_, User>("/users", &record).await.map_err(|e| e.to_string())?;
        let order = Order { template: "user-client".into(), user: Some(user), ..Order::default() };
        let made: PfxMade = target.post("/pfx", &Pfx { order, old: false, mail: false }).await.map_err(|e| e.to_string())?;
        let octets = STANDARD.decode(made.file.unwrap_or_default()).map_err(|e| e.to_string())?;
        let opened = Pkcs12::decode(&octets, &SecretText::new(made.passphrase.unwrap_or_default())).map_err(|e| e.to_string())?;
        let identity = opened.into_identity().map_err(|e| e.to_string())?;
        let above = identity.others.iter().filter(|one: &&Certificate| !one.is_self_issued());
        let chain = std::iter::once(&identity.certificate).chain(above).map(|one| one.der().to_vec()).collect();
        let clients = Clients::with(&papers.root, chain, &identity.key, proxy.address)?;
        let mut phone = timeout(PATIENCE, let_in(&clients)).await.map_err(|_| "the gateway never hears of a certificate")?;
        let serial = identity.certificate.serial().ok_or("no serial number")?;
        let reason = "keyCompromise".to_owned();
        let path = format!("/certificates/{serial}/revoke");
        let start = Instant::now();
        let revoking = async { target.post::<_, Revoked>(&path, &Revoke { reason }).await.map_err(|e| e.to_string()) };
        let refused = async {
            while phone.ask(ORDINARY).await.is_ok() {
                sleep(PAUSE).await;
            }
            start.elapsed()
        };
        let (revoked, refused) = tokio::join!(revoking, timeout(PATIENCE, refused));
        revoked?;
        took.push(refused.map_err(|_| "a revoked certificate stays in")?);
    }
    proxy.stop().await;
    running.stop().await;
    took.sort_unstable();
    Ok(took)
}

/// A connection that is let in: a certificate of this very second is known to the gateway a moment later.
async fn let_in(clients: &Clients) -> Connection {
    loop {
        if let Ok(mut connection) = clients.connect().await
            && connection.ask(ORDINARY).await.is_ok()
        {
            return connection;
        }
        sleep(PAUSE).await;
    }
}
