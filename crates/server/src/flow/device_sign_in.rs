//! Who asks to enrol or renew: a user with a password, with a token of the sign-in page, or a certificate for enrolment in bulk.

use std::net::IpAddr;

use lanyard_mdm::soap::{Credential, Request, signature};
use lanyard_model::{
    directory::User, fleet::EnrollmentAuthentication, id::UserName, secret::SecretText, text::printable, time::Span,
};
use lanyard_pki::crypto::digest::sha256;

use super::{
    device_refusal::{Reason, Result, refuse, refused},
    subjects::{self, Known},
};
use crate::{
    error::ServerError,
    mdm::{Mdm, password, settings::Authentication, sign_in},
    state::Server,
};

/// Tolerance for the clocks of devices that sign what they send.
const TOLERANCE: Span = Span::from_secs(300);

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The user.
    pub user: Known<User>,
    /// How they proved it.
    pub by: EnrollmentAuthentication,
    /// The token they used, to be used up.
    pub token: Option<sign_in::SignedIn>,
}

/// Finds out who sends a request for a first identity.
///
/// # Errors
/// [`Reason::CredentialsMissing`], [`Reason::Method`], [`Reason::Credentials`], [`Reason::Attempts`], [`Reason::Token`],
/// [`Reason::BulkCertificate`]; our own failures.
pub async fn sender(server: &Server, mdm: &Mdm, request: &Request, source: Option<IpAddr>) -> Result<SignedIn> {
    let offered = |way: Authentication| match mdm.settings.authentication.contains(&way) {
        true => Ok(()),
        false => refuse(Reason::Method, "this kind of sign-in is not in mdm.authentication"),
    };
    match request.header.security.credential()? {
        Credential::Password { username, password } => {
            offered(Authentication::OnPremise)?;
            let user = by_password(server, username, password, source).await?;
            Ok(SignedIn { user, by: EnrollmentAuthentication::Password, token: None })
        }
        Credential::UserToken(octets) => {
            offered(Authentication::Federated)?;
            let token = sign_in::read(&server.fleet_secret, octets, server.now());
            let token = token.ok_or_else(|| refused(Reason::Token, "the sign-in token is not ours, or too old"))?;
            let user = subjects::user(server, &token.user).await?;
            let user = user.ok_or_else(|| refused(Reason::Token, format!("the user {} is gone", token.user)))?;
            Ok(SignedIn { user: enabled(user)?, by: EnrollmentAuthentication::Federated, token: Some(token) })
        }
        Credential::Certificate(_) => {
            offered(Authentication::Certificate)?;
            let user = by_certificate(server, mdm, request).await?;
            Ok(SignedIn { user, by: EnrollmentAuthentication::Certificate, token: None })
        }
        Credential::Jwt(_) => refuse(Reason::Method, "a token of Entra ID is not accepted"),
        Credential::None | Credential::Username(_) => refuse(Reason::CredentialsMissing, "the request has no credentials"),
    }
}

/// The user with this password. Unknown users and wrong passwords cannot be told apart, by answer or by time.
///
/// # Errors
/// [`Reason::Credentials`], [`Reason::Attempts`], [`Reason::UserDisabled`]; our own failures.
pub async fn by_password(server: &Server, text: &str, given: &SecretText, source: Option<IpAddr>) -> Result<Known<User>> {
    let user = resolve(server, text).await?;
    let account = user.as_ref().map_or_else(|| stand_in(text), |known| known.record.name.clone());
    if !server.passwords.attempts.may_try(server.store.as_ref(), &account, source, server.now()).await? {
        return refuse(Reason::Attempts, format!("too many wrong passwords of {}", printable(text)));
    }
    let checked = is_right(server, user.as_ref(), given).await?;
    match user {
        Some(user) if checked => enabled(user),
        _ => {
            server.passwords.attempts.wrong(server.store.as_ref(), &account, source, server.now()).await?;
            refuse(Reason::Credentials, format!("wrong user name or password for {}", printable(text)))
        }
    }
}

/// The user whom an OpenID Connect provider has signed in under this name: one who is known here and may sign in.
///
/// # Errors
/// [`Reason::Credentials`], [`Reason::UserDisabled`]; our own failures.
pub async fn of_provider(server: &Server, name: &str) -> Result<Known<User>> {
    match resolve(server, name).await? {
        Some(user) => enabled(user),
        None => refuse(Reason::Credentials, format!("the provider signed in {}, who is not known here", printable(name))),
    }
}

fn enabled(user: Known<User>) -> Result<Known<User>> {
    if user.record.disabled {
        return refuse(Reason::UserDisabled, format!("the user {} is disabled", user.record.name));
    }
    Ok(user)
}

async fn is_right(server: &Server, user: Option<&Known<User>>, given: &SecretText) -> std::result::Result<bool, ServerError> {
    let stored = match user {
        Some(user) => server.store.load_password(&user.record.name).await?,
        None => None,
    };
    // A password kept here counts; without one the directory is asked.
    if stored.is_none()
        && let (Some(ldap), Some(user)) = (&server.ldap, user)
        && let Some(found) = ldap.user(&user.record.name).await?
        && let Some(dn) = found.record.distinguished_name
    {
        return ldap.lets_in(&dn, given).await;
    }
    // Where the directory knows the users, one that nobody knows is asked for there too.
    if user.is_none()
        && let Some((ldap, nobody)) = server.ldap.as_ref().and_then(|ldap| ldap.nobody().map(|dn| (ldap, dn)))
    {
        ldap.lets_in(&nobody, given).await?;
        return Ok(false);
    }
    let turn = server.passwords.checks.acquire().await;
    let checked = password::verify(given.clone(), stored).await;
    drop(turn);
    checked
}

/// The user of a name as people write it: login name, `DOMAIN\login`, UPN or e-mail address.
///
/// # Errors
/// Storage errors; [`ServerError::Directory`].
pub async fn resolve(server: &Server, text: &str) -> std::result::Result<Option<Known<User>>, ServerError> {
    let text = text.trim();
    let login = text.rsplit_once('\\').map_or(text, |(_, login)| login);
    if let Ok(name) = login.parse::<UserName>()
        && let Some(found) = subjects::user(server, &name).await?
    {
        return Ok(Some(found));
    }
    let Some((local, _)) = login.rsplit_once('@') else { return Ok(None) };
    let is_theirs = |user: &User| [&user.upn, &user.email].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(login));
    // Mostly the part before the @ is the login name; only otherwise all users are looked through.
    if let Ok(name) = local.parse::<UserName>()
        && let Some(found) = subjects::user(server, &name).await?
        && is_theirs(&found.record)
    {
        return Ok(Some(found));
    }
    let mut named = server.store.list_users().await?.into_iter().filter(is_theirs);
    match (named.next(), named.next()) {
        (Some(one), None) => subjects::user(server, &one.name).await,
        _ => Ok(None),
    }
}

/// What attempts at a name that is nobody's are counted under.
fn stand_in(text: &str) -> UserName {
    let digest = lanyard_model::text::hex(&sha256(text.as_bytes()));
    // Hexadecimal digits fit the alphabet of names; the parse cannot fail.
    #[allow(clippy::expect_used)]
    format!("x-{digest}").parse().expect("a valid user name")
}

async fn by_certificate(server: &Server, mdm: &Mdm, request: &Request) -> Result<Known<User>> {
    let signed = signature::verify(request, false)?;
    let now = server.now();
    let recent = request.header.security.timestamp.is_some_and(|lifetime| lifetime.contains(now, TOLERANCE));
    let certificate = &signed.certificate;
    let issued = mdm.bulk.iter().any(|issuer| issuer.is_ca() && certificate.verify_issued_by(issuer).is_ok());
    if !signed.covers_body || !recent || !issued || !certificate.is_valid_at(now) {
        let detail = "the certificate is of no authority in mdm.bulk-ca-files or not valid, or the message is old or not signed as a whole";
        return refuse(Reason::BulkCertificate, detail);
    }
    let name = mdm.settings.bulk_user.as_ref().ok_or_else(|| refused(Reason::BulkCertificate, "mdm.bulk-user is missing"))?;
    let user = subjects::user(server, name).await?;
    let user =
        user.ok_or_else(|| refused(Reason::BulkCertificate, format!("the user {name} of mdm.bulk-user is not on record")))?;
    enabled(user)
}
