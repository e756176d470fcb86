//! Where access-log lines go.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How often a file's path is looked at, to notice that it was rotated away.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An error is logged again after this time, not at each batch.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to; created when it does not exist.
    File(PathBuf),
}

impl FromStr for Sink {
    type Err = Infallible;

    /// `stdout` or `-`, `stderr`, or a path.
    fn from_str(s: &str) -> Result<Self, Infallible> {
        Ok(match s {
            "-" | "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(path.into()),
        })
    }
}

/// A batch that could not be written.
#[derive(Debug)]
pub(super) struct Lost {
    /// How many lines.
    pub(super) lines: u64,
}

/// Writes batches of whole lines.
#[derive(Debug)]
pub(super) struct Writer {
    target: Target,
    complained: Option<Instant>,
}

#[derive(Debug)]
enum Target {
    Stdout,
    Stderr,
    File(Rotating),
}

#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    /// Device and inode of `file`.
    identity: (u64, u64),
    looked: Instant,
}

impl Writer {
    pub(super) fn open(sink: Sink) -> io::Result<Self> {
        let target = match sink {
            Sink::Stdout => Target::Stdout,
            Sink::Stderr => Target::Stderr,
            Sink::File(path) => Target::File(Rotating::open(path)?),
        };
        Ok(Self {
            target,
            complained: None,
        })
    }

    pub(super) fn write(&mut self, batch: &[u8]) -> Result<(), Lost> {
        let written = match &mut self.target {
            Target::Stdout => write_flush(&mut io::stdout().lock(), batch),
            Target::Stderr => write_flush(&mut io::stderr().lock(), batch),
            Target::File(rotating) => rotating.write(batch),
        };
        written.map_err(|error| {
            self.complain(&error);
            let lines = batch.iter().filter(|b| **b == b'\n').count();
            Lost {
                lines: u64::try_from(lines).unwrap_or(u64::MAX),
            }
        })
    }

    fn complain(&mut self, error: &io::Error) {
        if self
            .complained
            .is_none_or(|at| at.elapsed() > COMPLAIN_EVERY)
        {
            self.complained = Some(Instant::now());
            tracing::error!(%error, "the access log cannot be written; lines are lost until it can");
        }
    }
}

fn write_flush(out: &mut impl Write, batch: &[u8]) -> io::Result<()> {
    out.write_all(batch)?;
    out.flush()
}

impl Rotating {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = append(&path)?;
        let meta = file.metadata()?;
        Ok(Self {
            path,
            file,
            identity: (meta.dev(), meta.ino()),
            looked: Instant::now(),
        })
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.look()?;
        }
        self.file.write_all(batch)
    }

    /// Opens the path anew if it no longer names our file.
    fn look(&mut self) -> io::Result<()> {
        self.looked = Instant::now();
        let there = std::fs::metadata(&self.path).map(|m| (m.dev(), m.ino()));
        if there.is_ok_and(|identity| identity == self.identity) {
            return Ok(());
        }
        *self = Self::open(self.path.clone())?;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| {
        let text = format!("cannot open the access log {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_streams_and_anything_else_a_file() {
        let parse = |s: &str| s.parse::<Sink>().unwrap();
        assert_eq!(parse("-"), Sink::Stdout);
        assert_eq!(parse("stderr"), Sink::Stderr);
        assert_eq!(parse("/var/log/x"), Sink::File("/var/log/x".into()));
    }

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let mut rotating = Rotating::open(path.clone()).unwrap();
        rotating.write(b"one\n").unwrap();
        std::fs::rename(&path, dir.path().join("access.log.1")).unwrap();
        rotating.look().unwrap();
        rotating.write(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        assert_eq!(
            std::fs::read(dir.path().join("access.log.1")).unwrap(),
            b"one\n"
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let error = Writer::open(Sink::File("/nonexistent/access.log".into())).unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/access.log"),
            "{error}"
        );
    }
}
