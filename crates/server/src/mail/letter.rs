//! What a mail says and carries.

use lettre::{
    Message,
    message::{
        Attachment as Part, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType},
    },
};

/// A file in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Name of the file.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// The file; arrives octet by octet.
    pub octets: Vec<u8>,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Address.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: String,
    /// Files.
    pub attachments: Vec<Attachment>,
}

impl Letter {
    /// As it is sent.
    ///
    /// # Errors
    /// What is wrong with an address or a media type.
    pub fn message(self, from: &Mailbox) -> Result<Message, String> {
        let to: Mailbox = self.to.parse().map_err(|_| format!("'{}' is no mail address", self.to.escape_debug()))?;
        let builder = Message::builder().from(from.clone()).to(to).subject(self.subject).date_now().message_id(None);
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(self.text);
        let mut parts = MultiPart::mixed().singlepart(text);
        for Attachment { name, media_type, octets } in self.attachments {
            let kind = ContentType::parse(media_type).map_err(|e| e.to_string())?;
            // Base64 for text too: whatever touches the ends of lines would change a file.
            let body = Body::new_with_encoding(octets, ContentTransferEncoding::Base64)
                .map_err(|_| "a file has no base64".to_owned())?;
            parts = parts.singlepart(Part::new(name).body(body, kind));
        }
        builder.multipart(parts).map_err(|e| e.to_string())
    }
}
