//! What is told: steps with their verdicts, and the end of it.

use serde::Serialize;

use super::{
    plan::{Combination, Mode},
    verdict::{Level, Text, Verdict},
};

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What was tried: `dns`, `tcp`, `tls`, `get`, …
    pub step: &'static str,
    /// With what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combination: Option<Combination>,
    /// Stable code of the verdict.
    pub verdict: &'static str,
    /// How good it is.
    pub level: Level,
    /// What it means.
    pub means: &'static str,
    /// Why it usually happens.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'static str,
    /// What to do.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub remedy: &'static str,
    /// What was seen: addresses, names, status line and headers.
    pub seen: Vec<String>,
    /// Milliseconds it took.
    pub ms: u64,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The address that was asked for.
    pub url: String,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// With `--all`: what each combination came to.
    pub combinations: Vec<Entrance>,
    /// With `--all`: modes that would answer like this.
    pub behaves_like: Vec<Mode>,
}

/// What one combination came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entrance {
    /// What was shown.
    pub combination: Combination,
    /// How it ended.
    pub end: End,
    /// What the mode that is expected would have answered, if it is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<End>,
}

/// How an attempt to get in ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The application answered.
    In,
    /// 401: a password is wanted, or this one is wrong.
    Unauthorized,
    /// 403, or 400 of a server that says so by it: refused.
    Forbidden,
    /// TLS ended because of the certificate, or because there was none.
    Handshake,
    /// Something else went wrong before that could be seen.
    Unclear,
}

impl End {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Unauthorized => "401, asks for a password",
            Self::Forbidden => "403, refused",
            Self::Handshake => "TLS refused",
            Self::Unclear => "unclear",
        }
    }

    /// Whether a mode that gives `expected` gives this: a refusal may come in the handshake or after it.
    #[must_use]
    pub fn agrees_with(self, expected: Self) -> bool {
        self == expected || (self == Self::Handshake && expected == Self::Forbidden)
    }
}

impl Report {
    /// Adds a step.
    pub fn add(&mut self, step: &'static str, combination: Option<Combination>, verdict: Verdict, seen: Vec<String>, ms: u64) {
        let Text { code, level, means, why, remedy } = verdict.text();
        self.steps.push(Step { step, combination, verdict: code, level, means, why, remedy, seen, ms });
    }

    /// The worst of all steps that count: with several combinations, what one of them is refused is no fault by itself.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if !self.combinations.is_empty() {
            if self.combinations.iter().any(|one| one.expected.is_some()) {
                return 20;
            }
            if self.combinations.iter().any(|one| one.end == End::In) {
                return 0;
            }
        }
        let worst = self.steps.iter().filter(|step| step.level == Level::Bad);
        worst.map(|step| Verdict::exit_code(step.step, step.verdict)).next().unwrap_or(0)
    }
}
