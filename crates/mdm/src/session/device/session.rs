//! From the first message to the last.

use super::{execute::Executor, tree::ManagementTree};
use crate::{
    csp::Format,
    syncml::{
        Address, Alert, Command, Item, Meta, Request, Status, StatusCode, SyncBody, SyncHdr, SyncMl, Verb,
        alert::{self, AlertCode, LoginStatus},
        cred, size_of,
    },
};

/// So often credentials are asked for in one session.
const MAX_ATTEMPTS: u8 = 3;
/// What header and body of a message take besides the commands.
const OVERHEAD: usize = 1500;

/// Credentials of the account (`APPAUTH` of level `APPSRV`).
#[derive(Clone, PartialEq, Eq)]
pub enum DeviceCredentials {
    /// `DIGEST`.
    Md5 {
        /// `AAUTHNAME`.
        user: String,
        /// `AAUTHSECRET`.
        secret: String,
        /// The nonce of the last 212; without one the first message goes out without credentials.
        nonce: Option<Vec<u8>>,
    },
    /// `BASIC`.
    Basic {
        /// `AAUTHNAME`.
        user: String,
        /// `AAUTHSECRET`.
        secret: String,
    },
}

impl std::fmt::Debug for DeviceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceCredentials").field("user", &self.user()).finish_non_exhaustive()
    }
}

impl DeviceCredentials {
    fn user(&self) -> &str {
        match self {
            Self::Md5 { user, .. } | Self::Basic { user, .. } => user,
        }
    }
}

/// What a session begins with.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// `DevInfo/DevId`.
    pub device_id: String,
    /// Address of the server.
    pub server_url: String,
    /// `SessionID`, another one each time.
    pub session_id: String,
    /// Node and value of what is told in the first message, `./DevInfo/DevId` included.
    pub dev_info: Vec<(String, String)>,
    /// Who is logged on.
    pub login: LoginStatus,
    /// The server asked for the session.
    pub server_initiated: bool,
    /// What else happened, between the login status and DevInfo.
    pub alerts: Vec<Alert>,
    /// Credentials of the account.
    pub credentials: Option<DeviceCredentials>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Box<SyncMl>),
    /// The session is over. What came with 212 is for the next session.
    Ended {
        /// The nonce, if there was one.
        next_nonce: Option<Vec<u8>>,
    },
    /// The server refuses the device.
    Refused(StatusCode),
    /// The device leaves: remove what the management brought, then send [`DeviceSession::goodbye`], best effort.
    Unenroll,
    /// The message is not part of this session.
    Stray,
}

/// A session in progress.
#[derive(Debug, Clone)]
pub struct DeviceSession {
    config: DeviceConfig,
    msg_id: u32,
    /// Valid for the whole session.
    authenticated: bool,
    nonce: Option<Vec<u8>>,
    attempts: u8,
    next_nonce: Option<Vec<u8>>,
    /// The server's `MaxMsgSize`.
    max_msg_size: usize,
    /// Answers that did not fit.
    rest: Vec<Command>,
}

impl DeviceSession {
    /// Begins a session: the session and its first message.
    #[must_use]
    pub fn start(config: DeviceConfig) -> (Self, SyncMl) {
        let nonce = match &config.credentials {
            Some(DeviceCredentials::Md5 { nonce, .. }) => nonce.clone(),
            _ => None,
        };
        let mut session = Self {
            config,
            msg_id: 0,
            authenticated: false,
            nonce,
            attempts: 0,
            next_nonce: None,
            max_msg_size: usize::MAX,
            rest: Vec::new(),
        };
        let commands = session.package_1();
        let message = session.message(commands);
        (session, message)
    }

    /// The last message of a device that leaves, or that its user takes out of the management; a session of its own, whose answer does not
    /// matter.
    #[must_use]
    pub fn goodbye(config: DeviceConfig) -> SyncMl {
        let mut item = Item { data: Some("1".to_owned()), ..Item::default() };
        item.meta = Meta { kind: Some(alert::UNENROLLMENT.to_owned()), ..Item::bare("", Format::Int).meta };
        let alert = Alert { items: vec![item], ..Alert::plain(AlertCode::GENERIC) };
        let (mut session, _) = Self::start(config);
        session.msg_id = 0;
        let commands = vec![Command::Alert(alert), session.dev_info()];
        session.message(commands)
    }

    /// Takes a message of the server.
    pub fn receive(&mut self, message: &SyncMl, tree: &mut dyn ManagementTree) -> Next {
        if message.header.session_id != self.config.session_id {
            return Next::Stray;
        }
        if let Some(size) = message.header.meta.max_msg_size {
            self.max_msg_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        let commands = &message.body.commands;
        let header = commands.iter().find_map(|command| match command {
            Command::Status(status) if status.cmd_ref == 0 => Some(status),
            _ => None,
        });
        if let Some(next) = header.and_then(|status| self.read_header_status(status, message)) {
            return next;
        }
        let is_alert = |code| commands.iter().any(|command| matches!(command, Command::Alert(alert) if alert.code == code));
        if is_alert(AlertCode::SESSION_ABORT) || (commands.iter().all(Command::is_answer) && self.rest.is_empty()) {
            return Next::Ended { next_nonce: self.next_nonce.clone() };
        }
        let msg_ref = message.header.msg_id;
        let has_user = self.config.login == LoginStatus::User;
        let mut executor = Executor { tree, msg_ref, has_user, answers: Vec::new(), unenroll: false };
        for command in commands {
            executor.run(command);
        }
        if executor.unenroll {
            return Next::Unenroll;
        }
        let mut answers = vec![Command::Status(Status::new(msg_ref, 0, "SyncHdr", StatusCode::OK))];
        answers.append(&mut self.rest);
        answers.append(&mut executor.answers);
        if !message.body.is_final && !is_alert(AlertCode::NEXT_MESSAGE) {
            answers.push(Command::Alert(Alert::plain(AlertCode::NEXT_MESSAGE)));
        }
        Next::Send(Box::new(self.message(answers)))
    }

    /// What the server says about our last message; something to do next when it was not accepted.
    fn read_header_status(&mut self, status: &Status, message: &SyncMl) -> Option<Next> {
        let nonce = status.chal.as_ref().and_then(|chal| chal.meta.next_nonce.as_deref()).and_then(cred::read_nonce);
        match status.code {
            StatusCode::AUTHENTICATED => {
                self.authenticated = true;
                self.next_nonce = nonce;
                None
            }
            StatusCode::MISSING_CREDENTIALS | StatusCode::INVALID_CREDENTIALS => {
                if status.chal.is_none() || self.config.credentials.is_none() || self.attempts >= MAX_ATTEMPTS {
                    return Some(Next::Refused(status.code));
                }
                self.attempts = self.attempts.saturating_add(1);
                self.authenticated = false;
                self.nonce = nonce.or(self.nonce.take());
                let mut commands = vec![Command::Status(Status::new(message.header.msg_id, 0, "SyncHdr", StatusCode::OK))];
                commands.append(&mut self.package_1());
                Some(Next::Send(Box::new(self.message(commands))))
            }
            code if code.is_success() => {
                self.nonce = nonce.or(self.nonce.take());
                None
            }
            code => Some(Next::Refused(code)),
        }
    }

    fn package_1(&self) -> Vec<Command> {
        let code = if self.config.server_initiated { AlertCode::SERVER_INITIATED } else { AlertCode::CLIENT_INITIATED };
        let mut item = Item { data: Some(self.config.login.as_str().to_owned()), ..Item::default() };
        item.meta.kind = Some(alert::LOGIN_STATUS.to_owned());
        let login = Alert { items: vec![item], ..Alert::plain(AlertCode::CLIENT_EVENT) };
        let mut commands = vec![Command::Alert(Alert::plain(code)), Command::Alert(login)];
        commands.extend(self.config.alerts.iter().cloned().map(Command::Alert));
        commands.push(self.dev_info());
        commands
    }

    fn dev_info(&self) -> Command {
        let item = |(node, value): &(String, String)| Item {
            source: Some(Address::new(node)),
            data: Some(value.clone()),
            ..Item::default()
        };
        Command::Request(Request::new(Verb::Replace, self.config.dev_info.iter().map(item).collect()))
    }

    /// The next message; what does not fit waits until the server asks for it.
    fn message(&mut self, commands: Vec<Command>) -> SyncMl {
        self.msg_id = self.msg_id.saturating_add(1);
        let mut header = SyncHdr::new(&self.config.session_id, self.msg_id, &self.config.server_url, &self.config.device_id);
        self.prove(&mut header);
        let mut used = OVERHEAD;
        let mut fitting = Vec::new();
        for command in commands {
            used = used.saturating_add(size_of(&command).unwrap_or_default());
            // One that is larger than a message goes alone; it is the server's to refuse.
            if self.rest.is_empty() && (used <= self.max_msg_size || fitting.len() <= 1) {
                fitting.push(command);
            } else {
                self.rest.push(command);
            }
        }
        let mut next = 1;
        for command in &mut fitting {
            command.number(&mut next);
        }
        SyncMl { header, body: SyncBody { commands: fitting, is_final: self.rest.is_empty() } }
    }

    /// Credentials, unless the session has been accepted as a whole or there is no nonce yet.
    fn prove(&mut self, header: &mut SyncHdr) {
        let Some(credentials) = &self.config.credentials else { return };
        let given = match (credentials, &self.nonce) {
            (_, _) if self.authenticated => None,
            (DeviceCredentials::Md5 { user, secret, .. }, Some(nonce)) => Some(cred::md5_cred(&cred::inner(user, secret), nonce)),
            (DeviceCredentials::Md5 { .. }, None) => None,
            (DeviceCredentials::Basic { user, secret }, _) => Some(cred::basic_cred(user, secret)),
        };
        if given.is_some() || self.authenticated {
            header.source.loc_name = Some(credentials.user().to_owned());
        }
        header.cred = given;
    }
}
