//! The request as an upstream gets it.

use http::header::{EXPECT, HOST, HeaderName, HeaderValue, TE};
use mcwan_routing::rule::Filters;
use mcwan_routing::spec::Role;
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::RequestContext;
use super::{Edge, header, request, wan};

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
        upstream.remove_header(&EXPECT);
        self.wan_headers(upstream, ctx, authority);
        header::forwarded(upstream, ctx.connection.as_ref().map(|c| c.client.ip()), authority);
        if let Some(trace) = &ctx.trace {
            trace.write(upstream);
        }
        if let Some(id) = &ctx.request_id {
            id.write(upstream);
        }
        for filters in [ctx.filters(), ctx.choice().map(|c| &c.filters)].into_iter().flatten() {
            rewrite(upstream, filters, ctx)?;
            header::modify_request(upstream, &filters.request_headers);
        }
        if client.headers.contains_key(&GRPC_TIMEOUT) || is_grpc(client) {
            // gRPC servers insist on it, and it is hop-by-hop: an HTTP/1 hop before us may have lost it.
            upstream.insert_header(TE, HeaderValue::from_static("trailers"))?;
        }
        Ok(())
    }

    /// Headers of the WAN hop: none from ordinary clients, ours into a tunnel, none to a backend.
    fn wan_headers(&self, upstream: &mut RequestHeader, ctx: &RequestContext, authority: &[u8]) {
        let tunnel = ctx.current.as_ref().is_some_and(|c| c.backend.tunnel.is_some());
        if ctx.role() == Role::Ingress {
            wan::leave(upstream);
        }
        wan::strip_request(upstream);
        if tunnel {
            wan::enter(upstream, &self.cluster, authority);
        }
    }
}

fn is_grpc(request: &RequestHeader) -> bool {
    let content = request.headers.get(http::header::CONTENT_TYPE);
    content.is_some_and(|c| c.as_bytes().starts_with(b"application/grpc"))
}

/// Applies `URLRewrite`.
fn rewrite(upstream: &mut RequestHeader, filters: &Filters, ctx: &RequestContext) -> Result<()> {
    let Some(rewrite) = &filters.rewrite else {
        return Ok(());
    };
    if let Some(hostname) = &rewrite.hostname {
        upstream.insert_header(HOST, hostname.as_str())?;
    }
    let _ = ctx;
    Ok(())
}
