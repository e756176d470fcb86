//! The report for people: a verdict, tables, and what is wrong last, where the eye is.

use std::fmt::Write as _;

use super::fact::{Fact, age, is_good_when_true};
use super::finding::{Finding, Level};
use super::peers::{PeerLine, TunnelLine};
use super::report::{ControllerState, Report};
use super::services::{ExportLine, ImportLine};
use super::wan::{GatewayLine, PolicyLine};

/// Findings that are written in full; more would push the tables off the screen.
const SHOWN: usize = 20;

/// The report as text; ends in a line feed.
pub(crate) fn text(report: &Report) -> String {
    let mut out = headline(report);
    for table in tables(report) {
        table.write(&mut out);
    }
    findings(&report.findings, &mut out);
    out
}

fn headline(report: &Report) -> String {
    let name = report.cluster.as_deref().unwrap_or("cluster of unknown id");
    let set = report.cluster_set.as_ref();
    let set = set
        .map(|set| format!(" in ClusterSet {set}"))
        .unwrap_or_default();
    let errors = report
        .findings
        .iter()
        .filter(|f| f.level == Level::Error)
        .count();
    let (mark, verdict) = match errors {
        0 => ("√", "fine".to_owned()),
        1 => ("×", "1 thing is wrong".to_owned()),
        n => ("×", format!("{n} things are wrong")),
    };
    let controller = &report.controller;
    let seen = controller.age_seconds.map(age).unwrap_or_default();
    let state = match controller.state {
        ControllerState::Running => format!("controller runs, seen {seen} ago"),
        ControllerState::Gone => {
            format!("NO CONTROLLER for {seen}: conditions are what was last known")
        }
        ControllerState::Absent => "no controller has ever run".to_owned(),
        ControllerState::Unknown => "controller unknown: its Lease may not be read".to_owned(),
    };
    let published = match controller.published_services {
        Some(_) if controller.state != ControllerState::Running => String::new(),
        Some(1) => ", offers 1 service".to_owned(),
        Some(n) => format!(", offers {n} services"),
        None => String::new(),
    };
    format!(
        "{mark} {name}{set} (context {}): {verdict}\n  {state}{published}\n",
        report.context
    )
}

/// Rows under headings.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new<R>(headings: &[&str], lines: &[R], row: impl Fn(&R) -> Vec<String>) -> Self {
        let headings = headings.iter().map(|h| (*h).to_owned()).collect();
        Self {
            rows: std::iter::once(headings)
                .chain(lines.iter().map(row))
                .collect(),
        }
    }

    /// Columns as wide as their widest cell, two blanks between them, none at the end; nothing without lines.
    fn write(&self, out: &mut String) {
        if self.rows.len() < 2 {
            return;
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        out.push('\n');
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let padded: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            out.push_str(padded.join("  ").trim_end());
            out.push('\n');
        }
    }
}

fn tables(report: &Report) -> [Table; 6] {
    [
        Table::new(&PEERS, &report.peers, peer),
        Table::new(&TUNNELS, &report.tunnels, tunnel),
        Table::new(&POLICIES, &report.policies, policy),
        Table::new(&GATEWAYS, &report.gateways, gateway),
        Table::new(&EXPORTS, &report.exports, export),
        Table::new(&IMPORTS, &report.imports, import),
    ]
}

const PEERS: [&str; 6] = [
    "PEER",
    "CLUSTER",
    "CONNECTED",
    "SYNCED",
    "LAST READ",
    "SERVICES",
];

fn peer(line: &PeerLine) -> Vec<String> {
    let read = line.last_read_seconds.map(|s| format!("{} ago", age(s)));
    vec![
        line.name.clone(),
        line.cluster.clone(),
        cell("Connected", line.connected.as_ref()),
        cell("Synced", line.synced.as_ref()),
        read.unwrap_or_else(dash),
        line.services.map_or_else(dash, |n| n.to_string()),
    ]
}

const TUNNELS: [&str; 7] = ["TUNNEL", "TO", "ADDRESS", "STATE", "FOR", "RTT", "SAID BY"];

fn tunnel(line: &TunnelLine) -> Vec<String> {
    vec![
        line.policy.clone(),
        line.cluster.clone(),
        line.address.clone().unwrap_or_else(dash),
        line.state.clone(),
        line.age_seconds.map_or_else(dash, age),
        line.rtt_ms.map_or_else(dash, |ms| format!("{ms:.1} ms")),
        line.source.clone(),
    ]
}

const POLICIES: [&str; 6] = [
    "POLICY",
    "TUNNEL",
    "PORT",
    "ACCEPTED",
    "CONSISTENT",
    "PROGRAMMED",
];

fn policy(line: &PolicyLine) -> Vec<String> {
    vec![
        line.name.clone(),
        line.tunnel.clone(),
        line.port.to_string(),
        cell("Accepted", line.accepted.as_ref()),
        cell("Consistent", line.consistent.as_ref()),
        cell("Programmed", line.programmed.as_ref()),
    ]
}

const GATEWAYS: [&str; 3] = ["GATEWAY", "PROGRAMMED", "ADDRESSES"];

fn gateway(line: &GatewayLine) -> Vec<String> {
    vec![
        line.name.clone(),
        cell("Programmed", line.programmed.as_ref()),
        list(&line.addresses),
    ]
}

const EXPORTS: [&str; 7] = [
    "EXPORT",
    "API",
    "REQUESTS BY",
    "VALID",
    "READY",
    "CONFLICT",
    "AGE",
];

fn export(line: &ExportLine) -> Vec<String> {
    vec![
        line.name.clone(),
        line.api.split('.').next().unwrap_or_default().to_owned(),
        line.rules.clone(),
        cell("Valid", line.valid.as_ref()),
        cell("Ready", line.ready.as_ref()),
        cell("Conflict", line.conflict.as_ref()),
        line.age_seconds.map_or_else(dash, age),
    ]
}

const IMPORTS: [&str; 7] = [
    "IMPORT",
    "TYPE",
    "IPS",
    "FROM",
    "REQUESTS BY",
    "READY",
    "AGE",
];

fn import(line: &ImportLine) -> Vec<String> {
    let rules = Some(line.rules.clone()).filter(|rules| !rules.is_empty());
    vec![
        line.name.clone(),
        line.type_.clone(),
        list(&line.ips),
        list(&line.clusters),
        rules.unwrap_or_else(dash),
        cell("Ready", line.ready.as_ref()),
        line.age_seconds.map_or_else(dash, age),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        dash()
    } else {
        items.join(",")
    }
}

/// `yes 5m`, `no 12m`; `was yes` where nobody would correct it; capitals where it is bad news.
fn cell(type_: &str, fact: Option<&Fact>) -> String {
    let Some(fact) = fact else { return dash() };
    let is_bad = match fact.status.as_str() {
        "True" => !is_good_when_true(type_),
        "False" => is_good_when_true(type_),
        _ => false,
    };
    let word = match (fact.status.as_str(), is_bad) {
        ("True", false) => "yes",
        ("True", true) => "YES",
        ("False", false) => "no",
        ("False", true) => "NO",
        _ => "unknown",
    };
    if fact.outdated {
        format!("was {word}")
    } else {
        let since = fact.age_seconds.map(|s| format!(" {}", age(s)));
        format!("{word}{}", since.unwrap_or_default())
    }
}

fn findings(findings: &[Finding], out: &mut String) {
    if !findings.is_empty() {
        out.push('\n');
    }
    for finding in findings.iter().take(SHOWN) {
        let mark = match finding.level {
            Level::Error => "×",
            Level::Warning => "‼",
            Level::Notice => "·",
        };
        let since = finding
            .age_seconds
            .map(|s| format!(" (for {})", age(s)))
            .unwrap_or_default();
        let _infallible = writeln!(out, "{mark} {}: {}{since}", finding.object, finding.message);
        if !finding.hint.is_empty() {
            let _infallible = writeln!(out, "    hint: {}", finding.hint);
        }
    }
    let more = findings.len().saturating_sub(SHOWN);
    if more > 0 {
        let _infallible = writeln!(out, "… and {more} more: mcwanctl status -o json");
    }
}
