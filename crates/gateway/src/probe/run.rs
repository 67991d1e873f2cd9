//! The order of the checks.
//!
//! Name, connection, TLS as it is shown to somebody without a certificate; then, for each combination of what there is, a GET and, for
//! ActiveSync, OPTIONS; then, with the last combination that got in, the mailbox. A server whose certificate is not to be believed gets
//! neither password nor certificate.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ::http::Method;
use lanyard_model::time::Timestamp;
use rustls::{RootCertStore, pki_types::CertificateDer};

use super::{
    answer::{Sent, end_of, of_get, of_options},
    autodiscover,
    dial::{Failed, Stream, connect, handshake, ms_since, resolve},
    exchange::{Command, Folder, Form, best_version, folder_to_watch, of_folder_sync, of_ping, of_provision, version_text},
    http::{Answer, Ask, exchange},
    plan::{Combination, Mode, Plan},
    report::{End, Entrance, Report, Step},
    tls::{Question, Witness, describe, is_about_client, judge, judge_question, version_words},
    verdict::{Level, Verdict},
};

/// Added to the time of a held request before it counts as unanswered.
const SLACK: Duration = Duration::from_secs(30);

/// Everything that is at work.
struct Work<'a> {
    plan: &'a Plan,
    report: Report,
    told: &'a (dyn Fn(&Step) + Sync),
    addresses: Vec<SocketAddr>,
    roots: Arc<RootCertStore>,
    authority: String,
}

/// Runs all checks. `told` hears of each step as soon as it is done.
///
/// # Errors
/// What is wrong with files or settings, in words; never what is wrong with the server.
pub async fn run(plan: &Plan, told: &(dyn Fn(&Step) + Sync)) -> Result<Report, String> {
    let scheme = if plan.target.tls { "https" } else { "http" };
    let report = Report {
        url: format!("{scheme}://{}{}", plan.target.authority(), plan.target.path),
        steps: Vec::new(),
        combinations: Vec::new(),
        behaves_like: Vec::new(),
    };
    let authority = plan.host.clone().unwrap_or_else(|| plan.target.authority());
    let mut work = Work { plan, report, told, addresses: Vec::new(), roots: Arc::new(roots(plan)?), authority };
    // A key that cannot be used is told before anything is sent.
    Witness::new(Arc::clone(&work.roots), plan.certificate.as_ref())?;
    if work.reach().await && work.look_at_tls().await? {
        work.enter().await?;
    }
    Ok(work.report)
}

fn roots(plan: &Plan) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    // Whatever of the system can be read: what cannot, is not believed.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &plan.roots {
        let octets = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let opened = lanyard_pki::bundle::open(&octets, None).map_err(|e| format!("{}: {e}", path.display()))?;
        let lanyard_pki::bundle::Opened::Bundle(bundle) = opened else {
            return Err(format!("{}: it is encrypted", path.display()));
        };
        for one in &bundle.certificates {
            store.add(CertificateDer::from(one.der().to_vec())).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(store)
}

fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

impl Work<'_> {
    fn add(&mut self, step: &'static str, combination: Option<Combination>, verdict: Verdict, seen: Vec<String>, start: Instant) {
        self.report.add(step, combination, verdict, seen, ms_since(start));
        if let Some(step) = self.report.steps.last() {
            (self.told)(step);
        }
    }

    /// Name and connection.
    async fn reach(&mut self) -> bool {
        let start = Instant::now();
        match resolve(self.plan).await {
            Ok(found) => {
                self.add("dns", None, Verdict::NameFound, found.iter().map(ToString::to_string).collect(), start);
                self.addresses = found;
            }
            Err((verdict, seen)) => {
                self.add("dns", None, verdict, seen, start);
                return false;
            }
        }
        let start = Instant::now();
        match connect(&self.addresses, self.plan.timeout).await {
            Ok(stream) => {
                let peer = stream.peer_addr().ok();
                // The next connections go where this one was answered.
                if let Some(peer) = peer {
                    self.addresses = vec![peer];
                }
                self.add("tcp", None, Verdict::Connected, peer.iter().map(ToString::to_string).collect(), start);
                true
            }
            Err((verdict, seen)) => {
                self.add("tcp", None, verdict, seen, start);
                false
            }
        }
    }

    /// What somebody without a certificate is shown. Says whether anything may be sent.
    async fn look_at_tls(&mut self) -> Result<bool, String> {
        if !self.plan.target.tls {
            self.add("tls", None, Verdict::PlainHttp, Vec::new(), Instant::now());
            return Ok(true);
        }
        let witness = Witness::new(Arc::clone(&self.roots), None)?;
        let start = Instant::now();
        let spoken = self.speak(&witness, self.plan.tls_version).await;
        let seen = witness.take();
        match &spoken {
            Ok(words) => self.add("tls", None, Verdict::TlsGood, vec![words.clone()], start),
            // TLS 1.2 ends here for lack of a certificate; whether one helps is seen later.
            Err((verdict, words)) if is_about_client(*verdict) => {
                self.add("tls", None, Verdict::CertificateAsked, words.clone(), start);
            }
            Err((verdict, words)) => {
                self.add("tls", None, *verdict, words.clone(), start);
                if seen.chain.is_empty() {
                    return Ok(false);
                }
            }
        }
        if spoken.is_ok() && self.plan.tls_version.is_none() {
            self.look_at_versions().await?;
        }
        let start = Instant::now();
        let verdict = judge(&seen, now());
        let believed = verdict.text().level != Level::Bad;
        self.add("server-certificate", None, verdict, describe(&seen.chain), start);
        if !believed && self.plan.insecure {
            self.add("server-certificate", None, Verdict::ServerIgnored, Vec::new(), start);
        }
        let wanted = self.plan.mode.map(|mode| !matches!(mode, Mode::Basic | Mode::None));
        let (verdict, names) = judge_question(&seen, self.plan.certificate.as_ref(), wanted);
        self.add("client-certificate", None, verdict, names, start);
        let go_on = spoken.is_ok() || matches!(&spoken, Err((verdict, _)) if is_about_client(*verdict));
        Ok(go_on && (believed || self.plan.insecure))
    }

    async fn look_at_versions(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let mut works = [false; 2];
        for (works, version) in works.iter_mut().zip([12, 13]) {
            let witness = Witness::new(Arc::clone(&self.roots), None)?;
            // A refusal for lack of a certificate is a version that works.
            *works = match self.speak(&witness, Some(version)).await {
                Ok(_) => true,
                Err((verdict, _)) => is_about_client(verdict) || !witness.take().chain.is_empty(),
            };
        }
        match works {
            [true, false] => self.add("tls-versions", None, Verdict::TlsOldOnly, Vec::new(), start),
            [false, true] => self.add("tls-versions", None, Verdict::TlsNewOnly, Vec::new(), start),
            _ => {}
        }
        Ok(())
    }

    async fn speak(&self, witness: &Arc<Witness>, version: Option<u8>) -> Result<String, Failed> {
        let stream = connect(&self.addresses, self.plan.timeout).await?;
        let stream = handshake(self.plan, stream, witness, version).await?;
        let (_, connection) = stream.get_ref();
        let suite = connection.negotiated_cipher_suite().map_or_else(String::new, |suite| format!(", {:?}", suite.suite()));
        Ok(format!("{}{suite}", version_words(connection.protocol_version())))
    }

    /// A connection with or without the certificate.
    async fn open(&self, combination: Combination) -> Result<(Box<dyn Stream>, Question), Failed> {
        let stream = connect(&self.addresses, self.plan.timeout).await?;
        if !self.plan.target.tls {
            return Ok((Box::new(stream), Question::NotAsked));
        }
        let identity = self.plan.certificate.as_ref().filter(|_| combination.certificate());
        let witness = Witness::new(Arc::clone(&self.roots), identity).map_err(|e| (Verdict::TlsFailed, vec![e]))?;
        let stream = handshake(self.plan, stream, &witness, self.plan.tls_version).await?;
        // Each connection may end at another server of a farm.
        let question = witness.question();
        let verdict = judge(&witness.take(), now());
        if verdict.text().level == Level::Bad && !self.plan.insecure {
            return Err((verdict, Vec::new()));
        }
        Ok((Box::new(stream), question))
    }

    async fn send(&self, combination: Combination, ask: Ask<'_>, limit: Duration) -> Result<Answer, Failed> {
        let (stream, question) = self.open(combination).await?;
        exchange(stream, ask, limit, question).await
    }

    fn sent(&self, combination: Combination) -> Sent {
        Sent {
            tls: self.plan.target.tls,
            certificate: combination.certificate(),
            password: combination.password(),
            eas: self.plan.eas,
        }
    }

    fn ask(&self, method: Method, combination: Combination) -> Ask<'_> {
        let query = self.plan.target.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        Ask {
            method,
            target: format!("{}{query}", self.plan.target.path),
            authority: &self.authority,
            agent: &self.plan.device.agent,
            user: self.plan.user.as_ref().filter(|_| combination.password()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Every combination, and then the mailbox.
    async fn enter(&mut self) -> Result<(), String> {
        let combinations = self.plan.combinations();
        let mut inside = None;
        let mut entrances = Vec::new();
        for combination in combinations {
            let (end, versions) = self.attempt(combination).await;
            if end == End::In {
                inside = Some((combination, versions));
            }
            let wanted = self.plan.mode.map(|mode| expected(mode, combination));
            let expected = wanted.filter(|wanted| !end.agrees_with(*wanted));
            entrances.push(Entrance { combination, end, expected });
        }
        if self.plan.all || self.plan.mode.is_some() {
            self.report.behaves_like = behaves_like(&entrances);
            self.report.combinations = entrances;
        }
        let Some((combination, versions)) = inside else { return Ok(()) };
        if self.plan.eas {
            self.mailbox(combination, versions).await;
        }
        if let Some(address) = &self.plan.autodiscover {
            let start = Instant::now();
            let authority = self.authority.clone();
            let ask = autodiscover::ask(self.plan, address, &authority, combination.password());
            let (verdict, seen) = match self.send(combination, ask, self.plan.timeout).await {
                Ok(answer) => autodiscover::of_answer(&answer, self.sent(combination), self.plan),
                Err(failed) => failed,
            };
            self.add("autodiscover", Some(combination), verdict, seen, start);
        }
        Ok(())
    }

    /// GET and, for ActiveSync, OPTIONS, which decides there: some servers refuse GET to anybody. With it, the versions it told.
    async fn attempt(&mut self, combination: Combination) -> (End, Option<String>) {
        let start = Instant::now();
        let answer = self.send(combination, self.ask(Method::GET, combination), self.plan.timeout).await;
        let end = match answer {
            Ok(answer) => {
                let verdict = of_get(&answer, self.sent(combination));
                self.add("get", Some(combination), verdict, answer.shown(), start);
                end_of(&answer, verdict)
            }
            Err((verdict, seen)) => {
                self.add("get", Some(combination), verdict, seen, start);
                let end = if is_about_client(verdict) { End::Handshake } else { End::Unclear };
                return (end, None);
            }
        };
        if !self.plan.eas {
            return (end, None);
        }
        let start = Instant::now();
        match self.send(combination, self.ask(Method::OPTIONS, combination), self.plan.timeout).await {
            Ok(answer) => {
                let verdict = of_options(&answer, self.sent(combination));
                self.add("options", Some(combination), verdict, answer.shown(), start);
                (end_of(&answer, verdict), answer.header("ms-asprotocolversions").map(str::to_owned))
            }
            Err((verdict, seen)) => {
                self.add("options", Some(combination), verdict, seen, start);
                (if is_about_client(verdict) { End::Handshake } else { End::Unclear }, None)
            }
        }
    }

    async fn mailbox(&mut self, combination: Combination, versions: Option<String>) {
        let version = best_version(versions.as_deref());
        let mut folders = self.folders(combination, version, Form::Plain).await;
        if version >= 121 {
            let again = self.folders(combination, version, Form::Encoded).await;
            if folders.is_empty() {
                folders = again;
            }
        }
        let provisioning = self.report.steps.iter().any(|step| step.verdict == Verdict::ProvisionFirst.text().code);
        if provisioning {
            let start = Instant::now();
            let authority = self.authority.clone();
            let command = Command::provision(version, &self.plan.device);
            let ask = command.ask(self.plan, &authority, combination.password(), version, Form::Plain);
            let (verdict, seen) = match self.send(combination, ask, self.plan.timeout).await {
                Ok(answer) => of_provision(&answer, self.sent(combination)),
                Err(failed) => failed,
            };
            self.add("provision", Some(combination), verdict, seen, start);
        }
        if let (Some(seconds), Some(folder)) = (self.plan.ping, folder_to_watch(&folders).cloned()) {
            self.ping(combination, version, seconds, &folder).await;
        }
    }

    async fn folders(&mut self, combination: Combination, version: u8, form: Form) -> Vec<Folder> {
        let start = Instant::now();
        let authority = self.authority.clone();
        let ask = Command::folder_sync().ask(self.plan, &authority, combination.password(), version, form);
        let (verdict, mut seen, folders) = match self.send(combination, ask, self.plan.timeout).await {
            Ok(answer) => of_folder_sync(&answer, self.sent(combination)),
            Err((verdict, seen)) => (verdict, seen, Vec::new()),
        };
        let words = if form == Form::Plain { "plain" } else { "base64" };
        seen.push(format!("version {}, {words} query", version_text(version)));
        self.add("folder-sync", Some(combination), verdict, seen, start);
        folders
    }

    async fn ping(&mut self, combination: Combination, version: u8, seconds: u32, folder: &Folder) {
        let start = Instant::now();
        let authority = self.authority.clone();
        let ask = Command::ping(seconds, folder).ask(self.plan, &authority, combination.password(), version, Form::Plain);
        let limit = Duration::from_secs(u64::from(seconds)) + SLACK;
        let (verdict, seen) = match self.send(combination, ask, limit).await {
            Ok(answer) => of_ping(&answer, self.sent(combination), seconds),
            Err((Verdict::ConnectionCut | Verdict::AnswerTimeout, mut seen)) => {
                seen.push(format!("cut after {} s", start.elapsed().as_secs()));
                (Verdict::PingCut, seen)
            }
            Err(failed) => failed,
        };
        self.add("ping", Some(combination), verdict, seen, start);
    }
}

/// What a mode answers to a good certificate and a good password of one account.
#[must_use]
pub const fn expected(mode: Mode, combination: Combination) -> End {
    match (mode, combination) {
        (Mode::None, _)
        | (_, Combination::Both)
        | (Mode::Basic | Mode::CertificateElseBasic, Combination::Password)
        | (Mode::Certificate | Mode::CertificateElseBasic, Combination::Certificate) => End::In,
        (Mode::Basic, _) | (Mode::CertificateElseBasic, Combination::Nothing) | (Mode::Both, Combination::Certificate) => {
            End::Unauthorized
        }
        (Mode::Certificate | Mode::Both, Combination::Nothing | Combination::Password) => End::Forbidden,
    }
}

/// Modes that would have answered like this. What was unclear says nothing.
fn behaves_like(entrances: &[Entrance]) -> Vec<Mode> {
    let clear: Vec<&Entrance> = entrances.iter().filter(|one| one.end != End::Unclear).collect();
    let modes = [Mode::Basic, Mode::Certificate, Mode::Both, Mode::CertificateElseBasic, Mode::None];
    let agrees = |mode: &Mode| clear.iter().all(|one| one.end.agrees_with(expected(*mode, one.combination)));
    if clear.is_empty() { Vec::new() } else { modes.into_iter().filter(agrees).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_told_from_the_others_by_its_answers() {
        let all = [Combination::Nothing, Combination::Password, Combination::Certificate, Combination::Both];
        for mode in [Mode::Basic, Mode::Certificate, Mode::Both, Mode::CertificateElseBasic, Mode::None] {
            let entrances = all.map(|combination| Entrance { combination, end: expected(mode, combination), expected: None });
            assert_eq!(behaves_like(&entrances), [mode]);
        }
        let unclear = all.map(|combination| Entrance { combination, end: End::Unclear, expected: None });
        assert!(behaves_like(&unclear).is_empty());
    }
}
