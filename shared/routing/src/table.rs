//! The indexed table: socket → listener → host → path → matches by precedence.
//!
//! Sockets, hosts, paths and prefixes are found by hashing, so a lookup costs the same with ten of them and with ten
//! thousand; only the matches that share one host and one path are tried one after the other, best rank first.
//!
//! The order of the search is the order of [`Rank`]: hosts by specificity; in a host the exact path, the prefixes from
//! the longest, the regular expressions; among those of one path, their sorted ranks. The first match whose conditions
//! hold is therefore the best of all.

mod host;
mod map;
mod path;
mod rules;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::hostname::{HostPattern, normalize_host};
use crate::matching::rank::Rank;
use crate::matching::{RequestMatch, RequestView};
use crate::rule::Rule;
use crate::spec::{BackendName, ListenerSpec, RouteEntry, TableSpec};

use host::HostMap;
use map::{HashMap, SocketMap};
use path::PathIndex;
use rules::Rules;

/// Index of a rule in [`Table::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// The indexed table. Made from a [`TableSpec`] by [`Table::compile`], which cannot fail.
#[derive(Debug, Default)]
pub struct Table {
    spec: TableSpec,
    rules: Vec<Arc<Rule>>,
    sockets: SocketMap<HostMap<ListenerIndex>>,
    imports: HashMap<BackendName, ListenerIndex>,
}

/// The routes of the listeners of one hostname, by the routes' own hostnames.
type ListenerIndex = HostMap<PathIndex>;

/// What a lookup found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// This rule takes the request.
    Found {
        /// Which rule.
        rule: RuleId,
        /// What a `PathPrefix` match took from the path, without a trailing slash (`ReplacePrefixMatch` needs it).
        /// None when another kind of path match took the request.
        prefix: Option<&'a str>,
    },
    /// A listener takes the host, but no rule the request.
    NoRule,
    /// No listener on this socket takes the host.
    NoListener,
}

/// One match of one rule, while the index is built.
#[derive(Debug)]
struct Ranked<'a> {
    rank: Rank<'a>,
    request: &'a RequestMatch,
    rule: RuleId,
}

impl Table {
    /// Indexes a spec. Listeners of one socket that have the same hostname are taken together.
    #[must_use]
    pub fn compile(spec: TableSpec) -> Self {
        let mut rules = Rules::default();
        let mut listeners =
            BTreeMap::<SocketAddr, BTreeMap<&HostPattern, Vec<&ListenerSpec>>>::new();
        for socket in &spec.sockets {
            let hosts = listeners.entry(socket.socket).or_default();
            for listener in &socket.listeners {
                hosts.entry(&listener.hostname).or_default().push(listener);
            }
        }
        let sockets = listeners
            .into_iter()
            .map(|(socket, hosts)| {
                let hosts = hosts.into_iter();
                (
                    socket,
                    hosts
                        .map(|(host, of)| {
                            let entries = of.into_iter().flat_map(|listener| &listener.routes);
                            (host, index(entries, &mut rules))
                        })
                        .collect(),
                )
            })
            .collect();
        let imports = spec
            .imports
            .iter()
            .map(|(name, entries)| (name.clone(), index(entries, &mut rules)))
            .collect();
        let rules = rules.into_list();
        Self {
            spec,
            rules,
            sockets,
            imports,
        }
    }

    /// The values this table was made from.
    #[must_use]
    pub const fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// Rules by [`RuleId`], without duplicates.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// A rule.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Arc<Rule>> {
        self.rules.get(id.0 as usize)
    }

    /// Finds the rule for a request that came in on `socket`, an address of [`TableSpec::sockets`].
    ///
    /// Only the listener with the most specific hostname is asked (listener isolation, GEP-1713); in it, the rules of
    /// every route hostname that takes the host compete. Allocates only for a host in upper case, and for regular
    /// expressions.
    #[must_use]
    pub fn find(&self, socket: SocketAddr, request: &RequestView<'_>) -> Lookup<'_> {
        let host = normalize_host(request.host);
        let Some(listener) = self
            .sockets
            .get(&socket)
            .and_then(|s| s.search(&host, Some))
        else {
            return Lookup::NoListener;
        };
        search(listener, &host, request)
    }

    /// Finds the rule of an imported service for a request that another rule sends there ([`Target::Import`]).
    /// [`Lookup::NoListener`] when the table does not know the service.
    ///
    /// [`Target::Import`]: crate::rule::Target::Import
    #[must_use]
    pub fn find_import(&self, import: &BackendName, request: &RequestView<'_>) -> Lookup<'_> {
        match self.imports.get(import) {
            Some(listener) => search(listener, &normalize_host(request.host), request),
            None => Lookup::NoListener,
        }
    }
}

fn search<'t>(listener: &'t ListenerIndex, host: &str, request: &RequestView<'_>) -> Lookup<'t> {
    listener
        .search(host, |paths| paths.find(request))
        .map_or(Lookup::NoRule, |found| Lookup::Found {
            rule: found.rule,
            prefix: found.prefix,
        })
}

/// Indexes the routes of the listeners of one hostname.
fn index<'a>(
    entries: impl IntoIterator<Item = &'a RouteEntry>,
    rules: &mut Rules<'a>,
) -> ListenerIndex {
    let mut hosts = BTreeMap::<&HostPattern, Vec<Ranked<'a>>>::new();
    for entry in entries {
        let rule = rules.id(&entry.rule);
        let matches = entry
            .matches
            .iter()
            .enumerate()
            .map(|(position, request)| Ranked {
                rank: Rank::new(&entry.hostname, request, &entry.order, position),
                request,
                rule,
            });
        hosts.entry(&entry.hostname).or_default().extend(matches);
    }
    let indexed = hosts.into_iter().map(|(host, mut matches)| {
        matches.sort_by(|a, b| a.rank.cmp(&b.rank));
        (host, PathIndex::new(&matches))
    });
    indexed.collect()
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod index_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
