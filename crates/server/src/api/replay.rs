//! Trying changed templates and profiles on stored requests.

use std::sync::Arc;

use axum::{Json, extract::State};
use lanyard_model::{request::RequestRecord, text::printable, time::Span};
use serde::{Deserialize, Serialize};

use super::problem::ApiResult;
use crate::{error::ServerError, flow::replay, keyring::first, policy_files, state::Server};

/// What to try.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Trial {
    /// How far back, such as `30d`; absent means that the files are only checked.
    pub replay: Option<String>,
    /// Texts of changed template or profile files, in place of those of the same name in the data directory.
    pub files: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tried {
    /// Templates and profiles that were tried, in words.
    pub rules: String,
    /// Requests that were judged.
    pub examined: usize,
    /// Requests that could not be judged: refused ones, an administrator's, and those from before the facts were kept.
    pub skipped: usize,
    /// Requests that the rules in force would not grant today either.
    pub refused_either_way: usize,
    /// Whether there were more requests than one replay looks at.
    pub truncated: bool,
    /// Requests that would be refused.
    pub refused: Vec<Affected>,
    /// Requests that would be held for a person.
    pub held: Vec<Affected>,
}

/// A request that the change would affect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Affected {
    /// Id of the request.
    pub request: String,
    /// When it came.
    pub received_at: String,
    /// Profile.
    pub profile: String,
    /// Template.
    pub template: Option<String>,
    /// Subject asked for.
    pub subject: Option<String>,
    /// The client as it was recognised.
    pub client: Option<String>,
    /// Stable code of the refusal; absent when it would be held.
    pub reason: Option<String>,
    /// The refusal in one sentence.
    pub detail: Option<String>,
}

/// `POST /policy/replay`. Changes nothing.
pub async fn try_out(State(server): State<Arc<Server>>, Json(trial): Json<Trial>) -> ApiResult<Tried> {
    let in_force = server.policy();
    let mut changed = policy_files::load_with(
        &server.installation,
        in_force.instance.clone(),
        server.config.organization.clone(),
        &trial.files,
    )?;
    changed.templates.issue_from(&first()?, server.keyring.get().issuing());
    let rules = format!("{} templates, {} profiles", changed.templates.iter().count(), changed.profiles.iter().count());
    let Some(span) = trial.replay else { return Ok(Json(Tried { rules, ..Tried::default() })) };
    let span: Span = span.parse().map_err(|e: lanyard_model::time::SpanError| ServerError::Invalid(e.to_string()))?;
    let report = replay::replay(&server, server.now() - span, &changed).await?;
    let refused = report.refused.iter().map(|(record, why)| Affected {
        reason: Some(why.code.clone()),
        detail: Some(printable(&why.detail)),
        ..affected(record)
    });
    Ok(Json(Tried {
        rules,
        examined: report.examined,
        skipped: report.skipped,
        refused_either_way: report.refused_either_way,
        truncated: report.truncated,
        refused: refused.collect(),
        held: report.held.iter().map(affected).collect(),
    }))
}

fn affected(record: &RequestRecord) -> Affected {
    Affected {
        request: record.id.to_string(),
        received_at: record.received_at.to_string(),
        profile: record.profile.to_string(),
        template: record.template.as_ref().map(ToString::to_string),
        subject: record.subject.as_ref().map(|subject| printable(&subject.to_string())),
        client: record.context.client.map(|client| client.to_string()),
        reason: None,
        detail: None,
    }
}
