//! The management itself: when a device calls, how its own certificate is renewed, its account's secret, and its end.

use super::job::{Expect, Fill, Filling, Job, Proof, atomic, exec, expect, get, replace};
use crate::{
    csp::{Format, LocUri, Scope},
    syncml::{Command, Item, cred::account_node},
};

/// `DMClient/Provider/<ProviderID>`.
#[must_use]
pub fn provider(provider_id: &str) -> LocUri {
    LocUri::device(&["Vendor", "MSFT", "DMClient", "Provider", provider_id])
}

fn wstep() -> LocUri {
    LocUri::device(&["Vendor", "MSFT", "CertificateStore", "MY", "WSTEP"])
}

fn renew() -> LocUri {
    wstep().child("Renew")
}

/// One of the three schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Schedule {
    /// How often; 0 means for ever, and that later schedules never come.
    pub count: u32,
    /// Minutes between; 0 disables the schedule.
    pub interval: u32,
}

/// When a device calls (`Poll`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PollPlan {
    /// Right after enrolment. Its count must not be 0.
    pub first: Schedule,
    /// Then.
    pub second: Schedule,
    /// Then, normally for ever.
    pub remaining: Schedule,
    /// Also at every logon.
    pub on_login: bool,
}

/// The leaves of a set of values, with Replace and the proof.
fn values(leaves: Vec<(LocUri, Format, String)>) -> (Vec<Command>, Vec<super::job::Expectation>) {
    let commands = leaves.iter().map(|(uri, format, value)| replace(Item::value(uri, *format, value.as_str()))).collect();
    let proof = leaves.into_iter().map(|(uri, _, value)| expect(&uri, Expect::Value(value))).collect();
    (commands, proof)
}

impl PollPlan {
    /// Sets it.
    #[must_use]
    pub fn set(&self, provider_id: &str) -> Job {
        let poll = provider(provider_id).child("Poll");
        let int = |name: &str, value: u32| (poll.child(name), Format::Int, value.to_string());
        let (commands, proof) = values(vec![
            int("NumberOfFirstRetries", self.first.count.max(1)),
            int("IntervalForFirstSetOfRetries", self.first.interval),
            int("NumberOfSecondRetries", self.second.count),
            int("IntervalForSecondSetOfRetries", self.second.interval),
            int("NumberOfRemainingScheduledRetries", self.remaining.count),
            int("IntervalForRemainingScheduledRetries", self.remaining.interval),
            (poll.child("PollOnLogin"), Format::Bool, self.on_login.to_string()),
        ]);
        Job::change(Scope::Device, commands, proof)
    }
}

/// How the enrolment certificate is renewed (`WSTEP/Renew`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RenewalSettings {
    /// `RenewPeriod`: days before expiry, 1 to 1000.
    pub renew_period: u32,
    /// `RetryInterval`: days between attempts, 1 to 1000, not above the period.
    pub retry_interval: u32,
    /// `ROBOSupport`: renew without the user. The federated enrolment refuses to be told no (405).
    pub robo: Option<bool>,
    /// `ServerURL`: discovery for the renewal.
    pub server_url: Option<String>,
}

impl RenewalSettings {
    /// Sets them, inside Atomic as the provider wants.
    #[must_use]
    pub fn set(&self) -> Job {
        let period = self.renew_period.clamp(1, 1000);
        let mut leaves = vec![
            (renew().child("RenewPeriod"), Format::Int, period.to_string()),
            (renew().child("RetryInterval"), Format::Int, self.retry_interval.clamp(1, period).to_string()),
        ];
        if let Some(robo) = self.robo {
            leaves.push((renew().child("ROBOSupport"), Format::Bool, robo.to_string()));
        }
        if let Some(url) = &self.server_url {
            leaves.push((renew().child("ServerURL"), Format::Chr, url.clone()));
        }
        let (commands, proof) = values(leaves);
        Job::change(Scope::Device, vec![atomic(commands)], proof)
    }
}

/// Has the device renew its certificate now, which has this SHA-1 (40 hexadecimal digits). Done when the renewal has ended well and another
/// certificate is in use; until then it is asked again.
#[must_use]
pub fn renew_now(current: &str) -> Job {
    let status = Expect::Progress { done: vec!["2".to_owned()], pending: vec!["0".to_owned(), "1".to_owned()] };
    let proof = vec![
        expect(&renew().child("Status"), status),
        expect(&renew().child("ErrorCode"), Expect::Report),
        expect(&wstep().child("CertThumprint"), Expect::Other(current.to_owned())),
    ];
    Job::change(Scope::Device, vec![exec(Item::bare(renew().child("RenewNow"), Format::Null))], proof)
}

/// Asks after a renewal: how it went, the certificate now in use, and the proof made with the old one.
#[must_use]
pub fn query_renewal(provider_id: &str) -> Job {
    let provider = provider(provider_id);
    let first = [
        renew().child("Status"),
        renew().child("ErrorCode"),
        renew().child("LastRenewalAttemptTime"),
        wstep().child("CertThumprint"),
    ];
    let second = [provider.child("EntDMID"), provider.child("SignedEntDMID"), provider.child("CertRenewTimeStamp")];
    Job::query(Scope::Device, vec![get(&first), get(&second)])
}

/// Changes the account's user name and secret. The secret is filled in when it is sent and cannot be read back; the name can.
#[must_use]
pub fn change_credentials(provider_id: &str, user: &str) -> Job {
    let account = account_node(provider_id);
    let client = LocUri::device(&["SyncML", "DMAcc", &account, "AppAuth", "CLCRED"]);
    let secret = client.child("AAuthSecret");
    let commands =
        vec![replace(Item::value(client.child("AAuthName"), Format::Chr, user)), replace(Item::value(&secret, Format::Chr, ""))];
    let mut job = Job::change(Scope::Device, commands, vec![expect(&client.child("AAuthName"), Expect::Value(user.to_owned()))]);
    job.fill.push(Fill { uri: secret.to_string(), what: Filling::AccountSecret });
    job
}

/// Ends the management. The device drops the session instead of answering, removes what it got, and says so in a last message.
#[must_use]
pub fn unenroll(provider_id: &str) -> Job {
    let item = Item::value(provider(provider_id).child("Unenroll"), Format::Chr, provider_id);
    let mut job = Job::change(Scope::Device, vec![exec(item)], Vec::new());
    job.proof = Proof::Unenrolment;
    job
}

/// Asks what the device says about itself.
#[must_use]
pub fn query_device(provider_id: &str) -> Job {
    let detail = LocUri::device(&["DevDetail"]);
    let microsoft = detail.child("Ext").child("Microsoft");
    let nodes = [
        detail.child("SwV"),
        detail.child("OEM"),
        microsoft.child("DeviceName"),
        microsoft.child("OSPlatform"),
        provider(provider_id).child("EntDMID"),
    ];
    // One by one: a device that lacks one of them still answers the others.
    Job::query(Scope::Device, nodes.iter().map(|node| get([node])).collect())
}
