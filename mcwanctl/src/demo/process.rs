//! A gateway process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use mcwan_lab::client::{Call, Client};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Time to become ready; generous, for loaded machines.
const READY: Duration = Duration::from_secs(20);
/// Time to end after SIGTERM before it is killed.
const END: Duration = Duration::from_secs(5);

/// A running gateway. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    /// Access lines.
    pub access_log: PathBuf,
    /// Everything else (standard error).
    pub log: PathBuf,
    admin: Client,
}

/// How to start a gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    /// The program.
    pub program: &'a Path,
    /// Where its logs go.
    pub logs: &'a Path,
    /// Its view of the `ClusterSet`.
    pub clusterset: &'a Path,
    /// Its cluster.
    pub cluster: &'a str,
    /// Its admin address.
    pub admin: SocketAddr,
}

impl Gateway {
    /// Starts a gateway.
    pub(crate) fn start(start: Start<'_>) -> anyhow::Result<Self> {
        let access_log = start.logs.join(format!("{}.access.log", start.cluster));
        let log = start.logs.join(format!("{}.log", start.cluster));
        let child = Command::new(start.program)
            .arg("--clusterset")
            .arg(start.clusterset)
            .args(["--cluster", start.cluster])
            .args(["--admin", &start.admin.to_string()])
            .arg("--access-log")
            .arg(&access_log)
            .args(["--drain-seconds", "2"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", start.program.display()))?;
        Ok(Self {
            child,
            access_log,
            log,
            admin: Client::new(start.admin).timeout(Duration::from_secs(2)),
        })
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the gateway ended ({status}):\n{}", self.tail());
            }
            let answer = self.admin.send(&Call::get("admin", "/readyz")).await;
            if answer.is_ok_and(|a| a.status.is_success()) {
                return Ok(());
            }
            anyhow::ensure!(
                start.elapsed() < READY,
                "the gateway is not ready after {} s:\n{}",
                READY.as_secs(),
                self.tail()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A page of the admin address, as text; empty when it cannot be had.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.admin.send(&Call::get("admin", path)).await;
        answer.map(|a| a.text()).unwrap_or_default()
    }

    /// The last lines of its log.
    pub(crate) fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(15);
        let mut tail = String::new();
        for line in lines.iter().skip(last) {
            tail.push_str("    | ");
            tail.push_str(line);
            tail.push('\n');
        }
        tail
    }

    /// Process id; None when it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it: politely, then not.
    pub(crate) async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _gone = kill_process(pid, Signal::TERM).is_err();
        }
        if timeout(END, self.child.wait()).await.is_err() {
            let _gone = self.child.kill().await.is_err();
        }
    }
}
