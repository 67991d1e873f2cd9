//! Making and using keys. The private half is made in the TPM and leaves it only encrypted by it.

use lanyard_model::key::KeyKind;
use lanyard_pki::{spki, write};
use tss_esapi::{
    attributes::ObjectAttributesBuilder,
    constants::{
        response_code::Tss2ResponseCodeKind as Kind,
        tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK},
    },
    handles::{KeyHandle, ObjectHandle},
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        ecc::EccCurve,
        key_bits::RsaKeyBits,
    },
    structures::{
        Auth, Data, Digest, EccParameter, EccPoint, EccScheme, HashScheme, HashcheckTicket, KeyDerivationFunctionScheme, Public,
        PublicBuilder, PublicEccParametersBuilder, PublicKeyRsa, PublicRsaParametersBuilder, RsaDecryptionScheme, RsaExponent,
        RsaScheme, Signature, SignatureScheme, SymmetricDefinitionObject,
    },
    tss2_esys::TPMT_TK_HASHCHECK,
};

use crate::{
    device::Tpm,
    error::{TpmError, kind},
    keyfile::KeyFile,
    lockout::Lockout,
    protocol::{Done, Hash, Octets, Pin},
};

/// The one exponent of a key made by this program.
const EXPONENT: u64 = 65_537;

/// Makes a key. The TPM counts wrong PINs of one with a PIN; one without is not touched when others lock the TPM.
pub fn create(tpm: &mut Tpm, kind: KeyKind, pin: Option<&Pin>) -> Result<Done, TpmError> {
    let template = template(kind, pin.is_some())?;
    let auth = pin.map(auth).transpose()?;
    let primary = tpm.primary()?;
    let made = tpm.in_session(true, |ctx| ctx.create(primary, template, auth, None, None, None))??;
    let file = KeyFile { public: made.out_public, private: made.out_private, pin: pin.is_some() };
    let public = subject_public_key_info(&file.public)?;
    Ok(Done::Created { key: Octets::new(file.encode()?), public: Octets::new(public) })
}

/// The public half of a key of this TPM.
pub fn public(tpm: &mut Tpm, key: &[u8]) -> Result<Done, TpmError> {
    let file = KeyFile::decode(key)?;
    let public = subject_public_key_info(&file.public)?;
    let loaded = load(tpm, file)?;
    tpm.flush(loaded.into())?;
    Ok(Done::Public { public: Octets::new(public) })
}

/// Signs a digest.
pub fn sign(tpm: &mut Tpm, key: &[u8], pin: Option<&Pin>, digest: &[u8], hash: Hash) -> Result<Done, TpmError> {
    if digest.len() != hash.octets() {
        return Err(TpmError::Request("the digest has not the length of its algorithm"));
    }
    let digest = Digest::try_from(digest.to_vec())?;
    let hash_scheme = HashScheme::new(match hash {
        Hash::Sha256 => HashingAlgorithm::Sha256,
        Hash::Sha384 => HashingAlgorithm::Sha384,
        Hash::Sha512 => HashingAlgorithm::Sha512,
    });
    let file = KeyFile::decode(key)?;
    let scheme = match (&file.public, hash) {
        (Public::Rsa { .. }, _) => SignatureScheme::RsaSsa { hash_scheme },
        (_, Hash::Sha256) => SignatureScheme::EcDsa { hash_scheme },
        _ => return Err(TpmError::Request("an EC key signs SHA-256")),
    };
    // The key is not restricted: it signs a digest of anything, and the ticket is empty.
    let ticket = TPMT_TK_HASHCHECK { tag: TPM2_ST_HASHCHECK, hierarchy: TPM2_RH_NULL, digest: Default::default() };
    let ticket = HashcheckTicket::try_from(ticket)?;
    let made = with_key(tpm, file, pin, false, |ctx, key| ctx.sign(key, digest, scheme, ticket))?;
    let signature = match made {
        Signature::RsaSsa(signature) => signature.signature().value().to_vec(),
        Signature::EcDsa(signature) => {
            write::sequence(&[write::unsigned(signature.signature_r().value()), write::unsigned(signature.signature_s().value())])
        }
        _ => return Err(TpmError::Failed("it signed otherwise than asked".into())),
    };
    Ok(Done::Signed { signature: Octets::new(signature) })
}

/// Decrypts.
pub fn decrypt(tpm: &mut Tpm, key: &[u8], pin: Option<&Pin>, data: &[u8]) -> Result<Done, TpmError> {
    let data = PublicKeyRsa::try_from(data.to_vec())?;
    let file = KeyFile::decode(key)?;
    if !matches!(file.public, Public::Rsa { .. }) {
        return Err(TpmError::Request("only an RSA key decrypts"));
    }
    let plain =
        with_key(tpm, file, pin, true, |ctx, key| ctx.rsa_decrypt(key, data, RsaDecryptionScheme::RsaEs, Data::default()))?;
    Ok(Done::Decrypted { plain: Octets::new(plain.value().to_vec()) })
}

/// Loads a key, proves its PIN, does it, and empties the slot, also after an error.
fn with_key<T>(
    tpm: &mut Tpm,
    file: KeyFile,
    pin: Option<&Pin>,
    back: bool,
    work: impl FnOnce(&mut tss_esapi::Context, KeyHandle) -> tss_esapi::Result<T>,
) -> Result<T, TpmError> {
    if file.pin != pin.is_some() {
        return Err(TpmError::Request(if file.pin { "the key has a PIN" } else { "the key has no PIN" }));
    }
    let auth = pin.map(auth).transpose()?;
    let loaded = load(tpm, file)?;
    let object = ObjectHandle::from(loaded);
    let set = auth.map_or(Ok(()), |auth| tpm.context.tr_set_auth(object, auth));
    let done = set.map_err(TpmError::from).and_then(|()| tpm.in_session(back, |ctx| work(ctx, loaded)));
    let flushed = tpm.flush(object);
    match done? {
        Ok(value) => flushed.map(|()| value),
        Err(error) => Err(refusal(tpm, error)),
    }
}

/// What a refusal means, with what the protection against guessing says about it.
fn refusal(tpm: &mut Tpm, error: tss_esapi::Error) -> TpmError {
    let lockout = |tpm: &mut Tpm| Lockout::read(&mut tpm.context);
    match kind(&error) {
        Some(Kind::AuthFail | Kind::BadAuth) => match lockout(tpm) {
            Ok(now) if now.locked => TpmError::Locked { wait: now.wait },
            Ok(now) => TpmError::WrongPin { left: now.left() },
            Err(error) => error,
        },
        Some(Kind::Lockout) => match lockout(tpm) {
            // Forgotten in this moment: soon is a good answer.
            Ok(now) => TpmError::Locked { wait: now.wait.max(1) },
            Err(error) => error,
        },
        _ => error.into(),
    }
}

fn load(tpm: &mut Tpm, file: KeyFile) -> Result<KeyHandle, TpmError> {
    let primary = tpm.primary()?;
    let loaded = tpm.in_session(false, |ctx| ctx.load(primary, file.private, file.public))?;
    loaded.map_err(|error| match kind(&error) {
        Some(Kind::Integrity | Kind::Size | Kind::Binding) => TpmError::NotMine,
        _ => error.into(),
    })
}

fn auth(pin: &Pin) -> Result<Auth, TpmError> {
    Auth::try_from(pin.expose().to_vec()).map_err(|_| TpmError::Request("the PIN is too long"))
}

fn template(kind: KeyKind, pin: bool) -> Result<Public, TpmError> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(!pin)
        .with_sign_encrypt(true)
        .with_decrypt(kind.is_rsa())
        .build()?;
    let builder = PublicBuilder::new().with_name_hashing_algorithm(HashingAlgorithm::Sha256).with_object_attributes(attributes);
    let builder = match kind {
        KeyKind::Rsa(2048) => {
            let parameters = PublicRsaParametersBuilder::new()
                .with_symmetric(SymmetricDefinitionObject::Null)
                .with_scheme(RsaScheme::Null)
                .with_key_bits(RsaKeyBits::Rsa2048)
                // 0 stands for 65537.
                .with_exponent(RsaExponent::default())
                .with_is_signing_key(true)
                .with_is_decryption_key(true)
                .with_restricted(false);
            let builder = builder.with_public_algorithm(PublicAlgorithm::Rsa).with_rsa_parameters(parameters.build()?);
            builder.with_rsa_unique_identifier(PublicKeyRsa::default())
        }
        KeyKind::EcP256 => {
            let parameters = PublicEccParametersBuilder::new()
                .with_symmetric(SymmetricDefinitionObject::Null)
                .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
                .with_curve(EccCurve::NistP256)
                .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
                .with_is_signing_key(true)
                .with_is_decryption_key(false)
                .with_restricted(false);
            let builder = builder.with_public_algorithm(PublicAlgorithm::Ecc).with_ecc_parameters(parameters.build()?);
            builder.with_ecc_unique_identifier(EccPoint::default())
        }
        _ => return Err(TpmError::Request("a TPM key is rsa:2048 or ec:p256")),
    };
    Ok(builder.build()?)
}

fn subject_public_key_info(public: &Public) -> Result<Vec<u8>, TpmError> {
    match public {
        Public::Rsa { unique, .. } => {
            let key = write::sequence(&[write::unsigned(unique.value()), write::integer(EXPONENT)]);
            Ok(spki::encode(KeyKind::Rsa(2048), &key))
        }
        Public::Ecc { unique, .. } => {
            let point = [&[4][..], &coordinate(unique.x())?, &coordinate(unique.y())?].concat();
            Ok(spki::encode(KeyKind::EcP256, &point))
        }
        _ => Err(TpmError::Request("the key is neither RSA nor EC")),
    }
}

/// A coordinate in 32 octets: a TPM may leave out zeros in front.
fn coordinate(number: &EccParameter) -> Result<[u8; 32], TpmError> {
    let mut octets = [0; 32];
    let value = number.value();
    let from = octets.len().checked_sub(value.len()).ok_or(TpmError::Request("the key is not on P-256"))?;
    octets.iter_mut().skip(from).zip(value).for_each(|(octet, given)| *octet = *given);
    Ok(octets)
}
