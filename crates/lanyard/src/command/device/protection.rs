//! How keys are protected: the word for it, and asking for a PIN.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

use lanyard_agent::{
    error::AgentError,
    key::KeyPlace,
    model::{secret::SecretText, template::KeyProtection},
    tpm::{Pin, PinSource, PinWanted},
};

use super::read_secret;

pub(super) const PROTECTION_EXAMPLE: &str = "Keys that stay in the TPM:
  lanyard device enroll … --protection tpm            no PIN; fails where there is no TPM
  lanyard device enroll … --protection tpm-optional   software where there is no TPM, and says so
  lanyard device enroll … --protection tpm-pin        PIN asked now and at each use; the TPM counts wrong ones
  LANYARD_TPM names the TPM, as libtss2 writes it [default: device:/dev/tpmrm0]";

/// A protection, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protection {
    /// In a file of the store; never exported
    Software,
    /// In a file of the store; may be exported
    SoftwareExportable,
    /// In the TPM; fails where there is none
    Tpm,
    /// In the TPM where there is one, else in software
    TpmOptional,
    /// In the TPM, guarded by a PIN
    TpmPin,
}

impl From<Protection> for KeyProtection {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Software => Self::Software,
            Protection::SoftwareExportable => Self::SoftwareExportable,
            Protection::Tpm => Self::Tpm,
            Protection::TpmOptional => Self::TpmOptional,
            Protection::TpmPin => Self::TpmPin,
        }
    }
}

/// The word for where a key is and whether it may leave.
pub(super) const fn word(place: KeyPlace, exportable: bool) -> &'static str {
    match (place, exportable) {
        (KeyPlace::Software, true) => "software-exportable",
        (KeyPlace::Software, false) => "software",
        (KeyPlace::Tpm, _) => "tpm",
        (KeyPlace::TpmPin, _) => "tpm-pin",
    }
}

/// Asks for PINs: a file, or a person at a terminal. Without either there is nobody to ask.
pub(super) fn pin_source(file: Option<&Path>) -> Option<PinSource> {
    match file {
        Some(file) => {
            let file: PathBuf = file.to_owned();
            Some(Arc::new(move |_: &PinWanted| Pin::new(read_secret(&file, "PIN: ")?)))
        }
        None if std::io::stdin().is_terminal() => Some(Arc::new(typed)),
        None => None,
    }
}

fn typed(wanted: &PinWanted) -> Result<Pin, AgentError> {
    let ask = |prompt: &str| {
        let failed = |error: std::io::Error| AgentError::Challenge { from: "the terminal".into(), problem: error.to_string() };
        rpassword::prompt_password(prompt).map(SecretText::new).map_err(failed)
    };
    match wanted {
        PinWanted::Use { subject } => {
            Pin::new(ask(&format!("PIN of the key of {}: ", lanyard_agent::model::text::printable(subject)))?)
        }
        PinWanted::New => {
            let pin = ask("New PIN, 4 to 32 characters: ")?;
            if ask("The same again: ")?.expose() != pin.expose() {
                return Err(AgentError::Usage("the two PINs are not the same"));
            }
            Pin::new(pin)
        }
    }
}
