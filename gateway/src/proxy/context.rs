//! What the gateway knows of one request, from its header to its log line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mcwan_routing::failure::Failure;
use mcwan_routing::filter::Cors;
use mcwan_routing::plan::{Candidate, Plan};
use mcwan_routing::rule::{Action, Choice, Filters};
use mcwan_routing::spec::Role;
use mcwan_routing::table::RuleId;
use smallvec::SmallVec;

use crate::backends::{Backend, Lease};
use crate::listen::connection::SharedConnection;
use crate::live::{LinkedRule, Live};
use crate::observe::Attempt;
use crate::observe::trace::{RequestId, TraceContext};

/// State of one request. It holds the table that was in force when the request came, until its last attempt.
#[derive(Debug)]
pub struct RequestContext {
    pub(super) live: Arc<Live>,
    pub(super) start: Instant,
    pub(super) started_at: SystemTime,
    pub(super) connection: Option<SharedConnection>,
    /// The request, until it is reported.
    pub(super) asked: Option<super::finish::Asked>,
    pub(super) trace: Option<TraceContext>,
    pub(super) request_id: Option<RequestId>,
    pub(super) rule: Option<RuleId>,
    /// What a `PathPrefix` match took from the path.
    pub(super) prefix: Option<Box<str>>,
    /// The rule of an imported service that chooses the backends, where the rule that took the request leads to one.
    pub(super) import: Option<Import>,
    pub(super) plan: Plan,
    /// Position in the plan of the next attempt's candidate.
    pub(super) next: usize,
    pub(super) current: Option<Current>,
    pub(super) attempts: SmallVec<[Attempt; 1]>,
    /// Time limit over everything.
    pub(super) deadline: Option<Instant>,
    /// Why the gateway answers, or gives up, itself.
    pub(super) failure: Option<Failure>,
    /// Whether a failed attempt may have reached a backend.
    pub(super) sent: bool,
    /// The error on its way through Pingora is ours, and means that another attempt follows.
    pub(super) again: bool,
    /// Retries of the same candidate so far.
    pub(super) retries: u32,
    /// Time to wait before the next attempt.
    pub(super) pause: Duration,
    /// Place of the last repetition in the retry budget.
    pub(super) repetition: Option<super::budget::Retry>,
    /// Whole request body, where it had to be read before the first attempt.
    pub(super) spooled: Option<super::spool::Spooled>,
    pub(super) copies: super::mirror::Copies,
    pub(super) counted: Option<super::budget::Active>,
}

/// A request's way through an imported service.
#[derive(Debug)]
pub(super) struct Import {
    /// The choice of the rule that took the request, which leads there.
    pub(super) by: Candidate,
    /// The rule of the imported service.
    pub(super) rule: RuleId,
    /// What a `PathPrefix` match of that rule took from the path.
    pub(super) prefix: Option<Box<str>>,
}

/// The attempt under way.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) candidate: Candidate,
    pub(super) backend: Arc<Backend>,
    pub(super) address: SocketAddr,
    /// Taken by the first report of what became of it.
    pub(super) lease: Option<Lease>,
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) status: u16,
    /// Time until the response header.
    pub(super) header_after: Option<Duration>,
}

/// Filters in the order in which a request meets them, and the prefix that a `PathPrefix` match took.
pub(super) type FiltersOnTheWay<'a> = ([Option<&'a Filters>; 2], Option<&'a str>);

fn choice_of(linked: &LinkedRule, candidate: Candidate) -> Option<&Choice> {
    match &linked.work.rule.action {
        Action::Forward(forward) => forward.choice(candidate),
        Action::Redirect(_) => None,
    }
}

impl RequestContext {
    pub(super) fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            start: Instant::now(),
            started_at: SystemTime::now(),
            connection: None,
            asked: None,
            trace: None,
            request_id: None,
            rule: None,
            prefix: None,
            import: None,
            plan: Plan::new(),
            next: 0,
            current: None,
            attempts: SmallVec::new(),
            deadline: None,
            failure: None,
            sent: false,
            again: false,
            retries: 0,
            pause: Duration::ZERO,
            repetition: None,
            spooled: None,
            copies: super::mirror::Copies::new(),
            counted: None,
        }
    }

    /// Role of the socket that the request came in on.
    pub(super) fn role(&self) -> Role {
        self.connection.as_ref().map_or(Role::Plain, |c| c.role())
    }

    /// The rule that took the request.
    pub(super) fn linked(&self) -> Option<&LinkedRule> {
        self.live.rule(self.rule?)
    }

    /// The rule whose choices are the candidates: that of the imported service where there is one, or the same.
    pub(super) fn chooser(&self) -> Option<&LinkedRule> {
        match &self.import {
            Some(import) => self.live.rule(import.rule),
            None => self.linked(),
        }
    }

    /// All filters that an attempt passes, from the client to the upstream, each with what a `PathPrefix` match before
    /// it took from the path. The first item are those outside of an imported service.
    pub(super) fn filters_on_the_way(&self) -> [FiltersOnTheWay<'_>; 2] {
        let prefix = self.prefix.as_deref();
        let Some(import) = &self.import else {
            let own = [self.filters(), self.choice().map(|c| &c.filters)];
            return [(own, prefix), ([None, None], None)];
        };
        let by = self.linked().and_then(|l| choice_of(l, import.by));
        let outside = [self.filters(), by.map(|c| &c.filters)];
        let chooser = self.chooser().map(|l| &l.work.rule.filters);
        let inside = [chooser, self.choice().map(|c| &c.filters)];
        [(outside, prefix), (inside, import.prefix.as_deref())]
    }

    /// Filters of the rule.
    pub(super) fn filters(&self) -> Option<&Filters> {
        self.linked().map(|l| &l.work.rule.filters)
    }

    /// Cross-origin rules of the rule.
    pub(super) fn cors(&self) -> Option<&Cors> {
        self.filters()?.cors.as_ref()
    }

    /// The choice of the attempt under way.
    pub(super) fn choice(&self) -> Option<&Choice> {
        choice_of(self.chooser()?, self.current.as_ref()?.candidate)
    }

    /// Time left until the earlier of the request's and the attempt's limit; None without limit.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let attempt = self.current.as_ref().and_then(|c| c.deadline);
        let earliest = match (self.deadline, attempt) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(earliest.saturating_duration_since(Instant::now()))
    }

    /// Lifts all time limits.
    pub(super) fn unlimited(&mut self) {
        self.deadline = None;
        if let Some(current) = &mut self.current {
            current.deadline = None;
        }
    }

    /// Whether a time limit has passed.
    pub(super) fn is_late(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}
