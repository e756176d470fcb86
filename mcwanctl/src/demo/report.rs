//! What the demo prints.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::addresses::EGRESS;
use super::world::{HOST, World};

/// What each story shows.
const TITLES: [&str; 4] = [
    "all traffic of a service on one tunnel",
    "tunnels by request: GET /payment business, /stats default, everything else denied",
    "failover: the business tunnel goes dark under load, and comes back (takes 20 s)",
    "one trace id across both clusters",
];

/// The result of a story.
#[derive(Debug, Default)]
pub(crate) struct Story {
    number: u8,
    lines: Vec<String>,
    failures: Vec<String>,
    data: Map<String, Value>,
}

impl Story {
    /// A story without anything said yet.
    pub(crate) fn new(number: u8) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// A story that could not be played to its end.
    pub(crate) fn broken(number: u8, error: &anyhow::Error, world: &World) -> Self {
        let mut story = Self::new(number);
        story.failures.push(format!("{error:#}"));
        for (gateway, n) in world.gateways.iter().zip(1..) {
            story.line(format!("the gateway of cluster-{n} said last:"));
            story.lines.push(gateway.tail());
        }
        story
    }

    /// Says something.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(format!("  {}", text.into()));
    }

    /// Says something under a heading.
    pub(crate) fn fact(&mut self, heading: &str, text: impl AsRef<str>) {
        self.lines
            .push(format!("  {heading:<18} {}", text.as_ref()));
    }

    /// Demands something; the story fails with `otherwise` if it does not hold.
    pub(crate) fn demand(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.failures.push(otherwise.into());
        }
    }

    /// Keeps a figure for programs.
    pub(crate) fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.data.insert(name.to_owned(), value.into());
    }

    /// Whether everything that was demanded held.
    pub(crate) fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    fn verdict(&self) -> &'static str {
        if self.passed() { "PASS" } else { "FAIL" }
    }

    fn title(&self) -> &'static str {
        title(self.number)
    }
}

fn title(number: u8) -> &'static str {
    let index = usize::from(number).saturating_sub(1);
    TITLES.get(index).copied().unwrap_or_default()
}

/// Prints the stories, for people as they come or for programs at the end.
#[derive(Debug)]
pub(crate) struct Report {
    text: bool,
    stories: Vec<Value>,
    verdicts: Vec<String>,
}

impl Report {
    /// A report as text, or else as JSON.
    pub(crate) const fn new(text: bool) -> Self {
        Self {
            text,
            stories: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if !self.text {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Says what is about to happen.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.print("mc-wan demo: two clusters and two tunnels on this machine; starting …\n\n")
    }

    /// Draws the world.
    pub(crate) fn world(&self, world: &World) -> io::Result<()> {
        let (one, two) = (world.addresses.cluster(1), world.addresses.cluster(2));
        let pid = |n: usize| {
            let gateway = world.gateways.get(n);
            let pid = gateway.and_then(super::process::Gateway::pid);
            pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())
        };
        self.print(&format!(
            "    cluster-2 (imports)        emulated SD-WAN at {wan:<15}        cluster-1 (exports)
                        ┌─ business :31111,  5 ms each way ─┐
  client ─► egress ─────┤                                   ├─────► ingress ─► payment-1, payment-2
                        └─ default  :31112, 40 ms each way ─┘

  egress gateway   {egress}:{EGRESS}, process {pid2}     Host: {HOST}
  ingress gateway  {ingress}, process {pid1}
",
            wan = world.addresses.wan(),
            egress = two.egress,
            ingress = one.ingress,
            pid1 = pid(0),
            pid2 = pid(1),
        ))
    }

    /// Announces a story.
    pub(crate) fn announce(&self, number: u8) -> io::Result<()> {
        self.print(&format!("\nStory {number}: {}\n", title(number)))
    }

    /// Tells a story.
    pub(crate) fn story(&mut self, story: &Story) -> io::Result<()> {
        let mut text = String::new();
        for line in &story.lines {
            text.push_str(line);
            text.push('\n');
        }
        for failure in &story.failures {
            text.push_str(&format!("  not so: {failure}\n"));
        }
        text.push_str(&format!("  {}\n", story.verdict()));
        self.verdicts.push(format!(
            "  {}  story {}: {}",
            story.verdict(),
            story.number,
            story.title()
        ));
        self.stories.push(json!({
            "story": story.number,
            "title": story.title(),
            "passed": story.passed(),
            "failures": story.failures,
            "figures": story.data,
        }));
        self.print(&text)
    }

    /// Sums up.
    pub(crate) fn end(&self) -> io::Result<()> {
        if !self.text {
            let all = json!({ "stories": self.stories });
            return writeln!(io::stdout().lock(), "{all:#}");
        }
        self.print(&format!("\nSummary\n{}\n", self.verdicts.join("\n")))
    }

    /// Says what can be tried by hand.
    pub(crate) fn keep(&self, world: &World) -> io::Result<()> {
        let egress = world.addresses.cluster(2).egress;
        let admin = world.addresses.admin(2);
        let view = world.view(2);
        let text = format!(
            "
Everything is still running; Ctrl-C ends it. Try, in another terminal:
  curl -i -H 'Host: {HOST}' http://{egress}:{EGRESS}/payment
  curl -i -H 'Host: {HOST}' http://{egress}:{EGRESS}/stats
  curl -i -H 'Host: {HOST}' -X POST http://{egress}:{EGRESS}/payment
  curl -s http://{admin}/debug/tunnels
  curl -s http://{admin}/metrics | grep mcwan_
  tail -f {log}
  edit the files in {view}: they are live within a second
",
            log = world
                .gateways
                .last()
                .map_or_else(String::new, |g| g.access_log.display().to_string()),
            view = view.display(),
        );
        if self.text {
            return self.print(&text);
        }
        // Standard output holds one JSON document and nothing else.
        io::stderr().lock().write_all(text.as_bytes())
    }
}

/// A time in milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// An amount of bytes.
pub(crate) fn bytes(n: u64) -> String {
    if n < 1000 {
        return format!("{n} B");
    }
    format!("{}.{} kB", n / 1000, n % 1000 / 100)
}
