//! Where the programs are that a test world is made of.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs of Kubernetes and of the project.
#[derive(Debug, Clone)]
pub struct Assets {
    kubernetes: PathBuf,
    own: PathBuf,
}

/// Programs of the project that test worlds run.
const OWN: [&str; 3] = ["mcwan-controller", "mcwan-gateway", "mcwanctl"];

impl Assets {
    /// Finds them: those of Kubernetes where `scripts/kube.sh` says, the project's own beside the test program.
    ///
    /// # Errors
    /// What is missing and the command that makes it, for people.
    pub fn find() -> Result<Self, String> {
        let own = own()?;
        let missing: Vec<&str> = OWN.into_iter().filter(|p| !own.join(p).is_file()).collect();
        if !missing.is_empty() {
            return Err(format!(
                "{} not built; run: cargo build --workspace --bins",
                missing.join(", ")
            ));
        }
        Ok(Self {
            kubernetes: kubernetes()?,
            own,
        })
    }

    /// Path of a program.
    #[must_use]
    pub fn path(&self, program: &str) -> PathBuf {
        let folder = if OWN.contains(&program) {
            &self.own
        } else {
            &self.kubernetes
        };
        folder.join(program)
    }
}

/// `target/<profile>`: test programs are in `deps` below it.
fn own() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
    let folder = test.parent().and_then(Path::parent);
    folder
        .map(Path::to_owned)
        .ok_or_else(|| "no folder of programs".to_owned())
}

/// Root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

fn kubernetes() -> Result<PathBuf, String> {
    let output = Command::new(root().join("scripts/kube.sh"))
        .arg("--built")
        .output()
        .map_err(|e| format!("scripts/kube.sh: {e}"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !folder.is_empty() {
        return Ok(PathBuf::from(folder));
    }
    Err("etcd and kube-apiserver are not built; run: scripts/kube.sh".to_owned())
}
