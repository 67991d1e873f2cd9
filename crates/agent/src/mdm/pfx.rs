//! Certificates that come with their key (`ClientCertificateInstall/PFXCertInstall`): the file is read, and key and certificate go into the
//! device store.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{csp::LocUri, profile::trusted_certificate::thumbprint, session::device::MemoryTree};
use lanyard_model::{secret::SecretText, time::Timestamp};
use lanyard_pki::{error::PkiError, pkcs12::Pkcs12};

use crate::{
    error::AgentError,
    key::{DeviceKey, KeyPlace},
    store::{DeviceStore, Identity, IdentityAbout, LocalId, Owner, Status},
};

/// Windows' `ERROR_NOT_SUPPORTED`: a password that is encrypted.
const NOT_SUPPORTED: u32 = 0x8007_0032;
/// Windows' `ERROR_INVALID_PASSWORD`.
const INVALID_PASSWORD: u32 = 0x8007_0056;
/// Windows' `NTE_NOT_SUPPORTED`: there is neither a TPM nor a container of Windows Hello here, and keys other than RSA are not kept.
const NO_SUCH_PLACE: u32 = 0x8009_0029;
/// Windows' `CRYPT_E_BAD_ENCODE`.
const BAD_ENCODE: u32 = 0x8009_2002;
/// Windows' `E_FAIL`.
const UNSPECIFIED: u32 = 0x8000_4005;

/// Imports what a node describes. `Status` and `Thumbprint` tell how it went; password and file are not kept.
pub(crate) fn import(store: &DeviceStore, tree: &mut MemoryTree, node: &LocUri, now: Timestamp) {
    let outcome = install(store, tree, node, now);
    // The node stays, so that a second Add meets it, but nothing that opens the key.
    tree.set(&node.child("PFXCertBlob"), "");
    tree.unset(&node.child("PFXCertPassword"));
    let status = match outcome {
        Ok(thumbprint) => {
            tree.set(&node.child("Thumbprint"), &thumbprint);
            0
        }
        Err((code, why)) => {
            tracing::error!(node = node.name().unwrap_or_default(), why, "a PFX file could not be installed");
            tree.unset(&node.child("Thumbprint"));
            code
        }
    };
    tree.set(&node.child("Status"), &status.cast_signed().to_string());
}

fn install(store: &DeviceStore, tree: &MemoryTree, node: &LocUri, now: Timestamp) -> Result<String, (u32, String)> {
    let value = |name: &str| tree.value(&node.child(name)).unwrap_or_default();
    let fault = |code: u32, why: &str| (code, why.to_owned());
    if value("PFXCertPasswordEncryptionType") != "0" {
        return Err(fault(NOT_SUPPORTED, "the password is encrypted"));
    }
    match value("KeyLocation").as_str() {
        "2" | "3" => {}
        "4" if value("ContainerName").is_empty() => return Err(fault(UNSPECIFIED, "ContainerName is missing")),
        _ => return Err(fault(NO_SUCH_PLACE, "the key cannot be kept where KeyLocation says")),
    }
    let blob: String = value("PFXCertBlob").split_ascii_whitespace().collect();
    let octets = STANDARD.decode(blob).map_err(|_| fault(BAD_ENCODE, "PFXCertBlob is not base64"))?;
    let unreadable = |error: PkiError| match error {
        PkiError::Decrypt => (INVALID_PASSWORD, "the password does not open the file".to_owned()),
        other => (BAD_ENCODE, other.to_string()),
    };
    let found = Pkcs12::decode(&octets, &SecretText::new(value("PFXCertPassword"))).map_err(unreadable)?;
    let found = found.into_identity().map_err(unreadable)?;
    let key = DeviceKey::from_pkcs8(found.key).map_err(|error| (NO_SUCH_PLACE, error.to_string()))?;
    let unkept = |error: AgentError| (error.hresult(), error.to_string());
    // A file in place of another one: what was there goes, as Windows does when the blob is replaced.
    remove(store, tree, node).map_err(unkept)?;
    let certificate = found.certificate;
    let (_, not_after) = certificate.validity().map_err(unreadable)?;
    let about = IdentityAbout {
        id: LocalId::generate().map_err(unkept)?,
        status: Status::Current,
        url: String::new(),
        profile: format!("PFX {}", node.name().unwrap_or_default()),
        ca_fingerprint: String::new(),
        subject: certificate.subject().map(|name| name.to_string()).unwrap_or_default(),
        san: certificate.subject_alt_names().unwrap_or_default().iter().map(ToString::to_string).collect(),
        key: key.public_key().kind,
        transaction: String::new(),
        request_id: None,
        obtained_at: now,
        not_after,
        predecessor: None,
        exportable: value("PFXKeyExportable") != "false",
        place: KeyPlace::Software,
        owner: Owner::default(),
        name: None,
    };
    let thumbprint = thumbprint(certificate.der());
    // What came along is kept beside the certificate and trusted by nobody for it.
    let identity = Identity { about, certificate, chain: Vec::new(), tls_roots: None };
    store.install(&identity, &key).map_err(unkept)?;
    Ok(thumbprint)
}

/// Removes what a node of `ClientCertificateInstall` has brought: the identity whose certificate it shows, and those that one renewed.
pub(crate) fn remove(store: &DeviceStore, tree: &MemoryTree, node: &LocUri) -> Result<(), AgentError> {
    let shown = ["Thumbprint", "CertThumbprint"].iter().find_map(|name| tree.value(&node.child(name)));
    let Some(shown) = shown.filter(|shown| !shown.is_empty()) else { return Ok(()) };
    let identities = store.identities()?;
    let of = |id: &LocalId| identities.iter().find(|one| one.about.id == *id);
    let mut next = identities.iter().find(|one| thumbprint(one.certificate.der()).eq_ignore_ascii_case(&shown));
    for _ in 0..=identities.len() {
        let Some(identity) = next else { break };
        store.remove_identity(&identity.about.id)?;
        next = identity.about.predecessor.as_ref().and_then(of);
    }
    Ok(())
}
