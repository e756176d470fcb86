//! The loop of one kind: list, watch, and again.

use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::absent;
use crate::backoff::{Backoff, Pace};
use crate::failure::Failure;
use crate::request::{Event, Target};
use crate::selection::Wanted;
use crate::store::Read;
use crate::view::Slot;

/// Watches that may fail in a row before a new list is made.
const WATCHES: u32 = 3;

/// Keeps one slot of the store equal to the API server's objects of one kind.
pub(crate) struct Driver {
    target: Target,
    pace: Pace,
    backoff: Backoff,
    slot: Slot,
}

impl Driver {
    pub(crate) fn new(client: Client, wanted: &Wanted, pace: Pace, slot: Slot) -> Self {
        Self {
            target: Target {
                client,
                version: wanted.kind.version.to_string(),
                wanted: wanted.clone(),
                answer: pace.answer,
            },
            pace,
            backoff: Backoff::new(pace),
            slot,
        }
    }

    /// Never ends. Between two requests there is a pause, except where a watch lasted its time.
    pub(crate) async fn run(mut self) {
        loop {
            match self.list().await {
                Ok(version) => {
                    let failure = self.follow(version).await;
                    self.slot.failed(&failure.to_string());
                    self.pause().await;
                }
                Err(Failure::Absent) => self.look_for_it().await,
                Err(failure) => {
                    self.slot.failed(&failure.to_string());
                    self.pause().await;
                }
            }
        }
    }

    /// Lists everything, and puts it in the place of what was there.
    async fn list(&mut self) -> Result<String, Failure> {
        let listed = self.target.list().await?;
        let kind = self.target.wanted.kind;
        let objects = listed.objects.into_iter();
        let read = objects
            .map(|(key, value)| (key, read(&self.target.wanted, value)))
            .collect();
        self.slot.listed(&self.target.version, read);
        tracing::debug!(kind = %kind.kind, version = listed.version, "listed");
        Ok(listed.version)
    }

    /// Watches from a version on, until only a new list can tell what is there; returns why.
    async fn follow(&mut self, mut version: String) -> Failure {
        let mut failures = 0;
        loop {
            let (began, from) = (Instant::now(), version.clone());
            let ended = self.watch(&mut version).await;
            let good = began.elapsed() >= self.pace.steady || version != from;
            if good {
                self.backoff.reset();
                failures = 0;
            }
            let failure = match ended {
                Ok(()) if good => continue,
                Ok(()) => Failure::Short,
                Err(failure) => failure,
            };
            failures += 1;
            if !failure.passes() || failures > WATCHES {
                return failure;
            }
            self.slot.failed(&failure.to_string());
            self.pause().await;
        }
    }

    async fn watch(&self, version: &mut String) -> Result<(), Failure> {
        let lasting = self.pace.watch + self.pace.watch.mul_f64(fastrand::f64() / 2.0);
        let (slot, wanted) = (&self.slot, &self.target.wanted);
        let each = |event| match event {
            Event::Applied(key, value) => slot.applied(key, read(wanted, value)),
            Event::Deleted(key) => slot.deleted(&key),
            Event::Bookmark => {}
        };
        self.target
            .watch(version, lasting, || slot.watching(), each)
            .await
    }

    /// The kind is not served in this version. Another version, or no objects, or a wait.
    async fn look_for_it(&mut self) {
        let wanted = &self.target.wanted;
        if let Some(also) = wanted.kind.also
            && self.target.version != also
        {
            also.clone_into(&mut self.target.version);
            return;
        }
        self.target.version = wanted.kind.version.to_string();
        let confirmed = if wanted.required {
            Ok(false)
        } else {
            let asked = absent::confirmed(&self.target.client, wanted.kind);
            let answer = tokio::time::timeout(self.pace.answer, asked).await;
            answer.unwrap_or(Err(Failure::Slow(self.pace.answer)))
        };
        match confirmed {
            Ok(true) => self.slot.absent(),
            Ok(false) => self.slot.failed(&Failure::Absent.to_string()),
            Err(failure) => self.slot.failed(&failure.to_string()),
        }
        sleep(self.pace.absent).await;
    }

    async fn pause(&mut self) {
        let pause: Duration = self.backoff.next(fastrand::f64());
        sleep(pause).await;
    }
}

/// Reads an object, without what only its writers need.
fn read(wanted: &Wanted, mut value: Value) -> Read {
    trim(&mut value);
    wanted.kind.read(value)
}

/// Who wrote which field, and what `kubectl apply` wrote last: half the size of many objects, and nobody here asks.
fn trim(value: &mut Value) {
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
    let Some(metadata) = metadata else { return };
    metadata.remove("managedFields");
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_writers_need_is_left_out() {
        let mut value = json!({"metadata": {
            "name": "a",
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        }});
        trim(&mut value);
        assert_eq!(value, json!({"metadata": {"name": "a"}}));
        let mut value = json!({"metadata": {"annotations": {"a": "b"}}});
        trim(&mut value);
        assert_eq!(value, json!({"metadata": {"annotations": {"a": "b"}}}));
    }
}
