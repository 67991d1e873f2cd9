//! The `wap-provisioningdoc` (MS-MDE2, section 2.2.9 and 3.6): what a device receives with its certificate.
//!
//! Start reading at [`ProvisioningDocument`], the typed whole, made of [`CertificateStore`], [`Application`] and [`DmClient`]; [`Document`] is
//! the tree beneath. Names in the tree are those of the specification.
//!
//! Must never enter: what a device does with it.

mod application;
mod certificate_store;
mod dm_client;
mod document;
mod search;
mod tree;

pub use application::{Account, AppAuth, Application, AuthType, DefaultEncoding};
pub use certificate_store::{CertificateStore, ClientCertificate, PrivateKeyContainer, Renew, Store, thumbprint};
pub use dm_client::{CustomEnrollmentCompletePage, DmClient, Poll, Schedule};
pub use document::ProvisioningDocument;
pub use search::SearchCriteria;
pub use tree::{Characteristic, Datatype, Document, Parm};
