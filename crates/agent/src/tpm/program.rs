//! `lanyard-tpm`, started for one question at a time: nothing of it stays when this program is killed.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_model::{key::KeyKind, secret::SecretBytes, text::printable, time::Span};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::pin::Pin;
use crate::error::AgentError;

/// Its name.
const NAME: &str = "lanyard-tpm";
/// Longest answer, in octets.
const MAX_ANSWER: u64 = 16 * 1024;
/// A slow TPM takes most of a minute to make an RSA key.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmProgram {
    path: PathBuf,
}

/// What is asked.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
enum Question<'a> {
    Create { kind: KeyKind, pin: Option<&'a str> },
    Sign { key: &'a str, pin: Option<&'a str>, digest: String, hash: &'a str },
    Decrypt { key: &'a str, pin: Option<&'a str>, data: String },
}

/// What is answered.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Answer<T> {
    Ok(T),
    Error {
        code: String,
        text: String,
        #[serde(default)]
        left: Option<u32>,
        #[serde(default)]
        wait: Option<u64>,
    },
}

/// A key that was made: as it is kept, and its SubjectPublicKeyInfo; both base64.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Created {
    pub(super) key: String,
    pub(super) public: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decrypted {
    plain: String,
}

impl TpmProgram {
    /// Finds it beside the running program, or in `PATH`.
    ///
    /// # Errors
    /// [`AgentError::NoTpmProgram`].
    pub fn find() -> Result<Self, AgentError> {
        let here = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
        let path = std::env::var_os("PATH").unwrap_or_default();
        // An empty or relative part of PATH would mean whatever folder this runs in.
        let folders = here.into_iter().chain(std::env::split_paths(&path)).filter(|folder| folder.is_absolute());
        let found = folders.map(|folder| folder.join(NAME)).find(|path| path.is_file());
        found.map(|path| Self { path }).ok_or(AgentError::NoTpmProgram)
    }

    pub(super) fn create(&self, kind: KeyKind, pin: Option<&Pin>) -> Result<Created, AgentError> {
        self.ask(&Question::Create { kind, pin: pin.map(Pin::expose) })
    }

    pub(super) fn sign(&self, key: &[u8], pin: Option<&Pin>, digest: &[u8], hash: &str) -> Result<Vec<u8>, AgentError> {
        let question =
            Question::Sign { key: &STANDARD.encode(key), pin: pin.map(Pin::expose), digest: STANDARD.encode(digest), hash };
        let signed: Signed = self.ask(&question)?;
        octets(&signed.signature)
    }

    pub(super) fn decrypt(&self, key: &[u8], pin: Option<&Pin>, data: &[u8]) -> Result<SecretBytes, AgentError> {
        let question = Question::Decrypt { key: &STANDARD.encode(key), pin: pin.map(Pin::expose), data: STANDARD.encode(data) };
        let decrypted: Decrypted = self.ask(&question)?;
        octets(&Zeroizing::new(decrypted.plain)).map(SecretBytes::new)
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, question: &Question<'_>) -> Result<T, AgentError> {
        let failed = |error: std::io::Error| AgentError::Tpm(format!("{}: {error}", self.path.display()));
        let mut line = Zeroizing::new(serde_json::to_vec(question).map_err(|error| failed(error.into()))?);
        line.push(b'\n');
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The library writes to standard error otherwise, and what it has to say is in the answer.
        command.env("TSS2_LOG", "all+NONE");
        let mut child = command.spawn().map_err(failed)?;
        let answer = exchange(&mut child, &line).map_err(failed);
        if answer.is_err() {
            // The first error is the one that counts.
            let _ = child.kill();
        }
        let ended = child.wait();
        let answer = Zeroizing::new(answer?);
        ended.map_err(failed)?;
        match serde_json::from_slice(&answer) {
            Ok(Answer::Ok(done)) => Ok(done),
            Ok(Answer::Error { code, text, left, wait }) => Err(refusal(&code, &text, left, wait)),
            Err(_) => Err(AgentError::Tpm(format!("{} did not answer as it should", self.path.display()))),
        }
    }
}

/// Writes the question and reads the answer to its end, with a limit of time and length.
fn exchange(child: &mut Child, line: &[u8]) -> std::io::Result<Vec<u8>> {
    let missing = || std::io::Error::other("it has no pipes");
    let (mut input, output) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
    // A question fits into a pipe: writing it waits for nobody.
    input.write_all(line)?;
    drop(input);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = Vec::with_capacity(usize::try_from(MAX_ANSWER).unwrap_or_default());
        let read = output.take(MAX_ANSWER).read_to_end(&mut answer).map(|_| ());
        // Nobody waits any more when the time was up.
        if let Err(mpsc::SendError((_, mut late))) = sender.send((read, answer)) {
            late.zeroize();
        }
    });
    let (read, answer) = receiver.recv_timeout(PATIENCE).map_err(|_| std::io::Error::other("it takes too long"))?;
    read.map(|()| answer)
}

/// Reads base64 of an answer.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, AgentError> {
    STANDARD.decode(text).map_err(|_| AgentError::Tpm(format!("{NAME} did not answer as it should")))
}

fn refusal(code: &str, text: &str, left: Option<u32>, wait: Option<u64>) -> AgentError {
    match (code, left, wait) {
        ("unavailable" | "owner", ..) => AgentError::NoTpm { why: printable(text) },
        ("key", ..) => AgentError::TpmKeyLost,
        ("pin", Some(left), _) => AgentError::WrongPin { left },
        ("locked", _, Some(wait)) => {
            let wait = Span::from_secs(i64::try_from(wait).unwrap_or(i64::MAX / 2000).min(i64::MAX / 2000));
            AgentError::PinLocked { until: crate::scep::options::system_time() + wait, wait }
        }
        _ => AgentError::Tpm(printable(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_what_a_person_must_know() {
        assert!(matches!(refusal("pin", "", Some(2), None), AgentError::WrongPin { left: 2 }));
        assert!(matches!(refusal("locked", "", None, Some(600)), AgentError::PinLocked { .. }));
        assert!(matches!(refusal("locked", "", None, Some(u64::MAX)), AgentError::PinLocked { .. }), "whatever it says");
        assert!(matches!(refusal("unavailable", "no", None, None), AgentError::NoTpm { .. }));
        assert!(matches!(refusal("pin", "", None, None), AgentError::Tpm(_)), "an answer that lacks something");
    }

    #[test]
    fn an_answer_with_something_unknown_is_none() {
        assert!(serde_json::from_str::<Answer<Signed>>(r#"{"ok":{"signature":"AA=="}}"#).is_ok());
        for text in [r#"{"ok":{"signature":"AA==","more":1}}"#, r#"{"yes":{}}"#, r#"{"error":{"code":"pin","text":"","more":1}}"#]
        {
            assert!(serde_json::from_str::<Answer<Signed>>(text).is_err(), "{text}");
        }
    }
}
