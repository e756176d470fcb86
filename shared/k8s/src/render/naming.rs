//! Names of rendered objects beyond those of `names`: stems of names with endings, and names of listeners and ports.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::names::{self, LABEL_LENGTH};

/// A thing with a name of its own, and the endings under which it has further names.
pub(super) struct Named<'n> {
    /// Identity, for the hash.
    pub(super) identity: String,
    /// Its name; no two things have the same.
    pub(super) name: &'n str,
    /// Endings of its further names, e.g. `-p8080`.
    pub(super) endings: Vec<String>,
}

/// For each thing, in the same order, the stem that its endings go to: its name, unless that would give it the name of
/// something else; then a hash of the identity stands between.
///
/// `p` with the ending `-p81` and a thing that is called `p-p81` are such a case. Whoever chooses names cannot provoke
/// equal ones: a hash that does not help gets longer.
pub(super) fn stems(things: &[Named<'_>]) -> Vec<String> {
    let mut taken: BTreeSet<String> = things.iter().map(|t| t.name.to_owned()).collect();
    let mut stems = Vec::new();
    for thing in things {
        let full = |stem: &str| {
            thing
                .endings
                .iter()
                .map(|e| format!("{stem}{e}"))
                .collect::<Vec<_>>()
        };
        let hashed = hashes(&thing.identity).map(|hash| format!("{}-{hash}", thing.name));
        let stem = [thing.name.to_owned()]
            .into_iter()
            .chain(hashed)
            .find(|stem| full(stem).iter().all(|n| !taken.contains(n)))
            .unwrap_or_else(|| thing.name.to_owned());
        taken.extend(full(&stem));
        stems.push(stem);
    }
    stems
}

/// Names of the listeners and ports of WAN policies: DNS labels, because ports of Services have to be. Policies whose
/// names differ only where a label cannot (`a.b`, `a-b`) get a hash, all but the first by name.
pub(super) fn sections<'p>(policies: impl Iterator<Item = &'p str>) -> BTreeMap<&'p str, String> {
    let mut taken = BTreeSet::new();
    let mut sections = BTreeMap::new();
    for policy in policies {
        let plain = names::short(&policy.replace('.', "-"));
        let hashed = hashes(policy).map(|hash| {
            let room = LABEL_LENGTH.saturating_sub(hash.len() + 1);
            let head: String = plain.chars().take(room).collect();
            if head.is_empty() {
                hash.chars().take(LABEL_LENGTH).collect()
            } else {
                format!("{head}-{hash}")
            }
        });
        let free = [plain.clone()]
            .into_iter()
            .chain(hashed)
            .find(|n| !taken.contains(n));
        if let Some(name) = free {
            taken.insert(name.clone());
            sections.insert(policy, name);
        }
    }
    sections
}

/// The SHA-256 of an identity in hexadecimal, ever longer.
fn hashes(identity: &str) -> impl Iterator<Item = String> {
    let hash: String = Sha256::digest(identity)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    [8, 16, 32, 64]
        .into_iter()
        .map(move |digits| hash.chars().take(digits).collect())
}

#[cfg(test)]
mod tests;
