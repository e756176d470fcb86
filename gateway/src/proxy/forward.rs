//! The request as an upstream gets it.

use http::Uri;
use http::header::{EXPECT, HOST, HeaderName, HeaderValue, TE};
use mcwan_routing::rule::Filters;
use mcwan_routing::spec::{BackendProtocol, Role};
use pingora_error::{ErrorType, OrErr as _, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::{FiltersOnTheWay, RequestContext};
use super::header::RequestTarget;
use super::{Edge, header, request, wan};
use crate::upstream::headers::strip_hop_by_hop;

static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

impl Edge {
    /// Makes `upstream`, a copy of the client's header, what the attempt under way sends.
    ///
    /// # Errors
    /// When a rewritten header cannot be one.
    pub(super) fn prepare_upstream(
        &self,
        session: &Session,
        upstream: &mut RequestHeader,
        ctx: &RequestContext,
    ) -> Result<()> {
        let client = session.req_header();
        let authority = request::authority(client);
        if is_http2(session, ctx) {
            // Over HTTP/1 Pingora does this; before our own headers are set, or a client could strip them.
            strip_hop_by_hop(upstream)?;
        }
        upstream.remove_header(&EXPECT);
        self.wan_headers(upstream, ctx, authority);
        header::forwarded(
            upstream,
            ctx.connection.as_ref().map(|c| c.client.ip()),
            authority,
        );
        if let Some(trace) = &ctx.trace {
            trace.write(upstream);
        }
        if let Some(id) = &ctx.request_id {
            id.write(upstream);
        }
        let [outside, _] = ctx.filters_on_the_way();
        apply(upstream, outside)?;
        if client.headers.contains_key(&GRPC_TIMEOUT) || is_grpc(client) {
            // gRPC servers insist on it, and it is hop-by-hop: an HTTP/1 hop before us may have lost it.
            upstream.insert_header(TE, HeaderValue::from_static("trailers"))?;
        }
        Ok(())
    }

    /// Takes `upstream` through the rule of an imported service, where there is one: what the filters so far made of
    /// Host is what its backends shall see.
    ///
    /// # Errors
    /// When a rewritten header cannot be one.
    pub(super) fn enter_import(
        &self,
        upstream: &mut RequestHeader,
        ctx: &RequestContext,
    ) -> Result<()> {
        if ctx.import.is_none() {
            return Ok(());
        }
        if is_tunnelled(ctx) {
            // A filter writes `Host`; an HTTP/2 client wrote `:authority` only.
            let host = upstream.headers.get(HOST).map(HeaderValue::as_bytes);
            let host = host
                .unwrap_or_else(|| request::authority(upstream))
                .to_vec();
            wan::enter(upstream, self.cluster(), &host);
        }
        let [_, inside] = ctx.filters_on_the_way();
        apply(upstream, inside)
    }

    /// Headers of the WAN hop: none from ordinary clients, ours into a tunnel, none to a backend.
    fn wan_headers(&self, upstream: &mut RequestHeader, ctx: &RequestContext, authority: &[u8]) {
        if ctx.role() == Role::Ingress {
            wan::leave(upstream);
        }
        wan::strip_request(upstream);
        if is_tunnelled(ctx) && ctx.import.is_none() {
            wan::enter(upstream, self.cluster(), authority);
        }
    }
}

/// Whether the attempt under way goes out over HTTP/2.
fn is_http2(session: &Session, ctx: &RequestContext) -> bool {
    let h2c = ctx
        .current
        .as_ref()
        .is_some_and(|c| c.backend.protocol == BackendProtocol::H2c);
    h2c && !session.is_upgrade_req()
}

fn is_grpc(request: &RequestHeader) -> bool {
    let content = request.headers.get(http::header::CONTENT_TYPE);
    content.is_some_and(|c| c.as_bytes().starts_with(b"application/grpc"))
}

/// Whether the attempt under way goes into the WAN.
fn is_tunnelled(ctx: &RequestContext) -> bool {
    let current = ctx.current.as_ref();
    current.is_some_and(|c| c.backend.tunnel.is_some())
}

/// Applies filters in their order: rewrites, and changes of headers.
///
/// # Errors
/// When a rewritten header cannot be one.
pub(super) fn apply(
    upstream: &mut RequestHeader,
    (filters, prefix): FiltersOnTheWay<'_>,
) -> Result<()> {
    for filters in filters.into_iter().flatten() {
        rewrite(upstream, filters, prefix)?;
        filters.request_headers.apply(&mut RequestTarget(upstream));
    }
    Ok(())
}

/// Applies `URLRewrite`.
fn rewrite(upstream: &mut RequestHeader, filters: &Filters, prefix: Option<&str>) -> Result<()> {
    let Some(rewrite) = &filters.rewrite else {
        return Ok(());
    };
    if let Some(hostname) = &rewrite.hostname {
        upstream.insert_header(HOST, hostname.as_str())?;
    }
    let Some(path) = &rewrite.path else {
        return Ok(());
    };
    let path = path.path_and_query(prefix, upstream.uri.path(), upstream.uri.query());
    let mut parts = upstream.uri.clone().into_parts();
    parts.path_and_query = Some(
        path.parse()
            .or_err(ErrorType::InvalidHTTPHeader, "the rewritten path")?,
    );
    let uri = Uri::from_parts(parts).or_err(ErrorType::InvalidHTTPHeader, "the rewritten path")?;
    upstream.set_uri(uri);
    Ok(())
}
