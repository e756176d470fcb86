//! What is counted.

use mcwan_telemetry::metrics::Metrics;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use mcwan_k8s::problem::{Problem, Severity};

/// The controller's own figures. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Figures {
    writes: IntCounterVec,
    errors: IntCounterVec,
    leading: IntGauge,
    decisions: Histogram,
    problems: IntGaugeVec,
    pending: IntGauge,
}

impl Figures {
    /// Registers all of them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let figures = Self {
            writes: counters(
                "mcwan_writes_total",
                "Writes to the API server that succeeded; flat while nothing changes.",
                &["kind", "verb"],
            )?,
            errors: counters(
                "mcwan_apply_errors_total",
                "Writes to the API server that failed; each is tried again.",
                &["kind", "reason"],
            )?,
            leading: IntGauge::new(
                "mcwan_leader",
                "1 while this controller is the one that writes.",
            )?,
            decisions: Histogram::with_opts(
                HistogramOpts::new("mcwan_decision_seconds", "Time to decide and compare.")
                    .buckets(prometheus::exponential_buckets(0.001, 2.0, 14)?),
            )?,
            problems: IntGaugeVec::new(
                Opts::new("mcwan_problems", "Users' mistakes that are known."),
                &["severity", "kind", "reason"],
            )?,
            pending: IntGauge::new(
                "mcwan_pending_writes",
                "Writes that failed and wait for their next try.",
            )?,
        };
        let registry = metrics.registry();
        registry.register(Box::new(figures.writes.clone()))?;
        registry.register(Box::new(figures.errors.clone()))?;
        registry.register(Box::new(figures.leading.clone()))?;
        registry.register(Box::new(figures.decisions.clone()))?;
        registry.register(Box::new(figures.problems.clone()))?;
        registry.register(Box::new(figures.pending.clone()))?;
        Ok(figures)
    }

    /// A write succeeded. The verb is `apply`, `delete`, `status` or `create`.
    pub fn wrote(&self, kind: &str, verb: &str) {
        self.writes.with_label_values(&[kind, verb]).inc();
    }

    /// A write failed.
    pub fn failed(&self, kind: &str, reason: &str) {
        self.errors.with_label_values(&[kind, reason]).inc();
    }

    /// Whether this controller leads.
    pub fn lead(&self, leading: bool) {
        self.leading.set(i64::from(leading));
    }

    /// A decision took so many seconds.
    pub fn decided(&self, seconds: f64) {
        self.decisions.observe(seconds);
    }

    /// So many writes wait for another try.
    pub fn pending(&self, number: usize) {
        self.pending.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Replaces the counts of problems.
    pub fn problems(&self, problems: &[Problem]) {
        self.problems.reset();
        for problem in problems {
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let labels = [
                severity,
                problem.object.kind.as_str(),
                problem.reason.as_str(),
            ];
            self.problems.with_label_values(&labels).inc();
        }
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
