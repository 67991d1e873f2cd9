//! What can go wrong on a device, ordered by fault: the server's answer, the caller, ourselves.

use std::path::{Path, PathBuf};

use lanyard_enroll::scep::error::ScepError;
use lanyard_model::{key::KeyKind, text::printable};
use lanyard_pki::error::PkiError;

/// The operation whose request is kept for another run.
pub(crate) const PKI_OPERATION: &str = "PKIOperation";

/// An error of this room. The text names the cause, [`AgentError::fix`] the remedy; `code` is stable and documented in `docs/errors.md`.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The server cannot be reached, or the connection broke before the answer was complete.
    #[error("the server at {url} did not answer {operation}: {cause}")]
    Unreachable {
        /// What was asked.
        operation: &'static str,
        /// Whom.
        url: String,
        /// Why, with the whole chain of causes.
        cause: String,
    },
    /// The server answered with an HTTP error.
    #[error("the server answered {operation} with HTTP status {status}{}", in_words(*status))]
    HttpStatus {
        /// What was asked.
        operation: &'static str,
        /// The status.
        status: u16,
    },
    /// The answer is larger than anything that SCEP needs.
    #[error("the server's answer to {operation} has more than {limit} octets")]
    AnswerTooLarge {
        /// What was asked.
        operation: &'static str,
        /// The limit in octets.
        limit: usize,
    },
    /// The certificates of the server are not those of the pinned CA.
    #[error("{0}")]
    CaCertificates(#[source] ScepError),
    /// The server claims less than the least that is done.
    #[error("{0}")]
    Downgrade(#[source] ScepError),
    /// The answer does not verify; nothing of it was used.
    #[error("{0}")]
    Answer(#[source] ScepError),
    /// The certificate lacks a name that was asked for.
    #[error("the server issued a certificate without what was asked for: {}", missing.join(", "))]
    OtherNames {
        /// Names that are missing.
        missing: Vec<String>,
    },

    /// A management service refused.
    #[error("the server refused {operation}: {} ({}, {})", printable(&fault.reason), fault.hresult(), fault.hresult().name().unwrap_or("unknown"))]
    Fault {
        /// What was asked.
        operation: &'static str,
        /// Its fault.
        fault: Box<lanyard_mdm::soap::Fault>,
    },
    /// A management service sent something else than an answer.
    #[error("the server's answer cannot be used: {0}")]
    ManagementMessage(#[source] lanyard_mdm::error::MdmError),
    /// The provisioning document lacks something.
    #[error("what the server sent does not make a management account: {0}")]
    Provisioning(&'static str),
    /// A redirect, which a device follows only when its user accepted it.
    #[error("the server redirects {operation} elsewhere, which is not followed")]
    Redirect {
        /// What was asked.
        operation: &'static str,
    },
    /// The server wants the user to sign in on a web page.
    #[error("the server wants the user to sign in at {url}")]
    SignIn {
        /// The page.
        url: String,
    },

    /// The management server refused the session.
    #[error("the management server refused the session with status {status}")]
    SessionRefused {
        /// SyncML status.
        status: u16,
    },

    /// The device is under management already.
    #[error("this device is managed by {server} already")]
    AlreadyJoined {
        /// By whom.
        server: String,
    },
    /// The device is not under management.
    #[error("this device has not joined any management")]
    NotJoined,
    /// There is nothing that could be kept from ending.
    #[error("there is nothing to keep renewed here: no management was joined, and there is no identity by SCEP")]
    NothingToKeep,
    /// The identity came in a file.
    #[error("the identity {id} came in a file and cannot be renewed from here")]
    NotRenewable {
        /// Its id.
        id: String,
    },
    /// Another process keeps the schedule of this device.
    #[error("another 'lanyard device run' is at work for this device")]
    Running,
    /// The identity has ended: a device does not renew by itself any more.
    #[error("the identity of this device has ended: it can neither have a session nor renew by itself any more")]
    Expired,
    /// Key and certificate of the identity cannot be used for TLS.
    #[error("the identity cannot be used for TLS: {0}")]
    TlsIdentity(String),
    /// The URL is not one that can be spoken to.
    #[error("'{url}' cannot be used: {problem}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The fingerprint is not 32 octets in hexadecimal.
    #[error("'{0}' is not a SHA-256 fingerprint: 64 hexadecimal digits are expected, with or without colons")]
    Fingerprint(String),
    /// SCEP encrypts to the key, which only RSA can do.
    #[error("a {0} key cannot be used with SCEP, which encrypts the certificate to the device's key")]
    KeyKind(KeyKind),
    /// No identity or held request has this id.
    #[error("nothing in the device store has an id that begins with '{0}'")]
    UnknownId(String),
    /// Several have.
    #[error("several ids in the device store begin with '{0}'")]
    AmbiguousId(String),
    /// The identity was renewed already.
    #[error("the identity {id} was replaced by a newer one")]
    Superseded {
        /// Its id.
        id: String,
    },
    /// The challenge cannot be read from where it was said to be.
    #[error("the challenge cannot be read from {from}: {problem}")]
    Challenge {
        /// The file, or `-` for standard input.
        from: String,
        /// Why.
        problem: String,
    },
    /// A file of certificates cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[source] PkiError),
    /// A file is larger than any file of certificates.
    #[error("the file has more than {limit} octets")]
    FileTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// A policy is not believed, or cannot be applied; nothing of it was used.
    #[error("the policy is refused: {0}")]
    Policy(String),
    /// The file is locked, and the passphrase does not open it.
    #[error("{0}")]
    Passphrase(&'static str),
    /// The person did not agree.
    #[error("nothing was installed: {0}")]
    NotAgreed(&'static str),
    /// The key was not made or installed to leave the store.
    #[error("the private key of {id} must stay on this device")]
    NotExportable {
        /// Its identity.
        id: String,
    },
    /// The key is in the TPM.
    #[error("the private key is in the TPM of this device and never outside it")]
    KeyInTpm,
    /// A program cannot use a key in the TPM by a file.
    #[error(
        "the private key of {id} is in the TPM and never in a file, and {program} cannot use it there, or cannot ask for its PIN"
    )]
    NeedsPkcs11 {
        /// Its identity.
        id: String,
        /// The program.
        program: &'static str,
    },
    /// The program that speaks with the TPM is not there.
    #[error("keys in a TPM need the program lanyard-tpm, which is neither beside lanyard nor in PATH")]
    NoTpmProgram,
    /// There is no TPM that can be used.
    #[error("there is no TPM that can be used: {why}")]
    NoTpm {
        /// Why.
        why: String,
    },
    /// A TPM does not keep such keys.
    #[error("a key of kind {0} is not kept in a TPM, which keeps rsa:2048")]
    TpmKeyKind(KeyKind),
    /// The key is not one of this TPM.
    #[error("the key is not one of the TPM in this device, or the TPM was cleared since it was made")]
    TpmKeyLost,
    /// The PIN is wrong; the TPM counted it.
    #[error("the PIN is wrong; after {left} more wrong ones the TPM is locked")]
    WrongPin {
        /// How many more wrong ones it takes.
        left: u32,
    },
    /// Too many wrong PINs.
    #[error("the TPM is locked after too many wrong PINs, until {until} at the latest ({} s)", wait.secs())]
    PinLocked {
        /// When a PIN is taken again, at the latest.
        until: lanyard_model::time::Timestamp,
        /// How long that is.
        wait: lanyard_model::time::Span,
    },
    /// The key has a PIN, and nobody can be asked for it.
    #[error("the key has a PIN, and nobody can be asked for it here")]
    PinNeeded,
    /// The TPM, or the program that speaks with it, failed.
    #[error("the TPM could not do it: {0}")]
    Tpm(String),
    /// No identity in the store fits.
    #[error("no identity in the device store fits: current, valid now, for this purpose and from that authority")]
    NoIdentity,
    /// Several fit.
    #[error("several identities fit: {}", ids.join(", "))]
    SeveralIdentities {
        /// Which, with their subjects.
        ids: Vec<String>,
    },
    /// A program of the system is needed and not there.
    #[error("the program {program} is not there")]
    Program {
        /// Its name.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// What was asked for does not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// The file with roots for TLS has no certificate in it.
    #[error("the file with TLS roots cannot be used: {0}")]
    TlsRoots(String),

    /// The store, or a key in it, can be read by others.
    #[error("{} can be read by other users of this device (mode {mode:03o})", path.display())]
    Permissions {
        /// Where.
        path: PathBuf,
        /// Mode found.
        mode: u32,
    },
    /// A file or folder of the store failed.
    #[error("{what} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the store does not hold what it should.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A key or message could not be made.
    #[error("our own message could not be made: {0}")]
    Own(#[source] PkiError),
    /// Background work was cut off; the program is ending.
    #[error("the work was interrupted")]
    Interrupted,
}

impl AgentError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "agent.unreachable",
            Self::HttpStatus { .. } => "agent.http-status",
            Self::AnswerTooLarge { .. } => "agent.answer-too-large",
            Self::CaCertificates(_) => "agent.ca-certificates",
            Self::Downgrade(_) => "agent.downgrade",
            Self::Answer(_) => "agent.answer",
            Self::OtherNames { .. } => "agent.other-names",
            Self::Fault { .. } => "agent.fault",
            Self::ManagementMessage(_) => "agent.management-message",
            Self::Provisioning(_) => "agent.provisioning",
            Self::Redirect { .. } => "agent.redirect",
            Self::SignIn { .. } => "agent.sign-in",
            Self::SessionRefused { .. } => "agent.session-refused",
            Self::AlreadyJoined { .. } => "agent.already-joined",
            Self::NotJoined => "agent.not-joined",
            Self::NothingToKeep => "agent.nothing-to-keep",
            Self::NotRenewable { .. } => "agent.not-renewable",
            Self::Running => "agent.running",
            Self::Expired => "agent.expired",
            Self::TlsIdentity(_) => "agent.tls-identity",
            Self::Url { .. } => "agent.url",
            Self::Fingerprint(_) => "agent.fingerprint",
            Self::KeyKind(_) => "agent.key-kind",
            Self::UnknownId(_) => "agent.unknown-id",
            Self::AmbiguousId(_) => "agent.ambiguous-id",
            Self::Superseded { .. } => "agent.superseded",
            Self::Challenge { .. } => "agent.challenge",
            Self::File(_) => "agent.file",
            Self::FileTooLarge { .. } => "agent.file-too-large",
            Self::Policy(_) => "agent.policy",
            Self::Passphrase(_) => "agent.passphrase",
            Self::NotAgreed(_) => "agent.not-agreed",
            Self::NotExportable { .. } => "agent.not-exportable",
            Self::KeyInTpm => "agent.key-in-tpm",
            Self::NeedsPkcs11 { .. } => "agent.needs-pkcs11",
            Self::NoTpmProgram => "agent.no-tpm-program",
            Self::NoTpm { .. } => "agent.no-tpm",
            Self::TpmKeyKind(_) => "agent.tpm-key-kind",
            Self::TpmKeyLost => "agent.tpm-key-lost",
            Self::WrongPin { .. } => "agent.wrong-pin",
            Self::PinLocked { .. } => "agent.pin-locked",
            Self::PinNeeded => "agent.pin-needed",
            Self::Tpm(_) => "agent.tpm",
            Self::NoIdentity => "agent.no-identity",
            Self::SeveralIdentities { .. } => "agent.several-identities",
            Self::Program { .. } => "agent.program",
            Self::Usage(_) => "agent.usage",
            Self::TlsRoots(_) => "agent.tls-roots",
            Self::Permissions { .. } => "agent.store-permissions",
            Self::Io { .. } => "agent.store",
            Self::Damaged { .. } => "agent.store-damaged",
            Self::Own(_) => "agent.own-message",
            Self::Interrupted => "agent.interrupted",
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn fix(&self) -> String {
        let text = match self {
            Self::Unreachable { operation: PKI_OPERATION, .. } => {
                "check the network; then run 'lanyard device resume', which sends the same message again"
            }
            Self::Unreachable { .. } => "check the URL, the network and, for https, --tls-roots; then run the command again",
            Self::HttpStatus { status: 404, .. } => "check the profile at the end of the URL with the administrator",
            Self::HttpStatus { operation: PKI_OPERATION, status: 429 | 500..=599 } => {
                "wait and run 'lanyard device resume', which sends the same message again"
            }
            Self::HttpStatus { status: 429 | 500..=599, .. } => "wait and run the command again",
            Self::HttpStatus { .. } | Self::AnswerTooLarge { .. } => {
                "check that the URL leads to a SCEP server and not to a proxy or a login page"
            }
            Self::CaCertificates(_) => {
                "compare --ca-fingerprint with 'lanyard ca show' on the server; if they are the same, somebody is between"
            }
            Self::Downgrade(_) => {
                "check that the URL leads to the SCEP server directly; if it does, the server must offer AES and SHA-256"
            }
            Self::Answer(_) => {
                "tell the administrator; an answer that does not verify may be an attack or a server set up wrongly"
            }
            Self::OtherNames { .. } => {
                "ask the administrator which names the record of this device has, or accept them with --accept-other-names"
            }
            Self::Fault { .. } | Self::SessionRefused { .. } => {
                "tell the administrator, who finds the cause in 'lanyard audit list'"
            }
            Self::ManagementMessage(_) | Self::Provisioning(_) => {
                "check that the address is that of the management server; if it is, tell the administrator"
            }
            Self::Redirect { .. } => "give the address that it redirects to, if you trust it",
            Self::SignIn { .. } => "sign in on that page and give the token with --token-file",
            Self::AlreadyJoined { .. } => "run 'lanyard device leave' first",
            Self::NotJoined => "run 'lanyard device join https://…' first",
            Self::Expired => {
                "join again: 'lanyard device leave --yes', then 'lanyard device join'; the server knows the device and keeps its record. \
                 Where the server allows renewal after the end, 'lanyard device sync --renew-with-password-file F' does as well"
            }
            Self::NothingToKeep => "run 'lanyard device join https://…' or 'lanyard device enroll …' first",
            Self::NotRenewable { .. } => {
                "get another one from where it came from, such as the portal, and install it; then remove this one"
            }
            Self::Running => "let that one do its work, or end it first",
            Self::TlsIdentity(_) => "run 'lanyard device leave' and join again",
            Self::Url { .. } => "give a URL such as http://ca.example.org/scep/devices",
            Self::Fingerprint(_) => "copy the SHA-256 fingerprint from 'lanyard ca show' on the server",
            Self::KeyKind(_) => "ask for --key rsa:2048, rsa:3072 or rsa:4096",
            Self::UnknownId(_) => "see 'lanyard device list'",
            Self::AmbiguousId(_) => "give more digits of the id",
            Self::Superseded { .. } => "renew the current identity; see 'lanyard device list'",
            Self::Challenge { .. } => "give a file that holds the challenge alone, or - and the challenge on standard input",
            Self::File(_) => {
                "give a file with certificates: .cer, .crt, .p7b, .pem, .pfx or .p12; if it is one, ask whoever made it to make it anew"
            }
            Self::FileTooLarge { .. } => "give a file with certificates; such files are small",
            Self::Policy(_) => {
                "ask for a fresh one ('lanyard profile export … --platform linux'); a root that this device does not trust yet is named by --trust with \
                 its fingerprint, which the administrator tells you by another way"
            }
            Self::Passphrase(_) => {
                "ask whoever gave you the file for its passphrase, and give it when asked or by --passphrase-file"
            }
            Self::NotAgreed(_) => "look at it with --dry-run; agree when asked, or by --yes, and to roots by --trust-roots",
            Self::NotExportable { .. } => {
                "export the certificate alone by --certificate; a key leaves only where 'install --exportable' or 'enroll --protection software-exportable' allowed it"
            }
            Self::KeyInTpm => "export the certificate alone by --certificate; obtain another identity where a key is to leave",
            Self::NeedsPkcs11 { .. } => {
                "obtain an identity with --protection software for this program; keys without a PIN serve curl and openssl"
            }
            Self::NoTpmProgram => {
                "build it where libtss2-dev is installed, by 'cargo build --release -p lanyard-tpm', and put it beside lanyard or into PATH"
            }
            Self::NoTpm { .. } => {
                "check that the TPM is switched on and that this user may open /dev/tpmrm0 (group tss), or name another one by LANYARD_TPM; \
                 without a TPM, ask for --protection tpm-optional or software"
            }
            Self::TpmKeyKind(_) => "ask for --key rsa:2048, or for --protection software",
            Self::TpmKeyLost => "enrol anew: nobody can bring this key back",
            Self::WrongPin { .. } => "give the PIN that was chosen when the key was made",
            Self::PinLocked { .. } => {
                "wait until then; the TPM forgets one wrong PIN after another, and the right one is not taken before"
            }
            Self::PinNeeded => "run it in a terminal, or give the PIN by --pin-file",
            Self::Tpm(_) => "try again; if it stays, look at the TPM with 'tpm2_getcap properties-variable'",
            Self::NoIdentity => "see 'lanyard device list'; --issuer takes a common name or the beginning of a fingerprint",
            Self::SeveralIdentities { .. } => "give the id, or --issuer with the authority that the network asks for",
            Self::Program { package, .. } => return format!("install it: apt-get install {package}"),
            Self::Usage(_) => "see the help of the command",
            Self::TlsRoots(_) => "give a file with one or more certificates in PEM",
            Self::Permissions { path, .. } => return format!("run: chmod go= {}", path.display()),
            Self::Io { .. } => "check that the folder exists, belongs to this user and has space left",
            Self::Damaged { .. } => "restore the file from a backup, or run 'lanyard device remove' and enrol again",
            Self::Own(_) => "check the names and the key that were given",
            Self::Interrupted => "run 'lanyard device resume'",
        };
        text.to_owned()
    }

    /// What a Windows device would write down about a failed renewal.
    #[must_use]
    pub fn hresult(&self) -> u32 {
        use lanyard_mdm::hresult::Hresult;
        match self {
            Self::Fault { fault, .. } => fault.hresult().0,
            Self::HttpStatus { status, .. } => Hresult::of_http_status(*status).0,
            // NTE_NOT_SUPPORTED: no place to keep such a key in.
            Self::NoTpmProgram | Self::NoTpm { .. } | Self::TpmKeyKind(_) | Self::PinNeeded => 0x8009_0029,
            // E_FAIL.
            _ => 0x8000_4005,
        }
    }

    /// Whether sending the same message again may help.
    #[must_use]
    pub(crate) const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::HttpStatus { status: 429 | 500..=599, .. })
    }

    /// Whether it says that no TPM is there for such a key, so that software may take its place where that is allowed.
    #[must_use]
    pub(crate) const fn is_absent_tpm(&self) -> bool {
        matches!(self, Self::NoTpmProgram | Self::NoTpm { .. } | Self::TpmKeyKind(_))
    }

    /// For `map_err` on what was done to a file.
    pub fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), problem: printable(&problem.to_string()) }
    }
}

/// An error of the messages, seen from the device: whose fault it is depends on the variant alone.
impl From<ScepError> for AgentError {
    fn from(error: ScepError) -> Self {
        match error {
            ScepError::CaCertificates(_) => Self::CaCertificates(error),
            ScepError::Downgrade(_) => Self::Downgrade(error),
            ScepError::Own(cause) => Self::Own(cause),
            other => Self::Answer(other),
        }
    }
}

const fn in_words(status: u16) -> &'static str {
    match status {
        301 | 302 | 303 | 307 | 308 => " (a redirect, which is not followed)",
        404 => " (there is no such profile)",
        413 => " (the message is too large)",
        429 | 503 => " (it is overloaded)",
        _ => "",
    }
}
