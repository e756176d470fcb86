//! What the gateways and the relays say about requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use mcwan_lab::relay::RelayStats;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::world::World;

/// Time for an access line to be written.
const WRITTEN: Duration = Duration::from_secs(3);

/// One access line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AccessLine {
    fields: Value,
}

impl AccessLine {
    fn parse(text: &str) -> Option<Self> {
        let fields: Value = serde_json::from_str(text).ok()?;
        fields.get("trace_id")?;
        Some(Self { fields })
    }

    /// A field as text; empty when there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The fields that tell most, in a line that fits a screen.
    pub(crate) fn shown(&self) -> String {
        const TELLING: [&str; 7] = [
            "trace_id",
            "span_id",
            "response_code",
            "source_cluster",
            "destination_cluster",
            "wan_policy",
            "tunnel",
        ];
        let told = TELLING.into_iter().filter_map(|field| {
            let value = self.fields.get(field).filter(|v| !v.is_null())?;
            Some(format!("{field}={}", value.to_string().trim_matches('"')))
        });
        told.collect::<Vec<_>>().join(" ")
    }

    /// Attempts of the request.
    pub(crate) fn attempts(&self) -> usize {
        match self.fields.get("attempts") {
            Some(Value::Array(all)) => all.len(),
            Some(n) => n.as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0),
            None => 0,
        }
    }
}

/// The access lines in a file.
pub(crate) fn lines(file: &Path) -> Vec<AccessLine> {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().filter_map(AccessLine::parse).collect()
}

/// The access lines of these traces, by trace id; waits a little for lines that are still to be written.
pub(crate) async fn by_trace(file: &Path, traces: &[String]) -> BTreeMap<String, AccessLine> {
    let start = Instant::now();
    let wanted: BTreeSet<&str> = traces.iter().map(String::as_str).collect();
    loop {
        let mut found: BTreeMap<String, AccessLine> = lines(file)
            .into_iter()
            .map(|line| (line.text("trace_id").to_owned(), line))
            .collect();
        found.retain(|trace, _| wanted.contains(trace.as_str()));
        if found.len() == wanted.len() || start.elapsed() > WRITTEN {
            return found;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The first access line with this path; waits a little for it.
pub(crate) async fn by_path(file: &Path, path: &str) -> Option<AccessLine> {
    let start = Instant::now();
    loop {
        let found = lines(file).into_iter().find(|l| l.text("path") == path);
        if found.is_some() || start.elapsed() > WRITTEN {
            return found;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Bytes that the relays have carried since some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    business: RelayStats,
    default: RelayStats,
}

impl Carried {
    /// What the relays have carried up to now.
    pub(crate) fn now(world: &World) -> Self {
        Self {
            business: world.business.stats(),
            default: world.default.stats(),
        }
    }

    /// Bytes over (business, default) since then.
    pub(crate) fn since(self, world: &World) -> (u64, u64) {
        let now = Self::now(world);
        (
            now.business.since(self.business).bytes(),
            now.default.since(self.default).bytes(),
        )
    }
}

/// A new random trace id, in hex.
pub(crate) fn new_trace() -> String {
    format!("{:032x}", fastrand::u128(1..))
}

/// The `traceparent` of a trace.
pub(crate) fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{:016x}-01", fastrand::u64(1..))
}
