//! The token that says who signed in (OpenID Connect Core 1.0, sections 2 and 3.1.3.7).

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use lanyard_model::{
    text::printable,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::digest::constant_time_eq;
use serde_json::{Map, Value};

use super::error::OidcError;

/// How wrong the provider's clock may be.
const CLOCK: Span = Span::from_secs(60);
/// Longest token, in octets.
const MAX_TOKEN: usize = 32 * 1024;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Issuer.
    pub issuer: &'a str,
    /// This client, as audience.
    pub client_id: &'a str,
    /// The nonce of the attempt.
    pub nonce: &'a str,
    /// The present.
    pub now: Timestamp,
}

fn wrong<T>(problem: impl Into<String>) -> Result<T, OidcError> {
    Err(OidcError::Token(problem.into()))
}

/// Head of a token, if its algorithm is one of those that are believed: signatures with a provider's key. `none` and keyed digests are not.
///
/// # Errors
/// [`OidcError::Token`].
pub fn header(token: &str) -> Result<Header, OidcError> {
    if token.len() > MAX_TOKEN {
        return wrong("it is too long");
    }
    let Ok(header) = decode_header(token) else { return wrong("its head cannot be read, or its algorithm is not accepted") };
    match header.alg {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => wrong("its algorithm is not accepted"),
        _ if header.crit.as_ref().is_some_and(|crit| !crit.is_empty()) => wrong("it wants extensions to be understood"),
        _ => Ok(header),
    }
}

/// Verifies a token; returns its claims.
///
/// # Errors
/// [`OidcError::Token`].
pub fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Map<String, Value>, OidcError> {
    let header = header(token)?;
    let key = key(&header, keys)?;
    let Ok(key) = DecodingKey::from_jwk(key) else { return wrong("its key cannot be read") };
    let mut validation = Validation::new(header.alg);
    // Times are judged below, by the clock of this server.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims: Map<String, Value> = match decode(token, &key, &validation) {
        Ok(data) => data.claims,
        Err(error) => return wrong(error.to_string()),
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(seconds);
    match time("exp") {
        Some(end) if expected.now < end + CLOCK => {}
        Some(_) => return wrong("it has ended"),
        None => return wrong("it says no end"),
    }
    match time("iat") {
        Some(made) if made <= expected.now + CLOCK => {}
        _ => return wrong("it says no time of its making, or one to come"),
    }
    if time("nbf").is_some_and(|begin| begin > expected.now + CLOCK) {
        return wrong("it is not good yet");
    }
    if !text("nonce").is_some_and(|nonce| constant_time_eq(nonce.as_bytes(), expected.nonce.as_bytes())) {
        return wrong("its nonce is not that of the attempt");
    }
    // A token for several must say for whom it was made, and one that says so must say us.
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|audience| audience.len() > 1);
    match text("azp") {
        Some(party) if party != expected.client_id => wrong(format!("it was made for {}", printable(party))),
        None if several => wrong("it is for several, and does not say for whom it was made"),
        _ => Ok(claims),
    }
}

fn seconds(at: f64) -> Timestamp {
    // Rounding a second is within the tolerance; what is out of range becomes the nearest there is.
    #[allow(clippy::cast_possible_truncation)]
    let whole = at.clamp(-1.0e11, 1.0e11) as i64;
    Timestamp::from_secs(whole)
}

/// The one key that a token names, if it is of the kind that its algorithm wants.
fn key<'a>(header: &Header, keys: &'a JwkSet) -> Result<&'a Jwk, OidcError> {
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let mut fitting = keys.keys.iter().filter(named).filter(|key| fits(key, header.alg));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => wrong("it names a key that the provider does not have, or not for this"),
        (Some(_), Some(_)) => wrong("it does not say which of the provider's keys it is signed with"),
    }
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), RS256 | RS384 | RS512 | PS256 | PS384 | PS512) => true,
        (AlgorithmParameters::EllipticCurve(key), ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let for_signatures = key.common.public_key_use.as_ref().is_none_or(|wanted| *wanted == PublicKeyUse::Signature);
    let for_algorithm = key.common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    of_kind && for_signatures && for_algorithm
}
