//! Commands are done, and what is answered: statuses in the order of the commands, results behind the status of their Get.

use super::{
    rules::{Circumstances, Refusal, judge},
    tree::{Execution, ManagementTree, TreeError},
};
use crate::{
    csp::{self, Access, Format, Listing, LocUri, escape_segment, join_children},
    syncml::{Address, Command, Group, Item, Meta, Request, Results, Status, StatusCode, Verb},
};

/// Does the commands of one message of the server.
pub(super) struct Executor<'a> {
    pub(super) tree: &'a mut dyn ManagementTree,
    /// `MsgID` of the message.
    pub(super) msg_ref: u32,
    /// The enrolled user is logged on.
    pub(super) has_user: bool,
    /// What is answered.
    pub(super) answers: Vec<Command>,
    /// The device leaves; nothing is answered.
    pub(super) unenroll: bool,
}

/// What became of one item.
struct Done {
    code: StatusCode,
    error: Option<String>,
}

impl Done {
    const fn of(code: StatusCode) -> Self {
        Self { code, error: None }
    }
}

impl From<Refusal> for Done {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Address => Self::of(StatusCode::BAD_REQUEST),
            Refusal::Tree(error) => error.into(),
        }
    }
}

impl From<TreeError> for Done {
    fn from(error: TreeError) -> Self {
        Self { code: error.status(), error: error.original_error() }
    }
}

impl Executor<'_> {
    /// Does a command and answers it.
    pub(super) fn run(&mut self, command: &Command) {
        if self.unenroll {
            return;
        }
        match command {
            Command::Request(request) => {
                let mut answers = Vec::new();
                self.request(request, false, &mut answers);
                self.answers.append(&mut answers);
            }
            Command::Atomic(group) => self.atomic(group),
            Command::Sequence(group) => {
                self.status(group.no_resp, group.cmd_id, "Sequence", StatusCode::OK);
                for inner in &group.commands {
                    self.run(inner);
                }
            }
            Command::Alert(alert) => self.status(alert.no_resp, alert.cmd_id, "Alert", StatusCode::OK),
            Command::Other { name, cmd_id } => {
                self.status(false, *cmd_id, name, StatusCode::OPTIONAL_FEATURE_NOT_SUPPORTED);
            }
            Command::Status(_) | Command::Results(_) => {}
        }
    }

    fn status(&mut self, no_resp: bool, cmd_ref: u32, cmd: &str, code: StatusCode) {
        if !no_resp {
            self.answers.push(Command::Status(Status::new(self.msg_ref, cmd_ref, cmd, code)));
        }
    }

    /// Does a command to each of its items; says whether all went well.
    fn request(&mut self, request: &Request, in_atomic: bool, answers: &mut Vec<Command>) -> bool {
        let mut found = Vec::new();
        let done: Vec<Done> = request.items.iter().map(|item| self.item(request, item, in_atomic, &mut found)).collect();
        if self.unenroll {
            return true;
        }
        if !request.no_resp {
            answers.extend(self.statuses(request, &done).into_iter().map(Command::Status));
        }
        if !found.is_empty() {
            answers.push(Command::Results(Results {
                cmd_id: 0,
                msg_ref: Some(self.msg_ref),
                cmd_ref: request.cmd_id,
                meta: Meta::default(),
                items: found,
            }));
        }
        !done.is_empty() && done.iter().all(|one| one.code.is_success())
    }

    /// One status when all items fared alike, else one for each.
    fn statuses(&self, request: &Request, done: &[Done]) -> Vec<Status> {
        let new = |one: &Done| {
            let mut status = Status::new(self.msg_ref, request.cmd_id, request.verb.as_str(), one.code);
            status.original_error.clone_from(&one.error);
            status
        };
        match done {
            // A command without items says nothing.
            [] => vec![new(&Done::of(StatusCode::BAD_REQUEST))],
            [first, rest @ ..] if rest.iter().all(|one| one.code == first.code) => vec![new(first)],
            _ => {
                let each = done.iter().zip(&request.items).map(|(one, item)| {
                    let mut status = new(one);
                    status.target_refs.extend(item.target_uri().map(str::to_owned));
                    status
                });
                each.collect()
            }
        }
    }

    fn item(&mut self, request: &Request, item: &Item, in_atomic: bool, found: &mut Vec<Item>) -> Done {
        if request.verb == Verb::Get && in_atomic {
            return Done::of(StatusCode::COMMAND_FAILED);
        }
        let circumstances = Circumstances { in_atomic, has_user: self.has_user };
        let uri = match judge(request.verb, item, &request.meta, circumstances, &*self.tree) {
            Ok(uri) => uri,
            Err(refusal) => return refusal.into(),
        };
        let data = item.data.as_deref().unwrap_or_default();
        let is_leaf = csp::find(&uri).is_some_and(|found| found.node.is_leaf());
        let result = match request.verb {
            Verb::Get => return self.get(&uri, item.target_uri().unwrap_or_default(), found),
            Verb::Add => self.tree.add(&uri, is_leaf.then_some(data)),
            // An interior node has nothing to replace.
            Verb::Replace if !is_leaf => Ok(()),
            Verb::Replace => self.tree.replace(&uri, data),
            Verb::Delete => self.tree.delete(&uri),
            Verb::Exec => match self.tree.exec(&uri, data) {
                Ok(Execution::Done) => Ok(()),
                Ok(Execution::Accepted) => return Done::of(StatusCode::ACCEPTED),
                Ok(Execution::Unenroll) => {
                    self.unenroll = true;
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        match result {
            Ok(()) => Done::of(StatusCode::OK),
            Err(error) => error.into(),
        }
    }

    fn get(&self, uri: &LocUri, asked: &str, found: &mut Vec<Item>) -> Done {
        let asked = asked.split('?').next().unwrap_or_default();
        let result = match uri.listing() {
            None => self.read(uri, asked, true).map(|item| found.push(item)),
            Some(listing) => {
                let (mut interior, mut leaves) = (Vec::new(), Vec::new());
                let node = uri.clone().with_listing(None);
                self.walk(&node, asked, listing, &mut interior, &mut leaves).map(|()| {
                    found.append(&mut interior);
                    found.append(&mut leaves);
                })
            }
        };
        match result {
            Ok(()) => Done::of(StatusCode::OK),
            Err(error) => error.into(),
        }
    }

    /// One node: value of a leaf, names below an interior one.
    fn read(&self, uri: &LocUri, asked: &str, with_meta: bool) -> Result<Item, TreeError> {
        let node = csp::find(uri).ok_or(TreeError::NotFound)?.node;
        let source = Some(Address::new(asked));
        if node.is_leaf() {
            let meta = if with_meta { Meta::text(node.format) } else { Meta::default() };
            return Ok(Item { source, meta, data: Some(self.tree.get(uri)?), ..Item::default() });
        }
        let names = self.tree.children(uri)?;
        let meta = Item::bare(asked, Format::Node).meta;
        Ok(Item { source, meta, data: Some(join_children(names.iter().map(String::as_str))), ..Item::default() })
    }

    /// A subtree: interior nodes first and without data, then the leaves. What may not be read is left out.
    fn walk(
        &self,
        uri: &LocUri,
        asked: &str,
        listing: Listing,
        interior: &mut Vec<Item>,
        leaves: &mut Vec<Item>,
    ) -> Result<(), TreeError> {
        let Some(found) = csp::find(uri) else { return Ok(()) };
        if found.node.is_leaf() {
            if found.node.access.allows(Access::GET) && self.tree.exists(uri) {
                let mut item = self.read(uri, asked, false)?;
                if listing == Listing::Struct {
                    item.data = None;
                }
                leaves.push(item);
            }
            return Ok(());
        }
        let mut item = Item { source: Some(Address::new(asked)), ..Item::bare("", Format::Node) };
        item.target = None;
        interior.push(item);
        for name in self.tree.children(uri)? {
            self.walk(&uri.child(&name), &format!("{asked}/{}", escape_segment(&name)), listing, interior, leaves)?;
        }
        Ok(())
    }

    /// All or nothing. The status of the whole comes first, then those of its parts.
    fn atomic(&mut self, group: &Group) {
        self.tree.begin();
        let mut inner = Vec::new();
        let mut failed = false;
        for command in &group.commands {
            let mut answers = Vec::new();
            if failed {
                answers.push(Command::Status(self.plain(command, StatusCode::NOT_EXECUTED)));
            } else {
                match command {
                    Command::Request(request) => failed = !self.request(request, true, &mut answers),
                    // Neither groups nor anything else belongs here.
                    other => {
                        answers.push(Command::Status(self.plain(other, StatusCode::COMMAND_FAILED)));
                        failed = true;
                    }
                }
            }
            inner.append(&mut answers);
        }
        if self.unenroll {
            return;
        }
        let mut whole = StatusCode::OK;
        if failed || self.tree.commit().is_err() {
            whole = match self.tree.rollback() {
                Ok(()) => StatusCode::ATOMIC_FAILED,
                Err(_) => StatusCode::ATOMIC_ROLLBACK_FAILED,
            };
            if whole == StatusCode::ATOMIC_FAILED {
                roll_back(&mut inner);
            }
        }
        self.status(group.no_resp, group.cmd_id, "Atomic", whole);
        self.answers.append(&mut inner);
    }

    fn plain(&self, command: &Command, code: StatusCode) -> Status {
        Status::new(self.msg_ref, command.cmd_id(), command.name(), code)
    }
}

/// What was done is undone again.
fn roll_back(answers: &mut [Command]) {
    for answer in answers {
        if let Command::Status(status) = answer
            && status.code.is_success()
        {
            status.code = StatusCode::ATOMIC_ROLLED_BACK;
        }
    }
}
