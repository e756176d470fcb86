//! The request as an upstream gets it.

use http::Uri;
use http::header::{EXPECT, HOST, HeaderName, HeaderValue, TE};
use mcwan_routing::rule::Filters;
use mcwan_routing::spec::{BackendProtocol, Role};
use pingora_error::{ErrorType, OrErr as _, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::RequestContext;
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
        for filters in [ctx.filters(), ctx.choice().map(|c| &c.filters)]
            .into_iter()
            .flatten()
        {
            rewrite(upstream, filters, ctx)?;
            filters.request_headers.apply(&mut RequestTarget(upstream));
        }
        if client.headers.contains_key(&GRPC_TIMEOUT) || is_grpc(client) {
            // gRPC servers insist on it, and it is hop-by-hop: an HTTP/1 hop before us may have lost it.
            upstream.insert_header(TE, HeaderValue::from_static("trailers"))?;
        }
        Ok(())
    }

    /// Headers of the WAN hop: none from ordinary clients, ours into a tunnel, none to a backend.
    fn wan_headers(&self, upstream: &mut RequestHeader, ctx: &RequestContext, authority: &[u8]) {
        let tunnel = ctx
            .current
            .as_ref()
            .is_some_and(|c| c.backend.tunnel.is_some());
        if ctx.role() == Role::Ingress {
            wan::leave(upstream);
        }
        wan::strip_request(upstream);
        if tunnel {
            wan::enter(upstream, &self.cluster, authority);
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

/// Applies `URLRewrite`.
fn rewrite(upstream: &mut RequestHeader, filters: &Filters, ctx: &RequestContext) -> Result<()> {
    let Some(rewrite) = &filters.rewrite else {
        return Ok(());
    };
    if let Some(hostname) = &rewrite.hostname {
        upstream.insert_header(HOST, hostname.as_str())?;
    }
    let Some(path) = &rewrite.path else {
        return Ok(());
    };
    let path = path.path_and_query(
        ctx.prefix.as_deref(),
        upstream.uri.path(),
        upstream.uri.query(),
    );
    let mut parts = upstream.uri.clone().into_parts();
    parts.path_and_query = Some(
        path.parse()
            .or_err(ErrorType::InvalidHTTPHeader, "the rewritten path")?,
    );
    let uri = Uri::from_parts(parts).or_err(ErrorType::InvalidHTTPHeader, "the rewritten path")?;
    upstream.set_uri(uri);
    Ok(())
}
