//! `RequestMirror`: copies of requests whose answers nobody waits for.
//!
//! A copy has its own connection and its own task. What the client sends goes into a bounded queue; a copy that cannot
//! keep up is abandoned rather than let the request wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use mcwan_routing::filter::Mirror;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use smallvec::SmallVec;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::context::RequestContext;
use crate::backends::{Backend, Lease, PeerNeeds};
use crate::live::LinkedRule;
use crate::upstream::connector::UpstreamConnector;
use crate::upstream::session::UpstreamSession;

/// Pieces of a body that wait for a slow copy.
const QUEUE: usize = 16;
/// Copies at a time.
const COPIES: usize = 256;
/// A copy ends after this long.
const LIMIT: Duration = Duration::from_secs(30);

/// Copies under way of one request.
pub(super) type Copies = SmallVec<[Copy; 0]>;

/// Sends copies.
#[derive(Clone)]
pub(super) struct Mirrors {
    connector: Arc<Connector<UpstreamConnector>>,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirrors")
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

/// Where the body of one copy goes. Dropped before the end, it abandons the copy.
#[derive(Debug)]
pub(super) struct Copy {
    body: mpsc::Sender<Piece>,
}

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    End,
}

impl Mirrors {
    /// Connections of copies are made by `connector`; their tasks belong to `tasks`.
    pub(super) fn new(connector: UpstreamConnector, tasks: TaskTracker) -> Self {
        Self {
            connector: Arc::new(Connector::new_custom(None, connector)),
            permits: Arc::new(Semaphore::new(COPIES)),
            tasks,
        }
    }

    /// Begins the copies of a request that goes out with `header`. `bodiless` tells that no body follows.
    pub(super) fn begin(
        &self,
        linked: &LinkedRule,
        header: &RequestHeader,
        bodiless: bool,
    ) -> Copies {
        let mirrors = linked.work.rule.filters.mirrors.iter();
        let mirrors = mirrors.zip(&linked.work.mirrors);
        let sampled = |(mirror, backend): (&Mirror, &Option<Arc<Backend>>)| {
            let chosen = mirror.samples(&mut |n| fastrand::u64(..n));
            backend
                .as_ref()
                .filter(|_| chosen)
                .and_then(|b| b.pick(&[]))
        };
        let copies = mirrors
            .filter_map(sampled)
            .filter_map(|lease| self.copy(lease, header, bodiless));
        copies.collect()
    }

    fn copy(&self, lease: Lease, header: &RequestHeader, bodiless: bool) -> Option<Copy> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let (body, pieces) = mpsc::channel(QUEUE);
        let header = frame(header.clone(), bodiless)?;
        let connector = Arc::clone(&self.connector);
        self.tasks.spawn(async move {
            let _permit = permit;
            let sent = send(&connector, &lease, header, pieces, bodiless);
            match tokio::time::timeout(LIMIT, Box::pin(sent)).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => log::debug!("a mirrored request failed: {e}"),
                Err(_) => log::debug!("a mirrored request took longer than {LIMIT:?}"),
            }
        });
        (!bodiless).then_some(Copy { body })
    }
}

/// The header with a framing that fits what follows.
fn frame(mut header: RequestHeader, bodiless: bool) -> Option<RequestHeader> {
    if !bodiless && !header.headers.contains_key(CONTENT_LENGTH) {
        header
            .insert_header(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
            .ok()?;
    }
    header.set_version(http::Version::HTTP_11);
    Some(header)
}

async fn send(
    connector: &Connector<UpstreamConnector>,
    lease: &Lease,
    header: RequestHeader,
    pieces: mpsc::Receiver<Piece>,
    bodiless: bool,
) -> Result<()> {
    let peer = lease.peer(PeerNeeds {
        upgrade: false,
        time_left: Some(LIMIT),
    });
    let (mut session, _reused) = Box::pin(connector.get_http_session(&*peer)).await?;
    session.set_read_timeout(Some(LIMIT));
    session.set_write_timeout(Some(LIMIT));
    session.write_request_header(Box::new(header)).await?;
    if !bodiless {
        send_body(&mut session, pieces).await?;
    }
    session.finish_request_body().await?;
    session.read_response_header().await?;
    while session.read_response_body().await?.is_some() {}
    if session.response_done() {
        connector
            .release_http_session(session, &*peer, peer.options.idle_timeout)
            .await;
    }
    Ok(())
}

async fn send_body(
    session: &mut HttpSession<UpstreamSession>,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<()> {
    loop {
        match pieces.recv().await {
            Some(Piece::Data(data)) => session.write_request_body(data, false).await?,
            Some(Piece::End) => return Ok(()),
            None => {
                return Error::e_explain(ErrorType::Custom("mirror"), "the copy could not keep up");
            }
        }
    }
}

impl RequestContext {
    /// Passes a piece of the body on to the copies. Only the first attempt does: what comes again was passed on before.
    pub(super) fn mirror_body(&mut self, body: Option<&Bytes>, end: bool) {
        if self.copies.is_empty() || !self.attempts.is_empty() {
            return;
        }
        self.copies.retain(|copy| {
            let data = body.filter(|b| !b.is_empty());
            let kept =
                data.is_none_or(|data| copy.body.try_send(Piece::Data(data.clone())).is_ok());
            kept && (!end || copy.body.try_send(Piece::End).is_ok())
        });
    }
}
