//! Readiness: the process is ready when every named condition holds. Notes tell more, and do not count.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::RwLock;

/// Conditions and notes of the process. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    shared: Arc<RwLock<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    conditions: BTreeMap<&'static str, Told>,
    notes: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Debug)]
struct Told {
    ok: bool,
    text: String,
}

impl Readiness {
    /// Declares a condition. It does not hold until [`Condition::set`] says so. Who declares a name again takes it over.
    #[must_use]
    pub fn condition(&self, name: &'static str) -> Condition {
        let told = Told {
            ok: false,
            text: "not yet".to_owned(),
        };
        self.shared.write().conditions.insert(name, told);
        Condition {
            name,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Declares a group of notes: things that an operator should see and that do not make the process unready.
    #[must_use]
    pub fn notes(&self, name: &'static str) -> Notes {
        self.shared.write().notes.insert(name, Vec::new());
        Notes {
            name,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Whether every condition holds. A process that declared none is not ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let shared = self.shared.read();
        !shared.conditions.is_empty() && shared.conditions.values().all(|c| c.ok)
    }

    /// One line for each condition and note, `[+]` or `[-]` in front, and a verdict as the last line.
    #[must_use]
    pub fn verbose(&self) -> String {
        let ready = self.is_ready();
        let shared = self.shared.read();
        let mut out = String::new();
        for (name, told) in &shared.conditions {
            line(&mut out, told.ok, name, &told.text);
        }
        for (name, notes) in &shared.notes {
            for note in notes {
                line(&mut out, false, name, note);
            }
        }
        out.push_str(if ready { "ready\n" } else { "not ready\n" });
        out
    }
}

fn line(out: &mut String, ok: bool, name: &str, text: &str) {
    let mark = if ok { "[+]" } else { "[-]" };
    // Notes quote users' files: a line break in them must not begin a line of ours.
    let text = text.replace(['\n', '\r'], " ");
    let written = if text.is_empty() {
        writeln!(out, "{mark} {name}")
    } else {
        writeln!(out, "{mark} {name}: {text}")
    };
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

/// Handle of a condition. When its owner drops it (a task ended, a thread panicked) the condition no longer holds.
#[derive(Debug)]
pub struct Condition {
    name: &'static str,
    shared: Arc<RwLock<Shared>>,
}

impl Condition {
    /// Says whether the condition holds, and a few words.
    pub fn set(&self, ok: bool, text: impl Into<String>) {
        let told = Told {
            ok,
            text: text.into(),
        };
        self.shared.write().conditions.insert(self.name, told);
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.set(false, "stopped");
    }
}

/// Handle of a group of notes; dropping it removes them.
#[derive(Debug)]
pub struct Notes {
    name: &'static str,
    shared: Arc<RwLock<Shared>>,
}

impl Notes {
    /// Replaces the notes of this group.
    pub fn set(&self, notes: Vec<String>) {
        self.shared.write().notes.insert(self.name, notes);
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.shared.write().notes.remove(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_declared_is_not_ready() {
        assert!(!Readiness::default().is_ready());
    }

    #[test]
    fn ready_only_when_every_condition_holds() {
        let ready = Readiness::default();
        let table = ready.condition("table");
        let sockets = ready.condition("sockets");
        table.set(true, "generation 1");
        assert!(!ready.is_ready());
        sockets.set(true, "");
        assert!(ready.is_ready());
        sockets.set(false, "127.0.0.1:31111 is taken");
        assert!(!ready.is_ready());
    }

    #[test]
    fn a_dropped_condition_no_longer_holds() {
        let ready = Readiness::default();
        let table = ready.condition("table");
        table.set(true, "");
        drop(table);
        assert!(!ready.is_ready());
        assert!(ready.verbose().contains("[-] table: stopped"));
    }

    #[test]
    fn notes_are_listed_and_do_not_count() {
        let ready = Readiness::default();
        let table = ready.condition("table");
        table.set(true, "generation 3");
        let files = ready.notes("file");
        files.set(vec!["cluster-1/a.yaml: document 2\nline 7".to_owned()]);
        assert_eq!(
            ready.verbose(),
            "[+] table: generation 3\n[-] file: cluster-1/a.yaml: document 2 line 7\nready\n"
        );
        drop(files);
        assert_eq!(ready.verbose(), "[+] table: generation 3\nready\n");
    }
}
