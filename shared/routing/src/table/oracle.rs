//! The specification, literally: looks at everything, compares word by word. Shares neither the index nor the derived
//! order with the table.

use std::cmp::Ordering;
use std::net::SocketAddr;

use crate::hostname::HostPattern;
use crate::matching::{PathMatch, RequestMatch, RequestView};
use crate::rule::Rule;
use crate::spec::{ListenerSpec, RouteEntry, TableSpec};

/// What the specification says.
#[derive(Debug, PartialEq)]
pub(super) enum Answer<'a> {
    /// This rule, with the prefix that was matched.
    Rule(&'a Rule, Option<&'a str>),
    /// A listener, but no rule.
    NoRule,
    /// No listener.
    NoListener,
}

struct Hit<'a> {
    entry: &'a RouteEntry,
    request: &'a RequestMatch,
    position: usize,
}

/// Finds by looking at every listener, route and match.
pub(super) fn find<'a>(
    spec: &'a TableSpec,
    socket: SocketAddr,
    request: &RequestView<'_>,
) -> Answer<'a> {
    let host = request.host.to_ascii_lowercase();
    let host = host.split(':').next().unwrap();
    let listeners = spec
        .sockets
        .iter()
        .filter(|s| s.socket == socket)
        .flat_map(|s| &s.listeners)
        .filter(|l| takes(&l.hostname, host));
    let Some(best) = listeners
        .clone()
        .min_by(|a, b| by_hostname(&a.hostname, &b.hostname))
    else {
        return Answer::NoListener;
    };
    let mut winner: Option<Hit<'a>> = None;
    for hit in listeners
        .filter(|l| l.hostname == best.hostname)
        .flat_map(hits)
    {
        let taken = takes(&hit.entry.hostname, host) && hit.request.matches(request);
        if taken
            && winner
                .as_ref()
                .is_none_or(|w| precedence(&hit, w) == Ordering::Less)
        {
            winner = Some(hit);
        }
    }
    winner.map_or(Answer::NoRule, |hit| {
        let prefix = match &hit.request.path {
            PathMatch::Prefix(value) => Some(value.trim_end_matches('/')),
            PathMatch::Exact(_) | PathMatch::Regex(_) => None,
        };
        Answer::Rule(&hit.entry.rule, prefix)
    })
}

fn hits(listener: &ListenerSpec) -> impl Iterator<Item = Hit<'_>> {
    listener.routes.iter().flat_map(|entry| {
        entry
            .matches
            .iter()
            .enumerate()
            .map(move |(position, request)| Hit {
                entry,
                request,
                position,
            })
    })
}

/// "Wildcards cover one or more labels": some front part, which is not empty, a dot, and the suffix.
fn takes(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(name) => name == host,
        HostPattern::Wildcard(suffix) => {
            host.len() > suffix.len() + 1 && host.ends_with(&format!(".{suffix}"))
        }
        HostPattern::Any => true,
    }
}

/// Exact before wildcard, longer wildcard before shorter, any last.
fn by_hostname(a: &HostPattern, b: &HostPattern) -> Ordering {
    let class = |p: &HostPattern| match p {
        HostPattern::Exact(_) => 2,
        HostPattern::Wildcard(_) => 1,
        HostPattern::Any => 0,
    };
    let length = |p: &HostPattern| match p {
        HostPattern::Exact(name) => name.chars().count(),
        HostPattern::Wildcard(suffix) => suffix.chars().count(),
        HostPattern::Any => 0,
    };
    class(b).cmp(&class(a)).then(length(b).cmp(&length(a)))
}

fn by_path(a: &PathMatch, b: &PathMatch) -> Ordering {
    let class = |p: &PathMatch| match p {
        PathMatch::Exact(_) => 2,
        PathMatch::Prefix(_) => 1,
        PathMatch::Regex(_) => 0,
    };
    let characters = |p: &PathMatch| match p {
        PathMatch::Prefix(value) => value.trim_end_matches('/').chars().count(),
        PathMatch::Exact(_) | PathMatch::Regex(_) => 0,
    };
    class(b)
        .cmp(&class(a))
        .then(characters(b).cmp(&characters(a)))
}

/// `HTTPRouteRule.matches`, sentence by sentence. `Less` wins.
fn precedence(a: &Hit<'_>, b: &Hit<'_>) -> Ordering {
    let (m, n) = (a.request, b.request);
    let (x, y) = (&a.entry.order, &b.entry.order);
    by_hostname(&a.entry.hostname, &b.entry.hostname)
        .then_with(|| by_path(&m.path, &n.path))
        .then_with(|| n.method.is_some().cmp(&m.method.is_some()))
        .then_with(|| n.headers.len().cmp(&m.headers.len()))
        .then_with(|| n.query.len().cmp(&m.query.len()))
        .then_with(|| x.created.cmp(&y.created))
        .then_with(|| x.namespace.cmp(&y.namespace))
        .then_with(|| x.name.cmp(&y.name))
        .then_with(|| x.kind.cmp(&y.kind))
        .then_with(|| x.rule.cmp(&y.rule))
        .then_with(|| a.position.cmp(&b.position))
}
