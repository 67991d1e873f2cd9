//! The question.

use crate::{error::MdmError, soap::namespace::POLICY, xml::Element};

/// `GetPolicies` (MS-XCEP, section 3.1.4.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetPolicies {
    /// When the client asked last, as it was sent; Windows MDM sends nil.
    pub last_update: Option<String>,
    /// Language for texts; Windows MDM sends nil.
    pub preferred_language: Option<String>,
    /// Windows 11: who made the TPM.
    pub tpm_manufacturer: Option<String>,
    /// Windows 11: version of the TPM's firmware.
    pub tpm_firmware_version: Option<String>,
}

impl GetPolicies {
    /// Reads the body of a request; filters and unknown children are passed over.
    ///
    /// # Errors
    /// [`MdmError::Repeated`], [`MdmError::Value`].
    pub fn decode(body: &Element) -> Result<Self, MdmError> {
        if !body.is(POLICY, "GetPolicies") {
            return Err(body.wrong("is not GetPolicies"));
        }
        let Some(client) = body.find(POLICY, "client")? else { return Ok(Self::default()) };
        Ok(Self {
            last_update: client.find_text(POLICY, "lastUpdate")?,
            preferred_language: client.find_text(POLICY, "preferredLanguage")?,
            tpm_manufacturer: client.find_text(POLICY, "TPMManufacturer")?,
            tpm_firmware_version: client.find_text(POLICY, "TPMFirmwareVersion")?,
        })
    }

    /// The body of a request.
    #[must_use]
    pub fn encode(&self) -> Element {
        let mut client = Element::new(POLICY, "client")
            .leaf_or_nil("lastUpdate", self.last_update.clone())
            .leaf_or_nil("preferredLanguage", self.preferred_language.clone());
        if let Some(manufacturer) = &self.tpm_manufacturer {
            client = client.leaf("TPMManufacturer", &**manufacturer);
        }
        if let Some(version) = &self.tpm_firmware_version {
            client = client.leaf("TPMFirmwareVersion", &**version);
        }
        Element::new(POLICY, "GetPolicies").child(client).nil("requestFilter")
    }
}
