//! A small HTTP/1.1 server for operators: registered pages, nothing else.
//!
//! It is meant for a loopback or pod address. Still everything is bounded: header size and time, connections, the
//! life of a connection. Only `GET` and `HEAD` are answered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::metrics::{self, Metrics};
use crate::readiness::Readiness;

/// Connections served at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;
/// A request header must be complete within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection lives no longer than this.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Largest request header.
const MAX_HEADER: usize = 16 * 1024;

/// What a page answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// A line or more of text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    /// A value as JSON.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec_pretty(value) {
            Ok(body) => Self {
                status: StatusCode::OK,
                content_type: "application/json",
                body: body.into(),
            },
            Err(error) => Self::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("cannot be written as JSON: {error}\n"),
            ),
        }
    }
}

type Page = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// The pages of a server.
#[derive(Clone, Default)]
pub struct Pages {
    pages: BTreeMap<&'static str, Page>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pages.keys()).finish()
    }
}

impl Pages {
    /// `/metrics`, `/healthz` and `/readyz`, which every program has.
    #[must_use]
    pub fn new(metrics: Metrics, readiness: Readiness) -> Self {
        Self::default()
            .page("/metrics", move |_| exposition(&metrics))
            .page("/healthz", |_| Reply::text(StatusCode::OK, "ok\n"))
            .page("/readyz", move |query| readyz(&readiness, query))
    }

    /// Adds a page. `answer` gets the query, without `?`; it runs on a thread that may block.
    #[must_use]
    pub fn page(
        mut self,
        path: &'static str,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.pages.insert(path, Arc::new(answer));
        self
    }

    fn not_found(&self) -> Reply {
        let list: Vec<&str> = self.pages.keys().copied().collect();
        let body = format!("no such page; there are:\n{}\n", list.join("\n"));
        Reply::text(StatusCode::NOT_FOUND, body)
    }

    async fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> Reply {
        if *method != Method::GET && *method != Method::HEAD {
            return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        }
        let Some(page) = self.pages.get(path).cloned() else {
            return self.not_found();
        };
        let query = query.unwrap_or_default().to_owned();
        // A page may be megabytes of JSON, or read /proc.
        let reply = tokio::task::spawn_blocking(move || page(&query)).await;
        reply.unwrap_or_else(|_panicked| {
            Reply::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page failed; see the log\n",
            )
        })
    }
}

fn exposition(metrics: &Metrics) -> Reply {
    match metrics.encode() {
        Ok(text) => Reply {
            status: StatusCode::OK,
            content_type: metrics::CONTENT_TYPE,
            body: text.into(),
        },
        Err(error) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn readyz(readiness: &Readiness, query: &str) -> Reply {
    let (status, word) = if readiness.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready; see /readyz?verbose\n",
        )
    };
    let verbose = query
        .split('&')
        .any(|q| q == "verbose" || q.starts_with("verbose="));
    if verbose {
        Reply::text(status, readiness.verbose())
    } else {
        Reply::text(status, word)
    }
}

/// The admin address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on the admin address {address}: {source}; free it, or choose another with --admin ADDR:PORT"
)]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// Binds the admin address. Port 0 takes a free one.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError { address, source })
}

/// Serves `pages` until `stop` completes. Connections that are still open then are dropped.
pub async fn serve(listener: TcpListener, pages: Pages, stop: impl Future<Output = ()>) {
    let pages = Arc::new(pages);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let free = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept(), if free => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&pages)));
                }
                // Out of file descriptors, mostly: a later accept may work.
                Err(error) => {
                    tracing::warn!(%error, "the admin server cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request| respond(Arc::clone(&pages), request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_LIFE, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an admin connection broke"),
        Err(_elapsed) => tracing::debug!("an admin connection was open for too long"),
    }
}

async fn respond(
    pages: Arc<Pages>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let uri = request.uri();
    let reply = pages
        .answer(request.method(), uri.path(), uri.query())
        .await;
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let kind = HeaderValue::from_static(reply.content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

#[cfg(test)]
mod tests;
