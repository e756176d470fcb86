//! What was done, line by line as it is done, or as one JSON object at the end.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use crate::args::CheckOutput;
use crate::cluster::api::Applied;

use super::side::Pair;

/// One thing that was done, or could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    /// Cluster id.
    pub cluster: String,
    /// Kind and name of the object.
    pub object: String,
    /// `created`, `changed`, `unchanged`, `deleted`, `absent`, `issued`, `kept`, `connected`, `failed`.
    pub action: &'static str,
    /// More about it; empty where there is nothing more to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Writes the steps.
pub(crate) struct Steps<'a> {
    out: &'a mut dyn Write,
    output: CheckOutput,
    clusters: Vec<serde_json::Value>,
    done: Vec<Step>,
}

impl std::fmt::Debug for Steps<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl<'a> Steps<'a> {
    /// Nothing was done yet.
    pub(crate) fn new(out: &'a mut dyn Write, output: CheckOutput) -> Self {
        Self {
            out,
            output,
            clusters: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Says what was found.
    pub(crate) fn pair(&mut self, pair: &Pair) -> io::Result<()> {
        for side in &pair.sides {
            let (id, context) = (&side.id, &side.cluster.context);
            let (server, version) = (&side.endpoint.server, &side.version);
            if self.output == CheckOutput::Text {
                writeln!(
                    self.out,
                    "√ {id} (context {context}, {version}), for its peer at {server}"
                )?;
            }
            self.clusters
                .push(serde_json::json!({ "id": id, "context": context, "server": server }));
        }
        Ok(())
    }

    /// Says what applying an object did.
    pub(crate) fn applied(
        &mut self,
        cluster: &str,
        object: String,
        applied: Applied,
    ) -> io::Result<()> {
        self.step(cluster, object, applied.word(), String::new())
    }

    /// Says what was done.
    pub(crate) fn step(
        &mut self,
        cluster: &str,
        object: String,
        action: &'static str,
        detail: String,
    ) -> io::Result<()> {
        if self.output == CheckOutput::Text {
            let mark = if action == "failed" { "×" } else { "√" };
            let more = if detail.is_empty() {
                String::new()
            } else {
                format!(": {detail}")
            };
            writeln!(self.out, "{mark} {cluster}: {object} {action}{more}")?;
        }
        self.done.push(Step {
            cluster: cluster.to_owned(),
            object,
            action,
            detail,
        });
        Ok(())
    }

    /// Whether something could not be done.
    pub(crate) fn has_failed(&self) -> bool {
        self.done.iter().any(|step| step.action == "failed")
    }

    /// Says a sentence to people.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        match self.output {
            CheckOutput::Text => writeln!(self.out, "{text}"),
            CheckOutput::Json => Ok(()),
        }
    }

    /// Writes what programs read.
    pub(crate) fn end(&mut self, ok: bool) -> io::Result<()> {
        match self.output {
            CheckOutput::Text => Ok(()),
            CheckOutput::Json => {
                let all =
                    serde_json::json!({ "ok": ok, "clusters": self.clusters, "steps": self.done });
                writeln!(self.out, "{all:#}")
            }
        }
    }
}

/// When a token expires, to the minute.
pub(crate) fn until(expires: Timestamp) -> String {
    format!("good until {}", expires.strftime("%Y-%m-%d %H:%M UTC"))
}
