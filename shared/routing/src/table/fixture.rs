//! Builders of small tables and requests for tests.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Lookup, Table};
use crate::filter::Redirect;
use crate::hostname::HostPattern;
use crate::matching::{
    HeaderMatch, PathMatch, Pattern, QueryMatch, RequestMatch, RequestView, RouteOrder, StringMatch,
};
use crate::rule::{Action, Filters, RouteKind, Rule, RuleName, Timeouts};
use crate::spec::{ListenerSpec, Role, RouteEntry, SocketSpec, TableSpec};

/// The socket of the tests.
pub(super) fn socket() -> SocketAddr {
    ([127, 0, 0, 1], 10080).into()
}

/// A rule that is known by its name.
pub(super) fn rule(name: &str) -> Arc<Rule> {
    Arc::new(Rule {
        name: RuleName {
            kind: RouteKind::HTTPRoute,
            namespace: "test".into(),
            route: name.into(),
            index: 0,
            name: None,
        },
        service: None,
        filters: Filters::default(),
        action: Action::Redirect(Redirect {
            scheme: None,
            hostname: None,
            path: None,
            port: None,
            status: 302,
        }),
        timeouts: Timeouts::default(),
        retry: None,
    })
}

/// A hostname: empty for any.
pub(super) fn hostname(text: &str) -> HostPattern {
    if text.is_empty() {
        HostPattern::Any
    } else {
        HostPattern::parse(text).unwrap()
    }
}

/// A match by path: `=/x` exact, `~/x` a regular expression, else a prefix.
pub(super) fn path(text: &str) -> RequestMatch {
    let path = match text.split_at(1) {
        ("=", path) => PathMatch::Exact(path.into()),
        ("~", source) => PathMatch::Regex(Pattern::new(source).unwrap()),
        _ => PathMatch::Prefix(text.into()),
    };
    RequestMatch {
        path,
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
    }
}

impl RequestMatch {
    /// And by method.
    pub(super) fn method(mut self, method: &str) -> Self {
        self.method = Some(method.parse().unwrap());
        self
    }

    /// And by a header.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push(HeaderMatch {
            name: HeaderName::from_static(name),
            value: StringMatch::Exact(value.into()),
        });
        self
    }

    /// And by a query parameter.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(QueryMatch {
            name: name.into(),
            value: StringMatch::Exact(value.into()),
        });
        self
    }
}

/// A route whose rule has the route's name.
pub(super) fn route(name: &str, host: &str, matches: Vec<RequestMatch>) -> RouteEntry {
    RouteEntry {
        hostname: hostname(host),
        matches,
        order: RouteOrder {
            name: name.into(),
            ..RouteOrder::default()
        },
        rule: rule(name),
    }
}

/// A listener.
pub(super) fn listener(host: &str, routes: Vec<RouteEntry>) -> ListenerSpec {
    ListenerSpec {
        name: format!("test/gateway/{host}"),
        hostname: hostname(host),
        routes,
    }
}

/// A table of one socket.
pub(super) fn table(listeners: Vec<ListenerSpec>) -> Table {
    Table::compile(TableSpec {
        sockets: vec![SocketSpec {
            socket: socket(),
            port: 80,
            role: Role::Plain,
            wan: None,
            listeners,
        }],
        backends: Default::default(),
        imports: Default::default(),
    })
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
}

/// A GET of `host/path?query`.
pub(super) fn get(url: &str) -> Request {
    let (host, rest) = url.split_at(url.find('/').unwrap());
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (rest, None),
    };
    Request {
        host: host.into(),
        path: path.into(),
        query,
        method: Method::GET,
        headers: HeaderMap::new(),
    }
}

impl Request {
    /// With another method.
    pub(super) fn method(mut self, method: &str) -> Self {
        self.method = method.parse().unwrap();
        self
    }

    /// With a header.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(name, HeaderValue::from_static(value));
        self
    }

    /// As matches see it.
    pub(super) fn view(&self) -> RequestView<'_> {
        RequestView {
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            method: &self.method,
            headers: &self.headers,
        }
    }
}

/// Name of the rule that takes a request; `404` when none does, `-` when no listener does.
pub(super) fn taken_by<'a>(table: &'a Table, request: &Request) -> &'a str {
    match table.find(socket(), &request.view()) {
        Lookup::Found { rule, .. } => &table.rule(rule).unwrap().name.route,
        Lookup::NoRule => "404",
        Lookup::NoListener => "-",
    }
}

/// Checks requests, given as URL and name of the rule.
pub(super) fn check(table: &Table, cases: &[(&str, &str)]) {
    for (url, want) in cases {
        assert_eq!(taken_by(table, &get(url)), *want, "{url}");
    }
}

/// A table of one listener for all hosts.
pub(super) fn single(routes: Vec<RouteEntry>) -> Table {
    table(vec![listener("", routes)])
}
