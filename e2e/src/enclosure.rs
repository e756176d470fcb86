//! The namespaces of the kernel in which a test run lives: network, processes, mounts.
//!
//! The API server refuses loopback addresses in `EndpointSlice`s, so gateways and backends need others: in a network
//! namespace of its own, a test run has all of 10.77.0.0/16 to itself. And when the first process of a process namespace
//! ends, however it does, the kernel ends all the others and forgets the mounts: nothing is left behind.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// Set for the process that is inside.
const INSIDE: &str = "MCWAN_E2E_INSIDE";

/// What became of the attempt to enter.
#[derive(Debug)]
pub enum Enclosure {
    /// This process is inside and may go on.
    Inside,
    /// Another process was inside in place of this one, and has ended.
    Done(ExitCode),
    /// It cannot be; why, for people.
    Unavailable(String),
}

/// Runs this program anew inside, with the same arguments, unless this process is the one that is inside. `data` becomes a
/// file system in memory there; what is written elsewhere stays.
///
/// # Errors
/// When the inside cannot be furnished.
pub fn enter(data: &Path) -> Result<Enclosure> {
    if std::env::var_os(INSIDE).is_some() && std::process::id() == 1 {
        furnish(data)?;
        return Ok(Enclosure::Inside);
    }
    if let Some(reason) = obstacle() {
        return Ok(Enclosure::Unavailable(reason));
    }
    std::fs::create_dir_all(data).context("no folder for data")?;
    // The death signal takes the enclosure down with this process, whatever ends it.
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare"])
        .args([
            "--net",
            "--mount",
            "--mount-proc",
            "--pid",
            "--fork",
            "--kill-child",
        ])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .context("setpriv and unshare of util-linux do not run")?;
    let code = status.code().and_then(|c| u8::try_from(c).ok());
    Ok(Enclosure::Done(ExitCode::from(code.unwrap_or(101))))
}

/// Why there can be no enclosure here.
fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("namespaces need root; run: sudo -E make test".to_owned());
    }
    let mut probe = Command::new("unshare");
    probe.args([
        "--net",
        "--mount",
        "--mount-proc",
        "--pid",
        "--fork",
        "ip",
        "link",
        "set",
        "lo",
        "up",
    ]);
    match probe.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Some(format!(
                "no namespaces here (unshare, ip of iproute2): {}",
                text.trim()
            ))
        }
        Err(error) => Some(format!("unshare of util-linux does not run: {error}")),
    }
}

fn furnish(data: &Path) -> Result<()> {
    run("ip", &["link", "set", "lo", "up"])?;
    // Every address of the range is local: none needs to be added.
    run(
        "ip",
        &["route", "add", "local", "10.77.0.0/16", "dev", "lo"],
    )?;
    let data = data.to_str().context("the folder's name is not UTF-8")?;
    run("mount", &["-t", "tmpfs", "mc-wan-e2e", data])
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("{program} does not run"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    )
}
