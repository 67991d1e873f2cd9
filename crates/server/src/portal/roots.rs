//! The roots, in the form that each platform installs with one tap. Nobody signs in for them: they are no secret, and a device that does not
//! know them yet has to get at them.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::{Path, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use lanyard_model::text::hex;
use lanyard_pki::{certificate::Certificate, cms::sign::certificates_only, crypto::digest::sha256, pem};

use super::{
    guard,
    home::day,
    views::{RootRow, Roots},
};
use crate::{api::types::digest, delivery::apple, state::Server};

const DER: &str = "application/x-x509-ca-cert";
const PEM: &str = "application/x-pem-file";
const PKCS7: &str = "application/x-pkcs7-certificates";

/// `GET /portal/roots`.
pub async fn page(State(server): State<Arc<Server>>) -> Response {
    let ring = server.keyring.get();
    let roots = ring.roots().iter().map(|root| RootRow {
        name: root.subject().map(|subject| subject.to_string()).unwrap_or_default(),
        file: name(root),
        fingerprint: in_groups(&digest(&sha256(root.der()))),
        until: root.validity().map(|(_, until)| day(until)).unwrap_or_default(),
    });
    guard::page(StatusCode::OK, &Roots { organization: &server.config.organization, roots: roots.collect() })
}

/// The name of a root's files: the beginning of its fingerprint, so that none is mistaken for another.
fn name(root: &Certificate) -> String {
    format!("root-{}", hex(sha256(root.der()).get(..4).unwrap_or_default()))
}

/// Pairs of digits, as every platform shows fingerprints.
fn in_groups(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().filter(char::is_ascii_hexdigit).enumerate() {
        if place > 0 && place % 2 == 0 {
            text.push(':');
        }
        let _ = write!(text, "{}", digit.to_ascii_uppercase());
    }
    text
}

/// `GET /portal/roots/{file}`.
pub async fn file(State(server): State<Arc<Server>>, Path(file): Path<String>) -> Response {
    let ring = server.keyring.get();
    let (stem, form) = file.rsplit_once('.').unwrap_or((&file, ""));
    let wanted: Vec<&Certificate> = ring.roots().iter().filter(|root| stem == "roots" || stem == name(root)).collect();
    let alone = wanted.first().filter(|_| wanted.len() == 1);
    let made = match (form, alone, wanted.is_empty()) {
        (_, _, true) => None,
        ("cer" | "crt", Some(root), _) => Some((DER, root.der().to_vec())),
        ("pem", ..) => {
            let text: String = wanted.iter().map(|root| pem::encode(pem::CERTIFICATE, root.der())).collect();
            Some((PEM, text.into_bytes()))
        }
        ("p7b", ..) => Some((PKCS7, certificates_only(&wanted.iter().map(|root| root.der()).collect::<Vec<_>>()))),
        ("mobileconfig", ..) => match apple::roots(&server, &wanted) {
            Ok(profile) => Some((apple::MEDIA_TYPE, profile)),
            Err(error) => return guard::failed(&error, server.now()),
        },
        _ => None,
    };
    match made {
        Some((media_type, octets)) => {
            let shown = format!("attachment; filename=\"{stem}.{form}\"");
            ([(CONTENT_TYPE, media_type), (CONTENT_DISPOSITION, &shown), (CACHE_CONTROL, "no-cache")], octets).into_response()
        }
        None => guard::notice(StatusCode::NOT_FOUND, "That is not there", "The list of roots has every file there is."),
    }
}
