//! A process with a log. Dropping it kills it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A process of the test world.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it; what it writes is appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program not be run.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = append(log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("cannot share the log")?)
            .stderr(file)
            .kill_on_drop(true);
        let child = command.spawn().with_context(|| {
            format!(
                "{name} does not start: {:?}",
                command.as_std().get_program()
            )
        })?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it wrote so far, earlier runs with the same log included.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines that it wrote.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let first = lines.len().saturating_sub(25);
        format!(
            "--- {}\n{}",
            self.log.display(),
            lines.get(first..).unwrap_or_default().join("\n")
        )
    }

    /// Sees to it that it has not ended by itself.
    ///
    /// # Errors
    /// When it has, with the end of its log.
    pub fn runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}\n{}", self.name, self.tail()),
        }
    }

    /// Kills it without warning and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("cannot kill {}", self.name))
    }

    /// Asks it to end.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        tokio::time::timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("{} does not end\n{}", self.name, self.tail()))?
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .pid()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw)
            .with_context(|| format!("{} has ended", self.name))?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Memory in use (resident set), in KiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.trim().strip_suffix("kB"));
        kib.and_then(|k| k.trim().parse().ok()).context("no VmRSS")
    }

    /// Time on a processor so far, user and system, of all its threads.
    ///
    /// # Errors
    /// When it has ended.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The name in parentheses may hold anything; utime and stime are fields 14 and 15 of proc(5).
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|n| n.parse().unwrap_or(0))
            .sum();
        Ok(Duration::from_millis(
            ticks * 1000 / rustix::param::clock_ticks_per_second(),
        ))
    }

    fn proc(&self, file: &str) -> Result<String> {
        let pid = self
            .pid()
            .with_context(|| format!("{} has ended", self.name))?;
        std::fs::read_to_string(format!("/proc/{pid}/{file}"))
            .with_context(|| format!("{} cannot be measured", self.name))
    }
}

fn append(log: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open {}", log.display()))
}
