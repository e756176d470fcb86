//! Commands of `mcwanctl`, and what they print as a golden file.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use mcwan_e2e::access::{self, Context, User};
use mcwan_e2e::assets::root;
use mcwan_e2e::cluster::Cluster;
use tokio::process::Command;

use crate::world::assets;

/// Runs a command; the arguments are a format string.
macro_rules! run {
    ($shell:expr, $($arguments:tt)+) => { $shell.run(&format!($($arguments)+)).await? };
}
pub(crate) use run;

/// A kubeconfig, and what was printed so far.
#[derive(Debug)]
pub(crate) struct Shell {
    name: &'static str,
    kubeconfig: PathBuf,
    /// Beginnings of addresses and what stands for them.
    addresses: Vec<(String, String)>,
    transcript: String,
}

impl Shell {
    /// A shell of an administrator of these clusters, by the names of their contexts.
    ///
    /// # Errors
    /// When its kubeconfig cannot be written.
    pub(crate) fn new(name: &'static str, clusters: &[(&str, &Cluster)]) -> Result<Self> {
        let mut identities = Vec::new();
        for (_, cluster) in clusters {
            identities.push(cluster.authority().client("admin", "system:masters")?);
        }
        let context = |((name, cluster), identity)| -> Context<'_> {
            let (name, cluster): (&&str, &&Cluster) = (name, cluster);
            Context {
                name,
                server: cluster.api_address(),
                authority: cluster.authority().certificate(),
                user: User::Certificate(identity),
            }
        };
        let pairs = clusters.iter().map(|(name, cluster)| (name, cluster));
        let contexts: Vec<Context<'_>> = pairs.zip(&identities).map(context).collect();
        let folder = super::folder().join("data");
        let kubeconfig = folder.join(format!("ctl-{name}.kubeconfig"));
        std::fs::write(&kubeconfig, access::kubeconfig(&contexts)?)?;
        let beginning = |cluster: &Cluster| {
            let address = cluster.address(1).to_string();
            address.trim_end_matches('1').to_owned()
        };
        let mut addresses: Vec<(String, String)> = clusters
            .iter()
            .map(|(_, cluster)| (beginning(cluster), format!("<{}>.", cluster.name())))
            .collect();
        addresses.dedup();
        Ok(Self {
            name,
            kubeconfig,
            addresses,
            transcript: String::new(),
        })
    }

    /// What a command prints and its exit code.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn output(&self, arguments: &str) -> Result<(i32, String, String)> {
        let mut command = Command::new(assets()?.path("mcwanctl"));
        command
            .args(arguments.split_whitespace())
            .env("KUBECONFIG", &self.kubeconfig)
            .kill_on_drop(true);
        let output = command.output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ok((code, text(&output.stdout), text(&output.stderr)))
    }

    /// Runs a command for the golden file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn run(&mut self, arguments: &str) -> Result<()> {
        let (code, stdout, stderr) = self.output(arguments).await?;
        let shown = format!("$ mcwanctl {arguments}\n{stderr}{stdout}exit code {code}\n\n");
        let shown = self.timeless(&shown);
        self.transcript.write_str(&shown)?;
        Ok(())
    }

    /// A text without what differs from run to run: addresses, ages, dates, the version of the API server, and the widths
    /// of columns that follow from them.
    fn timeless(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (beginning, instead) in &self.addresses {
            text = text.replace(beginning, instead);
        }
        let lines = text.lines().map(|line| {
            let line = match line.split_once("good until ") {
                Some((before, _)) => format!("{before}good until DATE"),
                None => line.to_owned(),
            };
            let indent = line.len() - line.trim_start().len();
            let columns: Vec<String> = line
                .split("  ")
                .filter(|column| !column.trim().is_empty())
                .map(|column| words(column.trim()))
                .collect();
            format!("{}{}", " ".repeat(indent), columns.join("  "))
        });
        lines.fold(String::new(), |all, line| all + line.trim_end() + "\n")
    }

    /// Compares with the golden file, or writes it.
    ///
    /// # Errors
    /// When they differ.
    pub(crate) fn finish(self) -> Result<()> {
        let golden = root().join(format!("e2e/tests/goldens/ctl-{}.txt", self.name));
        if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
            std::fs::write(&golden, &self.transcript)?;
            return Ok(());
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        ensure!(
            expected == self.transcript,
            "{} differs (UPDATE=1 writes it anew):\n{}",
            golden.display(),
            self.transcript
        );
        Ok(())
    }
}

/// Words without ages and versions.
fn words(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_age(bare) {
            word.replace(bare, "AGE")
        } else if bare.starts_with("v1.") {
            word.replace(bare, "VERSION")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A number and a unit of time.
fn is_age(word: &str) -> bool {
    let number = word.strip_suffix(['s', 'm', 'h', 'd']);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
