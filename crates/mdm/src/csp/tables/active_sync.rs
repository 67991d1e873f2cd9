//! ActiveSync (since 10240): mail accounts. Changes need Atomic.

use crate::csp::{Csp, Format::*, NodeSpec, Scopes};

/// ActiveSync, in the user's tree only.
pub static ACTIVE_SYNC: Csp = Csp {
    name: "ActiveSync",
    base: &["Vendor", "MSFT", "ActiveSync"],
    scopes: Scopes::User,
    ignore_case: false,
    nodes: &[
        NodeSpec::interior("", "G"),
        NodeSpec::interior("Accounts", "G"),
        NodeSpec::many("Accounts/<GUID>", "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/EmailAddress", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Domain", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/AccountIcon", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/AccountType", Chr, "AGRD").default("Exchange").one_of(&["Exchange"]).atomic(),
        NodeSpec::leaf("Accounts/<GUID>/AccountName", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/ServerName", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/UserName", Chr, "AGRD").atomic(),
        // A Get answers asterisks.
        NodeSpec::leaf("Accounts/<GUID>/Password", Chr, "AGRD").atomic(),
        NodeSpec::optional("Accounts/<GUID>/Options", "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/Schedule", Chr, "AGRD").default("-1").range(-1, 2_147_483_647).atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/UseSSL", Chr, "AGRD").default("1").one_of(&["0", "1"]).atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/MailAgeFilter", Chr, "AGRD").default("3").range(0, 6).atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/CalendarAgeFilter", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/MailBodyType", Chr, "AGRD").range(0, 4).atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/MailHTMLTruncation", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/MailPlainTextTruncation", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/Logging", Chr, "AGRD").default("0").range(0, 2).atomic(),
        NodeSpec::optional("Accounts/<GUID>/Options/ContentTypes", "AGRD").atomic(),
        NodeSpec::many("Accounts/<GUID>/Options/ContentTypes/<GUID>", "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/ContentTypes/<GUID>/Enabled", Chr, "AGRD")
            .default("1")
            .one_of(&["0", "1"])
            .atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Options/ContentTypes/<GUID>/Name", Chr, "AGRD").atomic(),
        NodeSpec::optional("Accounts/<GUID>/Policies", "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Policies/MailBodyType", Chr, "AGRD").atomic(),
        NodeSpec::leaf("Accounts/<GUID>/Policies/MaxMailAgeFilter", Chr, "AGRD").atomic(),
    ],
};
