//! Answers of the gateway's own: one header, one plain line, no address of anything behind it.

use bytes::Bytes;
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use mcwan_routing::failure::Failure;
use mcwan_routing::filter::HeaderModifier;
use mcwan_routing::filter::Preflight;
use mcwan_routing::spec::Role;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::context::RequestContext;
use super::header::ResponseTarget;
use super::wan::Origin;

/// Answers a request that failed.
///
/// # Errors
/// When the client cannot be written to.
pub(super) async fn failure(
    session: &mut Session,
    ctx: &mut RequestContext,
    failure: Failure,
) -> Result<()> {
    let mut header = ResponseHeader::build(failure.status(), Some(6))?;
    header.insert_header(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    )?;
    header.insert_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    write(
        session,
        ctx,
        header,
        Bytes::from_static(failure.line().as_bytes()),
    )
    .await
}

/// Redirects.
///
/// # Errors
/// When the client cannot be written to.
pub(super) async fn redirect(
    session: &mut Session,
    ctx: &mut RequestContext,
    status: u16,
    location: &str,
) -> Result<()> {
    let mut header = ResponseHeader::build(status, Some(4))?;
    header.insert_header(LOCATION, location)?;
    write(session, ctx, header, Bytes::new()).await
}

/// Answers a preflight request with the headers that the rule allows.
///
/// # Errors
/// When the client cannot be written to.
pub(super) async fn preflight(
    session: &mut Session,
    ctx: &mut RequestContext,
    headers: &HeaderModifier,
) -> Result<()> {
    let mut header = ResponseHeader::build(Preflight::STATUS, Some(8))?;
    headers.apply(&mut ResponseTarget(&mut header));
    write(session, ctx, header, Bytes::new()).await
}

async fn write(
    session: &mut Session,
    ctx: &mut RequestContext,
    mut header: ResponseHeader,
    body: Bytes,
) -> Result<()> {
    let bodiless = session.req_header().method == Method::HEAD || body.is_empty();
    if header.status != http::StatusCode::NO_CONTENT {
        header.insert_header(CONTENT_LENGTH, body.len())?;
    }
    match ctx.role() {
        Role::Ingress if ctx.sent || ctx.current.is_some() => Origin::Gateway.write(&mut header),
        Role::Ingress => Origin::GatewayUnsent.write(&mut header),
        Role::Plain | Role::Egress => {}
    }
    if ctx.connection.as_ref().is_some_and(|c| c.draining()) {
        session.set_keepalive(None);
    }
    session
        .write_response_header(Box::new(header), bodiless)
        .await?;
    if bodiless {
        return session.as_downstream_mut().finish_body().await;
    }
    session.write_response_body(Some(body), true).await
}
