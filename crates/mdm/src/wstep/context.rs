//! `ac:AdditionalContext`: what the device tells about itself (MS-MDE2, section 3.4).

use crate::{error::MdmError, soap::namespace::AUTHORIZATION, version::Version, xml::Element};

/// Most items that are read.
const MAX_ITEMS: usize = 128;

/// Whose enrolment it is, and so the store in which the certificate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnrollmentType {
    /// The user's: My/User.
    Full,
    /// The device's: My/System.
    Device,
}

impl EnrollmentType {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::Device => "Device",
        }
    }
}

/// The items, all of them claims. None is required here: clients leave out what they do not have, and renewals send few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdditionalContext {
    /// Whether a person started the enrolment.
    pub ux_initiated: Option<bool>,
    /// Hash of hardware identifiers, the same after another enrolment.
    pub hw_dev_id: Option<String>,
    /// Language of the device.
    pub locale: Option<String>,
    /// Whether the enrolled user is the one logged on.
    pub targeted_user_logged_in: Option<bool>,
    /// Edition of the system.
    pub os_edition: Option<u32>,
    /// Name of the device.
    pub device_name: Option<String>,
    /// Hardware addresses, separators as sent.
    pub mac: Vec<String>,
    /// IMEIs.
    pub imei: Vec<String>,
    /// Id by which the device is managed: DevInfo/DevId later on.
    pub device_id: Option<String>,
    /// Whose enrolment it is.
    pub enrollment_type: Option<EnrollmentType>,
    /// `CIMClient_Windows` or `WindowsPhone`.
    pub device_type: Option<String>,
    /// Version of the system.
    pub os_version: Option<Version>,
    /// Version of the enrolment client.
    pub application_version: Option<Version>,
    /// Whether the first-run experience is over.
    pub not_in_oobe: Option<bool>,
    /// Version of the protocol that the device speaks.
    pub request_version: Option<Version>,
    /// The OpaqueBlob of the page with the terms of use.
    pub enrollment_data: Option<String>,
    /// Who made the device.
    pub manufacturer: Option<String>,
    /// Model of the device.
    pub device_model: Option<String>,
    /// Serial number of the device.
    pub serial_number: Option<String>,
    /// Platform; an old client only.
    pub os_platform: Option<String>,
    /// Items that are not known, or whose value is not of the expected type.
    pub others: Vec<(String, String)>,
}

impl AdditionalContext {
    /// Reads the items; one that is repeated with the same value counts once.
    pub(super) fn decode(context: &Element) -> Result<Self, MdmError> {
        let mut items = Self::default();
        for (count, item) in context.all(AUTHORIZATION, "ContextItem").enumerate() {
            if count >= MAX_ITEMS {
                return Err(MdmError::XmlLimit { what: "context items", limit: MAX_ITEMS, at: item.at });
            }
            let name = item.attribute_anywhere("Name").ok_or_else(|| item.wrong("has no name"))?;
            let value = item.find_text(AUTHORIZATION, "Value")?.unwrap_or_default();
            if !value.is_empty() && !items.take(name, &value) {
                // What identifies the device must not be left to whoever reads first or last.
                if matches!(name, "DeviceID" | "HWDevID" | "EnrollmentType") && items.has(name) {
                    return Err(MdmError::Repeated { path: format!("AdditionalContext/{name}"), at: item.at });
                }
                items.others.push((name.to_owned(), value));
            }
        }
        Ok(items)
    }

    /// Whether the item found its place.
    fn take(&mut self, name: &str, value: &str) -> bool {
        match name {
            "UXInitiated" => put(&mut self.ux_initiated, boolean(value)),
            "HWDevID" => put(&mut self.hw_dev_id, Some(value.to_owned())),
            "Locale" => put(&mut self.locale, Some(value.to_owned())),
            "TargetedUserLoggedIn" => put(&mut self.targeted_user_logged_in, boolean(value)),
            "OSEdition" => put(&mut self.os_edition, value.parse().ok()),
            "DeviceName" => put(&mut self.device_name, Some(value.to_owned())),
            // QUIRK(documentation of certificate authentication): MACAddress.
            "MAC" | "MACAddress" => push(&mut self.mac, value),
            "IMEI" => push(&mut self.imei, value),
            "DeviceID" => put(&mut self.device_id, Some(value.to_owned())),
            "EnrollmentType" => put(
                &mut self.enrollment_type,
                match value {
                    // QUIRK(old samples): Lite, which had no other store either.
                    "Full" | "Lite" => Some(EnrollmentType::Full),
                    "Device" => Some(EnrollmentType::Device),
                    _ => None,
                },
            ),
            "DeviceType" => put(&mut self.device_type, Some(value.to_owned())),
            "OSVersion" => put(&mut self.os_version, value.parse().ok()),
            "ApplicationVersion" => put(&mut self.application_version, value.parse().ok()),
            "NotInOobe" => put(&mut self.not_in_oobe, boolean(value)),
            "RequestVersion" => put(&mut self.request_version, value.parse().ok()),
            "EnrollmentData" => put(&mut self.enrollment_data, Some(value.to_owned())),
            "Manufacturer" => put(&mut self.manufacturer, Some(value.to_owned())),
            "DeviceModel" => put(&mut self.device_model, Some(value.to_owned())),
            "SerialNumber" => put(&mut self.serial_number, Some(value.to_owned())),
            "OSPlatform" => put(&mut self.os_platform, Some(value.to_owned())),
            _ => false,
        }
    }

    fn has(&self, name: &str) -> bool {
        match name {
            "DeviceID" => self.device_id.is_some(),
            "HWDevID" => self.hw_dev_id.is_some(),
            _ => self.enrollment_type.is_some(),
        }
    }

    pub(super) fn encode(&self) -> Element {
        let mut context = Element::new(AUTHORIZATION, "AdditionalContext");
        let mut item = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                context.push(Element::new(AUTHORIZATION, "ContextItem").with("Name", name).leaf("Value", value));
            }
        };
        let text = |value: &Option<String>| value.clone();
        item("UXInitiated", self.ux_initiated.map(|value| value.to_string()));
        item("HWDevID", text(&self.hw_dev_id));
        item("Locale", text(&self.locale));
        item("TargetedUserLoggedIn", self.targeted_user_logged_in.map(|value| value.to_string()));
        item("OSEdition", self.os_edition.map(|value| value.to_string()));
        item("DeviceName", text(&self.device_name));
        self.mac.iter().for_each(|mac| item("MAC", Some(mac.clone())));
        self.imei.iter().for_each(|imei| item("IMEI", Some(imei.clone())));
        item("DeviceID", text(&self.device_id));
        item("EnrollmentType", self.enrollment_type.map(|value| value.name().to_owned()));
        item("DeviceType", text(&self.device_type));
        item("OSVersion", self.os_version.as_ref().map(ToString::to_string));
        item("ApplicationVersion", self.application_version.as_ref().map(ToString::to_string));
        item("NotInOobe", self.not_in_oobe.map(|value| value.to_string()));
        item("RequestVersion", self.request_version.as_ref().map(ToString::to_string));
        item("EnrollmentData", text(&self.enrollment_data));
        item("Manufacturer", text(&self.manufacturer));
        item("DeviceModel", text(&self.device_model));
        item("SerialNumber", text(&self.serial_number));
        item("OSPlatform", text(&self.os_platform));
        self.others.iter().for_each(|(name, value)| item(name, Some(value.clone())));
        context
    }
}

fn put<T: PartialEq>(place: &mut Option<T>, value: Option<T>) -> bool {
    match (&place, value) {
        (_, None) => false,
        (None, Some(value)) => {
            *place = Some(value);
            true
        }
        (Some(before), Some(value)) => *before == value,
    }
}

fn push(values: &mut Vec<String>, value: &str) -> bool {
    values.push(value.to_owned());
    true
}

fn boolean(value: &str) -> Option<bool> {
    match value {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }
}
