//! Waits until an export is what it was asked to be.

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::DynamicObject;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::cluster::cause;

use super::ServiceName;
use super::official::Official;

/// What became of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waited {
    /// Whether it is `Valid` and `Ready`.
    ready: bool,
    /// Why it is not; empty where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    /// A conflict with another cluster's export, which does not keep it from being ready.
    #[serde(skip_serializing_if = "String::is_empty")]
    conflict: String,
    /// Whether waiting longer would not have helped.
    #[serde(skip)]
    is_final: bool,
}

impl Waited {
    /// What an export says of itself.
    pub(super) fn of(export: &DynamicObject) -> Self {
        let conditions = export.data.pointer("/status/conditions").cloned();
        let conditions: Vec<Condition> = conditions
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default();
        let generation = export.metadata.generation;
        let is_current = |c: &Condition| {
            c.observed_generation
                .is_none_or(|o| generation.is_none_or(|g| o >= g))
        };
        let find = |type_: &str| {
            conditions
                .iter()
                .find(|c| c.type_ == type_ && is_current(c))
        };
        let is = |type_: &str, status: &str| find(type_).is_some_and(|c| c.status == status);
        let text = |c: &Condition| format!("{}: {}", c.reason, c.message);
        let why = ["Valid", "Ready"]
            .into_iter()
            .find_map(|type_| match find(type_) {
                Some(c) if c.status == "True" => None,
                Some(c) => Some(format!("not {type_}: {}", text(c))),
                None => Some(format!("not {type_} yet: no controller has said anything")),
            });
        let conflict = find("Conflict").filter(|c| c.status == "True").map(text);
        Self {
            ready: why.is_none(),
            why: why.unwrap_or_default(),
            conflict: conflict.unwrap_or_default(),
            is_final: is("Valid", "False"),
        }
    }

    /// Whether it is `Valid` and `Ready`.
    pub(super) fn is_good(&self) -> bool {
        self.ready
    }

    /// Says it to people.
    pub(super) fn write(&self, service: &ServiceName, out: &mut dyn Write) -> io::Result<()> {
        if !self.conflict.is_empty() {
            writeln!(
                out,
                "‼ ServiceExport {service} has a conflict: {}",
                self.conflict
            )?;
        }
        if self.ready {
            return writeln!(out, "√ ServiceExport {service} is Valid and Ready");
        }
        writeln!(out, "× ServiceExport {service} is {}", self.why)?;
        writeln!(out, "    hint: mcwanctl status says more")
    }
}

impl Official<'_> {
    /// Waits until the export is ready or cannot become so.
    pub(super) async fn wait(&self, longest: Duration) -> Waited {
        let deadline = Instant::now() + longest;
        loop {
            let waited = match self.api.get(&self.service.name).await {
                Ok(export) => Waited::of(&export),
                Err(e) => Waited {
                    ready: false,
                    why: format!("not to be read: {}", cause(&e)),
                    conflict: String::new(),
                    is_final: false,
                },
            };
            if waited.ready || waited.is_final || Instant::now() >= deadline {
                return waited;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}
