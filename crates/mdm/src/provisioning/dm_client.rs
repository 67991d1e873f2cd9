//! `DMClient/Provider/<PROVIDER-ID>`: who the device is to the server, and when it asks for work.

use super::tree::{Characteristic, Datatype, Parm};
use crate::error::MdmError;

/// The provider's node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DmClient {
    /// Name of the node, equal to the PROVIDER-ID of the application.
    pub provider_id: String,
    /// User's principal name.
    pub upn: Option<String>,
    /// Name of the device as administrators see it.
    pub ent_device_name: Option<String>,
    /// The server's id of the device; without it a renewed certificate cannot be tied to the device.
    pub ent_dmid: Option<String>,
    /// Telephone number of the help desk.
    pub help_phone_number: Option<String>,
    /// Web site of the help desk.
    pub help_website: Option<String>,
    /// E-mail address of the help desk.
    pub help_email_address: Option<String>,
    /// Version of the management protocol: 1.0 unless set; from 3.0 on errors come with their cause.
    pub sync_application_version: Option<String>,
    /// Whether messages are signed in an HTTP header.
    pub require_message_signing: Option<bool>,
    /// When the device asks for work.
    pub poll: Option<Poll>,
    /// What the device shows at the end.
    pub custom_enrollment_complete_page: Option<CustomEnrollmentCompletePage>,
    /// Parameters that are not known here.
    pub others: Vec<Parm>,
}

/// `Poll`: three schedules, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    /// Right after the enrolment. It must end: one that repeats for ever keeps the others from beginning.
    pub first: Schedule,
    /// After the first.
    pub second: Schedule,
    /// After the second; the one to repeat for ever.
    pub remaining: Schedule,
    /// A session at each logon.
    pub poll_on_login: Option<bool>,
    /// A session at the first logon of each user.
    pub all_users_poll_on_first_login: Option<bool>,
}

/// One schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How often; 0 for ever.
    pub retries: u32,
    /// Minutes between two sessions; 0 switches the schedule off.
    pub interval: u32,
}

/// `CustomEnrollmentCompletePage` (Windows 10 1703 and later).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomEnrollmentCompletePage {
    /// Title.
    pub title: Option<String>,
    /// Text.
    pub body_text: Option<String>,
    /// Address of the link.
    pub hyperlink_href: Option<String>,
    /// Text of the link.
    pub hyperlink_text: Option<String>,
}

const KNOWN: [&str; 8] = [
    "UPN",
    "EntDeviceName",
    "EntDMID",
    "HelpPhoneNumber",
    "HelpWebsite",
    "HelpEmailAddress",
    "SyncApplicationVersion",
    "RequireMessageSigning",
];

impl DmClient {
    pub(super) fn encode(&self) -> Characteristic {
        let mut node = Characteristic::new(self.provider_id.clone())
            .typed("UPN", self.upn.as_ref(), Datatype::String)
            .typed("EntDeviceName", self.ent_device_name.as_ref(), Datatype::String)
            .typed("EntDMID", self.ent_dmid.as_ref(), Datatype::String)
            .typed("HelpPhoneNumber", self.help_phone_number.as_ref(), Datatype::String)
            .typed("HelpWebsite", self.help_website.as_ref(), Datatype::String)
            .typed("HelpEmailAddress", self.help_email_address.as_ref(), Datatype::String)
            .typed("SyncApplicationVersion", self.sync_application_version.as_ref(), Datatype::String)
            .typed("RequireMessageSigning", self.require_message_signing, Datatype::Boolean);
        node.parms.extend(self.others.iter().cloned());
        if let Some(poll) = &self.poll {
            node = node.child(poll.encode());
        }
        if let Some(page) = &self.custom_enrollment_complete_page {
            node = node.child(
                Characteristic::new("CustomEnrollmentCompletePage")
                    .typed("Title", page.title.as_ref(), Datatype::String)
                    .typed("BodyText", page.body_text.as_ref(), Datatype::String)
                    .typed("HyperlinkHref", page.hyperlink_href.as_ref(), Datatype::String)
                    .typed("HyperlinkText", page.hyperlink_text.as_ref(), Datatype::String),
            );
        }
        Characteristic::new("DMClient").child(Characteristic::new("Provider").child(node))
    }

    pub(super) fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let provider = node.find("Provider").map(|provider| provider.children.as_slice());
        let Some([node]) = provider else {
            return Err(MdmError::Provisioning("DMClient has not exactly one provider"));
        };
        let text = |name| node.value(name).map(str::to_owned);
        let page = node.find("CustomEnrollmentCompletePage").map(|page| {
            let text = |name| page.value(name).map(str::to_owned);
            CustomEnrollmentCompletePage {
                title: text("Title"),
                body_text: text("BodyText"),
                hyperlink_href: text("HyperlinkHref"),
                hyperlink_text: text("HyperlinkText"),
            }
        });
        Ok(Self {
            provider_id: node.kind.clone().into_owned(),
            upn: text("UPN"),
            ent_device_name: text("EntDeviceName"),
            ent_dmid: text("EntDMID"),
            help_phone_number: text("HelpPhoneNumber"),
            help_website: text("HelpWebsite"),
            help_email_address: text("HelpEmailAddress"),
            sync_application_version: text("SyncApplicationVersion"),
            require_message_signing: node.parsed("RequireMessageSigning")?,
            poll: node.find("Poll").map(Poll::decode).transpose()?,
            custom_enrollment_complete_page: page,
            others: node.parms.iter().filter(|parm| !KNOWN.contains(&&*parm.name)).cloned().collect(),
        })
    }
}

impl Poll {
    fn encode(&self) -> Characteristic {
        Characteristic::new("Poll")
            .typed("NumberOfFirstRetries", Some(self.first.retries), Datatype::Integer)
            .typed("IntervalForFirstSetOfRetries", Some(self.first.interval), Datatype::Integer)
            .typed("NumberOfSecondRetries", Some(self.second.retries), Datatype::Integer)
            .typed("IntervalForSecondSetOfRetries", Some(self.second.interval), Datatype::Integer)
            .typed("NumberOfRemainingScheduledRetries", Some(self.remaining.retries), Datatype::Integer)
            .typed("IntervalForRemainingScheduledRetries", Some(self.remaining.interval), Datatype::Integer)
            .typed("PollOnLogin", self.poll_on_login, Datatype::Boolean)
            .typed("AllUsersPollOnFirstLogin", self.all_users_poll_on_first_login, Datatype::Boolean)
    }

    /// Reads it; what is missing has the default of the CSP.
    fn decode(node: &Characteristic) -> Result<Self, MdmError> {
        let schedule = |retries, interval, default: Schedule| -> Result<Schedule, MdmError> {
            Ok(Schedule {
                retries: node.parsed(retries)?.unwrap_or(default.retries),
                interval: node.parsed(interval)?.unwrap_or(default.interval),
            })
        };
        let none = Schedule::default();
        Ok(Self {
            first: schedule("NumberOfFirstRetries", "IntervalForFirstSetOfRetries", Schedule { retries: 10, interval: 15 })?,
            second: schedule("NumberOfSecondRetries", "IntervalForSecondSetOfRetries", none)?,
            remaining: schedule("NumberOfRemainingScheduledRetries", "IntervalForRemainingScheduledRetries", none)?,
            poll_on_login: node.parsed("PollOnLogin")?,
            all_users_poll_on_first_login: node.parsed("AllUsersPollOnFirstLogin")?,
        })
    }
}
