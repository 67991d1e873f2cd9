//! Issuing in two transactions: first everything that decides, with the bytes to be signed; then the signature.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    certificate::{CertificateRecord, Revocation, RevocationReason},
    id::AuthorityName,
    request::RequestRecord,
    serial::SerialNumber,
    time::Timestamp,
};

use super::{
    bind, certificates, challenges,
    connection::Flush,
    database::Database,
    notices, requests,
    tx::{Applied, Tx},
    value::args,
    writer::{CLOCK_TOLERANCE, Object},
};
use crate::{
    ports::{Begun, Durability, Intent, IssuanceStore, Opening, RenewalClaim, Result, Signed, Withdrawal},
    postgres::at_once,
    rows::{self, StoredRow},
};

const RESERVE: &str = "INSERT INTO certificates (issuer, serial, request, template, template_revision, profile, subject, san, \
    user_name, device, not_before, not_after, key_digest, created_at, signed, revoked_at, revocation_reason, predecessor, \
    successor, search) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
    ON CONFLICT (serial, issuer) DO NOTHING";
/// The number is looked up again: for `RETURNING`, SQLite makes a temporary table each time, which costs more than the insertion.
pub(crate) const SAVE_BODY: &str = "INSERT INTO certificate_bodies (certificate, tbs, der) \
    SELECT id, $3, $4 FROM certificates WHERE serial = $1 AND issuer = $2";
/// One conditional statement: two renewals that saw the same successor cannot both win.
pub(crate) const LINK: &str = "UPDATE certificates SET successor = $1 WHERE serial = $2 AND issuer = $3 AND signed = 1 \
    AND revoked_at IS NULL AND successor IS NOT DISTINCT FROM $4";
pub(crate) const SIGN: &str =
    "UPDATE certificates SET signed = 1 WHERE serial = $1 AND issuer = $2 AND signed = 0 AND revoked_at IS NULL";
const ABANDON: &str = "UPDATE certificates SET revoked_at = $3, revocation_reason = $4 \
    WHERE serial = $1 AND issuer = $2 AND signed = 0 AND revoked_at IS NULL";
pub(crate) const SAVE_DER: &str =
    "UPDATE certificate_bodies SET der = $3 WHERE certificate = (SELECT id FROM certificates WHERE serial = $1 AND issuer = $2)";
const STORED_DER: &str = "SELECT b.der FROM certificates c JOIN certificate_bodies b ON b.certificate = c.id \
    WHERE c.serial = $1 AND c.issuer = $2";
pub(crate) const ISSUED: &str = "UPDATE requests SET state = 'issued', claims = NULL, certificate_issuer = $2, certificate_serial = $3 \
    WHERE id = $1 AND state = 'granted'";
const WITHDRAWN: &str = "UPDATE requests SET state = 'denied', claims = NULL, reason = $2, detail = $3 \
    WHERE id = $1 AND state = 'granted'";

#[async_trait]
impl IssuanceStore for Database {
    async fn begin_issuance(&self, intent: Intent) -> Result<Begun> {
        let object = object(&intent);
        let intent = Arc::new(intent);
        let flush = match intent.durability {
            Durability::BeforeSigning => Flush::Now,
            Durability::WithCertificate => Flush::WithNext,
        };
        self.write_until(object, flush, move |tx| begin(tx, Arc::clone(&intent)).boxed()).await
    }

    async fn finish_issuance(&self, signed: Signed) -> Result<()> {
        let object = signed.serial.magnitude().to_vec().into();
        let signed = Arc::new(signed);
        self.write_on(object, move |tx| finish(tx, Arc::clone(&signed)).boxed()).await
    }

    async fn list_open_intents(&self, created_before: Timestamp) -> Result<Vec<CertificateRecord>> {
        certificates::open_intents(self, created_before).await
    }
}

/// What nodes may contend for: the challenge, the certificate renewed, or else the request.
fn object(intent: &Intent) -> Object {
    let object = intent.request.as_ref().map(|request| requests::object(request, intent.challenge.as_ref()));
    let object = object.unwrap_or_default();
    match &intent.renews {
        Some(claim) => Object { id: claim.predecessor.magnitude().to_vec(), ..object },
        None => object,
    }
}

/// The ordinary case in one statement, where statements are dear; `false` if it is not the ordinary case, or something was in the way.
async fn begin_at_once(tx: &mut Tx, intent: &Intent) -> Result<bool> {
    let (Some(request), Some(claim), None, Opening::New) = (&intent.request, &intent.challenge, &intent.renews, &intent.opening)
    else {
        return Ok(false);
    };
    if !tx.connection.is_remote() || request.transaction.is_empty() || intent.now < tx.highest() - CLOCK_TOLERANCE {
        return Ok(false);
    }
    let mut values = bind::request(request)?;
    values.extend(bind::certificate(&intent.certificate)?);
    values.extend(args![
        intent.certificate.tbs.clone(),
        (intent.now - requests::TRANSACTION_LIFE).0,
        claim.id.0,
        claim.claim.at.0,
        claim.claim.csr_digest,
        claim.claim.key_digest,
    ]);
    tx.at_once("begin an issuance", at_once::BEGIN, values, 1).await
}

/// Likewise for the signature.
async fn finish_at_once(tx: &mut Tx, signed: &Signed) -> Result<bool> {
    let ordinary = tx.connection.is_remote() && signed.withdrawn.is_none();
    let Some(request) = signed.request.filter(|_| ordinary) else { return Ok(false) };
    let values = args![signed.serial.magnitude(), signed.issuer.to_string(), signed.der.clone(), request.to_string()];
    tx.at_once("store the signed certificate", at_once::FINISH, values, 2).await
}

async fn begin(tx: &mut Tx, intent: Arc<Intent>) -> Result<Applied<Begun>> {
    if begin_at_once(tx, &intent).await? {
        tx.relies_on(intent.now);
        tx.signs_at(intent.now);
        tx.audit(&intent.audit)?;
        return Ok(Applied::Kept(Begun::Done));
    }
    match refusal(tx, &intent).await? {
        Some(refusal) => Ok(Applied::Nothing(refusal)),
        None => {
            tx.signs_at(intent.now);
            tx.audit(&intent.audit)?;
            Ok(Applied::Kept(Begun::Done))
        }
    }
}

/// Writes step by step until one step finds that the facts have changed; the writer then undoes the steps before.
async fn refusal(tx: &mut Tx, intent: &Intent) -> Result<Option<Begun>> {
    let highest = tx.highest();
    tx.relies_on(intent.now);
    if intent.now < highest - CLOCK_TOLERANCE {
        return Ok(Some(Begun::ClockBehind(highest)));
    }
    // What may find that the facts have changed comes before what writes: then there is nothing to undo.
    if let Some(request) = &intent.request
        && let Some(refusal) = open(tx, request, intent).await?
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
    if let Some(request) = intent.request.as_ref().filter(|_| intent.opening == Opening::New) {
        requests::insert(tx, request).await?;
    }
    Ok(if reserve(tx, &intent.certificate).await? { None } else { Some(Begun::SerialTaken) })
}

/// Brings a stored request to where it can be granted, and looks for another key in its transaction.
async fn open(tx: &mut Tx, request: &RequestRecord, intent: &Intent) -> Result<Option<Begun>> {
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
    requests::other_key(tx, request, intent.now).await
}

/// Revokes an intent that was never signed; `false` if it was signed or abandoned meanwhile.
async fn abandon(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, now: Timestamp) -> Result<bool> {
    let values = args![serial.magnitude(), issuer.to_string(), now.0, RevocationReason::Unspecified.code()];
    Ok(tx.execute("abandon an intent", ABANDON, values).await? == 1)
}

/// The predecessor may be of another authority than its successor: the one that this one followed.
async fn link(tx: &mut Tx, certificate: &CertificateRecord, claim: &RenewalClaim) -> Result<bool> {
    let values = args![
        certificate.serial.magnitude(),
        claim.predecessor.magnitude(),
        claim.issuer.to_string(),
        claim.seen_successor.as_ref().map(SerialNumber::magnitude),
    ];
    Ok(tx.execute("link the renewed certificate", LINK, values).await? == 1)
}

/// Stores the intent; `false` if the serial number exists.
async fn reserve(tx: &mut Tx, certificate: &CertificateRecord) -> Result<bool> {
    if tx.execute("reserve a serial number", RESERVE, bind::certificate(certificate)?).await? == 0 {
        return Ok(false);
    }
    let (serial, issuer) = (certificate.serial.magnitude(), certificate.issuer.to_string());
    let values = args![serial, issuer, certificate.tbs.clone(), certificate.der.clone()];
    tx.execute("store the bytes to be signed", SAVE_BODY, values).await?;
    Ok(true)
}

async fn finish(tx: &mut Tx, signed: Arc<Signed>) -> Result<Applied<()>> {
    if !finish_at_once(tx, &signed).await? && !store_signature(tx, &signed).await? {
        return repeated(tx, &signed).await;
    }
    if let Some(Withdrawal { revocation, .. }) = &signed.withdrawn {
        certificates::revoke(tx, &signed.issuer, &signed.serial, *revocation).await?;
    }
    if let Some((issuer, superseded, revocation)) = &signed.supersedes {
        supersede(tx, issuer, superseded, *revocation).await?;
    }
    notices::save(tx, &signed.notices).await?;
    for event in &signed.audit {
        tx.audit(event)?;
    }
    Ok(Applied::Kept(()))
}

/// Stores the signature and marks the request, step by step; `false` if the intent is no longer open.
async fn store_signature(tx: &mut Tx, signed: &Signed) -> Result<bool> {
    let action = "store the signed certificate";
    let serial = signed.serial.magnitude().to_vec();
    let issuer = signed.issuer.to_string();
    if tx.execute(action, SIGN, args![serial.clone(), issuer.clone()]).await? == 0 {
        return Ok(false);
    }
    tx.execute(action, SAVE_DER, args![serial.clone(), issuer.clone(), signed.der.clone()]).await?;
    if let Some(request) = signed.request {
        let marked = match &signed.withdrawn {
            None => tx.execute("mark the request as issued", ISSUED, args![request.to_string(), issuer, serial]).await?,
            Some(Withdrawal { reason, detail, .. }) => {
                let values = args![request.to_string(), reason.as_str(), detail.as_str()];
                tx.execute("mark the request as refused", WITHDRAWN, values).await?
            }
        };
        if marked == 0 {
            return Err(rows::corrupt("requests.state", format_args!("request {request} is not granted")));
        }
    }
    Ok(true)
}

/// Revoked meanwhile for another reason is revoked as well: that reason stays.
async fn supersede(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, revocation: Revocation) -> Result<()> {
    certificates::revoke(tx, issuer, serial, revocation).await.map(drop)
}

/// The intent is no longer open. The same certificate again is a repetition after an unknown outcome; anything else would be a
/// second certificate under one serial number.
async fn repeated(tx: &mut Tx, signed: &Signed) -> Result<Applied<()>> {
    let values = args![signed.serial.magnitude(), signed.issuer.to_string()];
    let stored = tx.optional("read the signed certificate", STORED_DER, values).await?;
    let stored = stored.map(|row| row.octets("certificate_bodies.der")).transpose()?.flatten();
    match stored {
        Some(der) if der == signed.der => Ok(Applied::Nothing(())),
        Some(_) => Err(rows::corrupt("certificates.signed", format_args!("{} is signed already", signed.serial))),
        None => Err(rows::corrupt("certificates.serial", format_args!("there is no intent for {}", signed.serial))),
    }
}
