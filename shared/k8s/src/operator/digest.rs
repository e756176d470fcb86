//! What was applied, in short.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Half of the SHA-256 of an object's own part as JSON: equal parts have equal digests, in every run of the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a value.
    pub(super) fn of(value: &impl Serialize) -> Self {
        let mut hash = Hash(Sha256::new());
        // Neither writing to a hash nor JSON of objects with text keys can fail.
        let _written = serde_json::to_writer(&mut hash, value);
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(hash.0.finalize()) {
            *to = from;
        }
        Self(half)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
