//! Issuing in two transactions: first everything that decides, with the bytes to be signed; then the signature.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    certificate::{CertificateRecord, Revocation, RevocationReason},
    id::AuthorityName,
    request::RequestRecord,
    serial::SerialNumber,
    time::{Span, Timestamp},
};

use super::{
    bind, certificates, challenges,
    handle::Sqlite,
    requests,
    row::engine,
    tx::{Applied, Tx},
};
use crate::{
    ports::{Begun, Intent, IssuanceStore, Opening, RenewalClaim, Result, Signed},
    rows,
};

/// How far the clock may lie behind the highest time signed.
const CLOCK_TOLERANCE: Span = Span::from_secs(300);

const HIGHEST: &str = "SELECT highest FROM clock WHERE id = 1";
const RAISE: &str = "UPDATE clock SET highest = $1 WHERE id = 1 AND highest < $1";
const RESERVE: &str = "INSERT INTO certificates (issuer, serial, request, template, template_revision, profile, subject, san, \
    user_name, device, not_before, not_after, key_digest, created_at, signed, revoked_at, revocation_reason, predecessor, \
    successor, search) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
    ON CONFLICT (serial, issuer) DO NOTHING RETURNING id";
const SAVE_BODY: &str = "INSERT INTO certificate_bodies (certificate, tbs, der) VALUES ($1, $2, $3)";
/// One conditional statement: two renewals that saw the same successor cannot both win.
pub(super) const LINK: &str = "UPDATE certificates SET successor = $1 WHERE serial = $2 AND issuer = $3 AND signed = 1 \
    AND revoked_at IS NULL AND successor IS NOT DISTINCT FROM $4 RETURNING id";
pub(super) const SIGN: &str =
    "UPDATE certificates SET signed = 1 WHERE serial = $1 AND issuer = $2 AND signed = 0 AND revoked_at IS NULL RETURNING id";
const ABANDON: &str = "UPDATE certificates SET revoked_at = $3, revocation_reason = $4 \
    WHERE serial = $1 AND issuer = $2 AND signed = 0 AND revoked_at IS NULL RETURNING id";
pub(super) const SAVE_DER: &str = "UPDATE certificate_bodies SET der = $2 WHERE certificate = $1";
const STORED_DER: &str = "SELECT b.der FROM certificates c JOIN certificate_bodies b ON b.certificate = c.id \
    WHERE c.serial = $1 AND c.issuer = $2";
pub(super) const ISSUED: &str = "UPDATE requests SET state = 'issued', claims = NULL, certificate_issuer = $2, certificate_serial = $3 \
    WHERE id = $1 AND state = 'granted' RETURNING id";

#[async_trait]
impl IssuanceStore for Sqlite {
    async fn begin_issuance(&self, intent: Intent) -> Result<Begun> {
        self.write(move |tx| begin(tx, intent).boxed()).await
    }

    async fn finish_issuance(&self, signed: Signed) -> Result<()> {
        self.write(move |tx| finish(tx, signed).boxed()).await
    }

    async fn list_open_intents(&self, created_before: Timestamp) -> Result<Vec<CertificateRecord>> {
        certificates::open_intents(self, created_before).await
    }
}

async fn begin(tx: &mut Tx, intent: Intent) -> Result<Applied<Begun>> {
    match refusal(tx, &intent).await? {
        Some(refusal) => Ok(Applied::Nothing(refusal)),
        None => {
            raise_clock(tx, intent.now).await?;
            tx.audit(&intent.audit).await?;
            Ok(Applied::Kept(Begun::Done))
        }
    }
}

/// Writes step by step until one step finds that the facts have changed; the savepoint then undoes the steps before.
async fn refusal(tx: &mut Tx, intent: &Intent) -> Result<Option<Begun>> {
    let highest = highest(tx).await?;
    if intent.now < highest - CLOCK_TOLERANCE {
        return Ok(Some(Begun::ClockBehind(highest)));
    }
    if let Some(request) = &intent.request
        && let Some(refusal) = save_request(tx, request, intent).await?
    {
        return Ok(Some(refusal));
    }
    if let Some(claim) = &intent.challenge
        && let Some(refusal) = challenges::consume(tx, claim).await?
    {
        return Ok(Some(refusal));
    }
    if let Some(claim) = &intent.renews
        && !link(tx, &intent.certificate, claim).await?
    {
        return Ok(Some(Begun::PredecessorChanged));
    }
    Ok(if reserve(tx, &intent.certificate).await? { None } else { Some(Begun::SerialTaken) })
}

async fn save_request(tx: &mut Tx, request: &RequestRecord, intent: &Intent) -> Result<Option<Begun>> {
    let opened = match &intent.opening {
        Opening::New => true,
        Opening::Pending => requests::decide(tx, request).await?,
        Opening::Abandoned { issuer, serial } => {
            requests::take_over(tx, request).await? && abandon(tx, issuer, serial, intent.now).await?
        }
    };
    if !opened {
        return Ok(Some(Begun::NotPending));
    }
    if let Some(refusal) = requests::other_key(tx, request, intent.now).await? {
        return Ok(Some(refusal));
    }
    if intent.opening == Opening::New {
        requests::insert(tx, request).await?;
    }
    Ok(None)
}

/// Revokes an intent that was never signed; `false` if it was signed or abandoned meanwhile.
async fn abandon(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, now: Timestamp) -> Result<bool> {
    let abandoned = sqlx::query(ABANDON)
        .bind(serial.magnitude().to_vec())
        .bind(issuer.to_string())
        .bind(now.0)
        .bind(i64::from(RevocationReason::Unspecified.code()))
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("abandon an intent"))?;
    Ok(abandoned.is_some())
}

async fn highest(tx: &mut Tx) -> Result<Timestamp> {
    let highest: i64 =
        sqlx::query_scalar(HIGHEST).fetch_one(&mut tx.connection).await.map_err(engine("read the highest time signed"))?;
    Ok(Timestamp(highest))
}

/// Remembers a time that is about to stand in something signed.
pub(super) async fn raise_clock(tx: &mut Tx, now: Timestamp) -> Result<()> {
    let raised = sqlx::query(RAISE).bind(now.0).execute(&mut tx.connection).await;
    raised.map(drop).map_err(engine("raise the highest time signed"))
}

async fn link(tx: &mut Tx, certificate: &CertificateRecord, claim: &RenewalClaim) -> Result<bool> {
    let linked = sqlx::query(LINK)
        .bind(certificate.serial.magnitude().to_vec())
        .bind(claim.predecessor.magnitude().to_vec())
        .bind(certificate.issuer.to_string())
        .bind(bind::serial(claim.seen_successor.as_ref()))
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("link the renewed certificate"))?;
    Ok(linked.is_some())
}

/// Stores the intent; `false` if the serial number exists.
async fn reserve(tx: &mut Tx, certificate: &CertificateRecord) -> Result<bool> {
    let statement = bind::certificate(sqlx::query(RESERVE), certificate)?;
    let row = statement.fetch_optional(&mut tx.connection).await.map_err(engine("reserve a serial number"))?;
    let Some(row) = row else { return Ok(false) };
    sqlx::query(SAVE_BODY)
        .bind(rows::integer(&row, "certificates.id")?)
        .bind(certificate.tbs.clone())
        .bind(certificate.der.clone())
        .execute(&mut tx.connection)
        .await
        .map_err(engine("store the bytes to be signed"))?;
    Ok(true)
}

async fn finish(tx: &mut Tx, signed: Signed) -> Result<Applied<()>> {
    let action = "store the signed certificate";
    let serial = signed.serial.magnitude().to_vec();
    let issuer = signed.issuer.to_string();
    let open = sqlx::query(SIGN).bind(serial.clone()).bind(issuer.clone()).fetch_optional(&mut tx.connection).await;
    let Some(row) = open.map_err(engine(action))? else {
        return repeated(tx, &signed).await;
    };
    sqlx::query(SAVE_DER)
        .bind(rows::integer(&row, "certificates.id")?)
        .bind(signed.der)
        .execute(&mut tx.connection)
        .await
        .map_err(engine(action))?;
    if let Some(request) = signed.request {
        let query = sqlx::query(ISSUED).bind(request.to_string()).bind(issuer).bind(serial);
        let issued = query.fetch_optional(&mut tx.connection).await.map_err(engine("mark the request as issued"))?;
        if issued.is_none() {
            return Err(rows::corrupt("requests.state", format_args!("request {request} is not granted")));
        }
    }
    if let Some((superseded, revocation)) = &signed.supersedes {
        supersede(tx, &signed.issuer, superseded, *revocation).await?;
    }
    for event in &signed.audit {
        tx.audit(event).await?;
    }
    Ok(Applied::Kept(()))
}

/// Revoked meanwhile for another reason is revoked as well: that reason stays.
async fn supersede(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, revocation: Revocation) -> Result<()> {
    certificates::revoke(tx, issuer, serial, revocation).await.map(drop)
}

/// The intent is no longer open. The same certificate again is a repetition after an unknown outcome; anything else would be a
/// second certificate under one serial number.
async fn repeated(tx: &mut Tx, signed: &Signed) -> Result<Applied<()>> {
    let stored: Option<Option<Vec<u8>>> = sqlx::query_scalar(STORED_DER)
        .bind(signed.serial.magnitude().to_vec())
        .bind(signed.issuer.to_string())
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("read the signed certificate"))?;
    match stored.flatten() {
        Some(der) if der == signed.der => Ok(Applied::Nothing(())),
        Some(_) => Err(rows::corrupt("certificates.signed", format_args!("{} is signed already", signed.serial))),
        None => Err(rows::corrupt("certificates.serial", format_args!("there is no intent for {}", signed.serial))),
    }
}
