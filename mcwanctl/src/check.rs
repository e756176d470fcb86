//! `mcwanctl check`: what is wrong with manifests.

use std::io::Write;

use mcwan_k8s::files::{Assembled, FileError, Location};
use mcwan_k8s::problem::{Problem, Severity};
use serde::Serialize;

use crate::args::{CheckArgs, CheckOutput};
use crate::input::Input;

/// What is wrong with one cluster.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Its name.
    cluster: String,
    /// Objects that were read.
    objects: usize,
    /// Mistakes in its files.
    errors: Vec<FileError>,
    /// Fields in its files that do nothing.
    warnings: Vec<FileError>,
    /// Mistakes in its objects.
    problems: Vec<Located>,
}

/// A problem and where its object stands.
#[derive(Debug, Serialize)]
pub(crate) struct Located {
    #[serde(flatten)]
    problem: Problem,
    /// None for objects that are rendered, or missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
}

impl Report {
    /// Collects what is wrong.
    pub(crate) fn new(cluster: &str, files: &Assembled, problems: Vec<Problem>) -> Self {
        let located = problems.into_iter().map(|problem| Located {
            location: files.locations.get(&problem.object).cloned(),
            problem,
        });
        Self {
            cluster: cluster.to_owned(),
            objects: files.locations.len(),
            errors: files.errors.clone(),
            warnings: files.warnings.clone(),
            problems: located.collect(),
        }
    }

    /// How many things are wrong. Fields that do nothing are not: manifests may be of a newer release.
    pub(crate) fn count(&self) -> usize {
        self.errors.len() + self.problems.len()
    }

    /// Whether everything that was asked for is done, though perhaps not as the user may expect.
    pub(crate) fn is_served(&self) -> bool {
        let is_error = |p: &Located| p.problem.severity == Severity::Error;
        self.errors.is_empty() && !self.problems.iter().any(is_error)
    }

    /// One verdict line, then each problem on a line of its own with its hint below.
    pub(crate) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let (mark, verdict) = match self.count() {
            0 => ("√", "no problem".to_owned()),
            1 => ("×", "1 problem".to_owned()),
            n => ("×", format!("{n} problems")),
        };
        let objects = match self.objects {
            1 => "1 object".to_owned(),
            n => format!("{n} objects"),
        };
        let warnings = match self.warnings.len() {
            0 => String::new(),
            1 => ", 1 unknown field".to_owned(),
            n => format!(", {n} unknown fields"),
        };
        writeln!(
            out,
            "{mark} {}: {objects}, {verdict}{warnings}",
            self.cluster
        )?;
        for error in &self.errors {
            writeln!(out, "    {error}")?;
        }
        for warning in &self.warnings {
            writeln!(out, "    warning: {warning}")?;
        }
        self.problems.iter().try_for_each(|p| p.write(out))
    }
}

impl Located {
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let problem = &self.problem;
        write!(out, "    ")?;
        if let Some(location) = &self.location {
            write!(out, "{location}: ")?;
        }
        if problem.severity == Severity::Warning {
            write!(out, "warning: ")?;
        }
        write!(out, "{}", problem.object)?;
        if !problem.field.is_empty() {
            write!(out, " {}", problem.field)?;
        }
        if !problem.parent.is_empty() {
            write!(out, " (parent {})", problem.parent)?;
        }
        writeln!(out, ": {}: {}", problem.reason, problem.message)?;
        if problem.hint.is_empty() {
            return Ok(());
        }
        writeln!(out, "        hint: {}", problem.hint)
    }
}

/// Checks; true when nothing is wrong.
///
/// # Errors
/// When the files cannot be read, or the output not be written.
pub(crate) fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    let cluster = args.cluster.as_deref();
    let input = Input::read(&args.file, cluster)?;
    let mut reports = Vec::new();
    for name in input.chosen(cluster) {
        if let Some(files) = input.clusters.get(name) {
            reports.push(Report::new(name, files, input.outcome(name).problems));
        }
    }
    let problems: usize = reports.iter().map(Report::count).sum();
    match args.output {
        CheckOutput::Text => reports.iter().try_for_each(|r| r.write(out))?,
        CheckOutput::Json => {
            let all = serde_json::json!({ "clusters": reports, "count": problems });
            writeln!(out, "{all:#}")?;
        }
    }
    Ok(problems == 0)
}
