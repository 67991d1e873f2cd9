//! The connection to a TPM, and what lies in its slots: never more than two objects and one session at once, all given back at the end.

use std::str::FromStr;

use tss_esapi::{
    Context, TctiNameConf,
    attributes::{ObjectAttributesBuilder, SessionAttributesBuilder},
    constants::{CapabilityType, SessionType},
    handles::{KeyHandle, ObjectHandle},
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        ecc::EccCurve,
        resource_handles::Hierarchy,
        session_handles::AuthSession,
    },
    structures::{
        CapabilityData, EccPoint, Public, PublicBuilder, PublicEccParametersBuilder, SymmetricDefinition,
        SymmetricDefinitionObject,
    },
};

use crate::{
    error::{TpmError, kind},
    turns::{self, Turn},
};

/// Names the TPM, as libtss2 writes it.
const VARIABLE: &str = "LANYARD_TPM";
/// The kernel's resource manager, which several programs can use at once.
const DEFAULT: &str = "device:/dev/tpmrm0";
/// Where transient objects and loaded sessions begin among the handles (TPM 2.0 Library, part 2, "Handles").
const SLOTS: [u32; 2] = [0x8000_0000, 0x0200_0000];

/// An open TPM. Whatever it still holds is given back when it is dropped.
pub struct Tpm {
    /// The connection.
    pub context: Context,
    primary: Option<KeyHandle>,
    /// Released last.
    _turn: Option<Turn>,
}

impl Tpm {
    /// Opens the TPM.
    ///
    /// # Errors
    /// [`TpmError::Unavailable`].
    pub fn open() -> Result<Self, TpmError> {
        let at = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT.to_owned());
        // A path alone is a device.
        let name = if at.starts_with('/') { format!("device:{at}") } else { at.clone() };
        let unavailable = |why: &dyn std::fmt::Display| TpmError::Unavailable { at: at.clone(), why: why.to_string() };
        let turn = if has_manager(&name) { None } else { Some(turns::wait_for(&name).map_err(|error| unavailable(&error))?) };
        let parsed = TctiNameConf::from_str(&name).map_err(|_| unavailable(&"that is not how a TPM is named"))?;
        let mut context = Context::new(parsed).map_err(|error| unavailable(&error))?;
        if turn.is_some() {
            flush_leftovers(&mut context).map_err(|error| unavailable(&error))?;
        }
        Ok(Self { context, primary: None, _turn: turn })
    }

    /// The primary key of the owner hierarchy, under which all others are kept: a TPM makes the same one from the same template each time.
    pub fn primary(&mut self) -> Result<KeyHandle, TpmError> {
        if let Some(primary) = self.primary {
            return Ok(primary);
        }
        let template = primary_template()?;
        let made = self
            .context
            .execute_with_nullauth_session(|ctx| ctx.create_primary(Hierarchy::Owner, template, None, None, None, None));
        let primary = made.map_err(|error| {
            use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
            match kind(&error) {
                Some(Kind::BadAuth | Kind::AuthFail) => TpmError::Owner,
                _ => error.into(),
            }
        })?;
        self.primary = Some(primary.key_handle);
        Ok(primary.key_handle)
    }

    /// Does it inside a session that proves the PIN without sending it, and encrypts parameters on the way to the TPM and, with `back`, from it.
    pub fn in_session<T>(
        &mut self,
        back: bool,
        work: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<tss_esapi::Result<T>, TpmError> {
        let primary = self.primary()?;
        let session = self.context.execute_without_session(|ctx| {
            ctx.start_auth_session(
                Some(primary),
                None,
                None,
                SessionType::Hmac,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        })?;
        let session = session.ok_or_else(|| TpmError::Failed("it opens no session".into()))?;
        let (attributes, mask) = SessionAttributesBuilder::new().with_decrypt(true).with_encrypt(back).build();
        let set = self.context.tr_sess_set_attributes(session, attributes, mask);
        let done = match set {
            Ok(()) => self.context.execute_with_session(Some(session), work),
            Err(error) => Err(error),
        };
        let closed = self.close(session);
        // What went wrong first counts.
        if done.is_ok() {
            closed?;
        }
        Ok(done)
    }

    /// Empties a slot.
    pub fn flush(&mut self, object: ObjectHandle) -> Result<(), TpmError> {
        Ok(self.context.execute_without_session(|ctx| ctx.flush_context(object))?)
    }

    fn close(&mut self, session: AuthSession) -> Result<(), TpmError> {
        let handle = tss_esapi::handles::SessionHandle::from(session);
        self.flush(handle.into())
    }
}

/// Whether somebody gives each program slots of its own: the kernel or the daemon of tpm2-abrmd.
fn has_manager(name: &str) -> bool {
    name.starts_with("device:/dev/tpmrm") || name.starts_with("tabrmd")
}

/// Empties the slots that a run that was killed has left full. Without a resource manager a TPM has one user at a time, and this is its turn.
fn flush_leftovers(context: &mut Context) -> tss_esapi::Result<()> {
    for first in SLOTS {
        let (found, _) = context.execute_without_session(|ctx| ctx.get_capability(CapabilityType::Handles, first, 32))?;
        let CapabilityData::Handles(handles) = found else { continue };
        for handle in handles.into_inner() {
            // One that is gone meanwhile is what was wanted; one that stays will be told by the next step.
            let Ok(object) = context.execute_without_session(|ctx| ctx.tr_from_tpm_public(handle)) else { continue };
            let _ = context.execute_without_session(|ctx| ctx.flush_context(object));
        }
    }
    Ok(())
}

/// ECC P-256 with AES-128, as TPM key files expect it of the owner hierarchy.
fn primary_template() -> Result<Public, TpmError> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters =
        PublicEccParametersBuilder::new_restricted_decryption_key(SymmetricDefinitionObject::AES_128_CFB, EccCurve::NistP256);
    Ok(PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters.build()?)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()?)
}
