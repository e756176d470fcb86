//! From a request header to a plan.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{EXPECT, HOST};
use mcwan_routing::failure::Failure;
use mcwan_routing::filter::Preflight;
use mcwan_routing::filter::RedirectFrom;
use mcwan_routing::matching::RequestView;
use mcwan_routing::plan::{Candidate, Plan};
use mcwan_routing::rule::{Action, Forward, Target};
use mcwan_routing::spec::BackendName;
use mcwan_routing::table::Lookup;
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::{FiltersOnTheWay, Import, RequestContext};
use super::{Edge, answer, forward};
use crate::listen::connection::Connection;
use crate::live::{LinkedRule, Live};
use crate::observe::trace::{RequestId, TraceContext};

/// Longest pause of a client inside a request body.
const BODY_PAUSE: Duration = Duration::from_secs(60);
/// A client that takes nothing of its answer for this long is given up.
const WRITE_PAUSE: Duration = Duration::from_secs(60);
/// Longest time for throwing away the rest of a body that nobody wants, before the connection is used again.
const DRAIN_BODY: Duration = Duration::from_secs(5);

/// Settings of the client's session; Pingora's own would keep it for ever, break pipelining, and abandon clients that
/// close their sending side.
pub(super) fn prepare(session: &mut Session, ctx: &mut RequestContext, keepalive: u64) {
    if let Some(connection) = Connection::of(session.digest()) {
        connection.request_begins();
        ctx.connection = Some(Arc::clone(connection));
    }
    // None: the client, or the end of the process, wants the connection closed.
    if session.get_keepalive().is_some() {
        session.set_keepalive(Some(keepalive));
    }
    session.set_pipelining_enabled(true);
    session.set_abort_on_close(false);
    session.set_read_timeout(Some(BODY_PAUSE));
    session.set_write_timeout(Some(WRITE_PAUSE));
    session.set_total_drain_timeout(Some(DRAIN_BODY));
}

/// Host that the client asked for, with its port if it gave one: `:authority`, else `Host`. Pingora has refused
/// requests in which they disagree.
pub(super) fn authority(request: &RequestHeader) -> &[u8] {
    match request.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => request.headers.get(HOST).map_or(b"", |h| h.as_bytes()),
    }
}

/// The host of an authority: without port. An IPv6 literal keeps its brackets.
pub(super) fn host(authority: &[u8]) -> &str {
    let text = std::str::from_utf8(authority).unwrap_or("");
    let end = match text.rfind(']') {
        Some(bracket) => bracket + 1,
        None => text.rfind(':').unwrap_or(text.len()),
    };
    text.get(..end).unwrap_or(text)
}

impl Edge {
    /// Finds the rule and plans. True when the request has been answered.
    ///
    /// # Errors
    /// When the client cannot be written to.
    pub(super) async fn route(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<bool> {
        self.identify(session.req_header(), ctx);
        if let Err(failure) = find(session.req_header(), ctx) {
            return self.refuse(session, ctx, failure).await;
        }
        ctx.counted = Some(self.budget.begin());
        if self.answered_by_filter(session, ctx).await? {
            return Ok(true);
        }
        if let Err(failure) = plan(session.req_header(), ctx) {
            return self.refuse(session, ctx, failure).await;
        }
        self.continue_body(session, ctx).await?;
        self.spool(session, ctx).await?;
        Ok(false)
    }

    fn identify(&self, request: &RequestHeader, ctx: &mut RequestContext) {
        let mut random = || fastrand::u64(..);
        ctx.trace = Some(TraceContext::of(&request.headers, self.sample, &mut random));
        ctx.remember(request, &self.observer);
        ctx.request_id = Some(RequestId::of(&request.headers, &mut random));
    }

    async fn refuse(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        failure: Failure,
    ) -> Result<bool> {
        ctx.failure = Some(failure);
        answer::failure(session, ctx, failure).await?;
        Ok(true)
    }

    /// Redirects and preflight requests.
    async fn answered_by_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<bool> {
        let client = session.req_header();
        let Some(linked) = ctx.linked() else {
            return Ok(false);
        };
        if let (Some(cors), Some(asked)) =
            (ctx.cors(), Preflight::of(&client.method, &client.headers))
        {
            let headers = cors.preflight(&asked);
            answer::preflight(session, ctx, &headers).await?;
            return Ok(true);
        }
        let Action::Redirect(redirect) = &linked.work.rule.action else {
            return Ok(false);
        };
        let location = redirect.location(&RedirectFrom {
            scheme: "http",
            host: std::str::from_utf8(authority(client)).unwrap_or(""),
            listener_port: ctx.connection.as_ref().map_or(80, |c| c.port()),
            path: client.uri.path(),
            query: client.uri.query(),
            prefix: ctx.prefix.as_deref(),
        });
        let status = redirect.status;
        answer::redirect(session, ctx, status, &location).await?;
        Ok(true)
    }

    /// A client that waits for leave to send its body gets it here: behind an HTTP/2 tunnel nobody else would say so.
    async fn continue_body(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<()> {
        let waits = session
            .req_header()
            .headers
            .get(EXPECT)
            .is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if waits && !session.is_http2() {
            session.write_continue_response().await?;
        }
        if let Some(left) = ctx.time_left() {
            session.set_read_timeout(Some(left.min(BODY_PAUSE)));
        }
        Ok(())
    }
}

/// Finds the rule.
fn find(request: &RequestHeader, ctx: &mut RequestContext) -> Result<(), Failure> {
    let connection = ctx.connection.as_ref().ok_or(Failure::Internal)?;
    let (rule, prefix) = match ctx.live.table.find(connection.socket(), &view(request)) {
        Lookup::Found { rule, prefix } => (rule, prefix.map(Box::from)),
        Lookup::NoRule | Lookup::NoListener => return Err(Failure::NoRule),
    };
    ctx.rule = Some(rule);
    ctx.prefix = prefix;
    let limit = ctx.linked().and_then(|l| l.work.rule.timeouts.request);
    ctx.deadline = limit.map(|limit| Instant::now() + limit);
    Ok(())
}

/// Orders the candidates. Where the rule's draw falls on an imported service, they are those of its own rules.
fn plan(request: &RequestHeader, ctx: &mut RequestContext) -> Result<(), Failure> {
    let live = Arc::clone(&ctx.live);
    let linked = ctx.rule.and_then(|id| live.rule(id));
    let (forward, mut plan) = planned(linked.ok_or(Failure::Internal)?)?;
    let drawn = plan.first().copied();
    let choice = drawn.and_then(|by| Some((by, forward.choice(by)?)));
    if let Some((by, choice)) = choice
        && let Target::Import(name) = &choice.target
    {
        let filters = (
            [ctx.filters(), Some(&choice.filters)],
            ctx.prefix.as_deref(),
        );
        let import = import(request, &live, (name, by), filters)?;
        (_, plan) = planned(live.rule(import.rule).ok_or(Failure::Internal)?)?;
        ctx.import = Some(import);
    }
    ctx.plan = plan;
    Ok(())
}

/// The candidates of a rule.
fn planned(linked: &LinkedRule) -> Result<(&Forward, Plan), Failure> {
    let Action::Forward(forward) = &linked.work.rule.action else {
        return Err(Failure::Internal);
    };
    let plan = linked.plan();
    if plan.is_empty() {
        return Err(forward.refusal());
    }
    Ok((forward, plan))
}

/// The rule of an imported service for a request, as the filters on the way there leave it.
fn import(
    request: &RequestHeader,
    live: &Live,
    (name, by): (&BackendName, Candidate),
    filters: FiltersOnTheWay<'_>,
) -> Result<Import, Failure> {
    let mut request = request.clone();
    forward::apply(&mut request, filters).map_err(|_malformed| Failure::BadRequest)?;
    match live.table.find_import(name, &view(&request)) {
        Lookup::Found { rule, prefix } => Ok(Import {
            by,
            rule,
            prefix: prefix.map(Box::from),
        }),
        Lookup::NoRule => Err(Failure::NoRule),
        Lookup::NoListener => Err(Failure::InvalidBackend),
    }
}

fn view(request: &RequestHeader) -> RequestView<'_> {
    RequestView {
        host: host(authority(request)),
        path: request.uri.path(),
        query: request.uri.query(),
        method: &request.method,
        headers: &request.headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_the_host() {
        assert_eq!(host(b"a.example:8080"), "a.example");
        assert_eq!(host(b"a.example"), "a.example");
        assert_eq!(host(b"[::1]:80"), "[::1]");
        assert_eq!(host(b"[::1]"), "[::1]");
        assert_eq!(host(b""), "");
        assert_eq!(host(b"\xff"), "");
    }

    #[test]
    fn http2_says_the_host_in_its_authority() {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.set_uri("http://a.example:81/x".parse().unwrap());
        assert_eq!(authority(&request), b"a.example:81");
    }
}
