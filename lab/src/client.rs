//! A keep-alive HTTP/1.1 client for one address.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Idle connections kept.
const IDLE: usize = 256;

/// What to send. The `Host` header decides the service, the client's address decides where it goes.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// `Host`.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// More headers.
    pub headers: HeaderMap,
    /// Body; sent with `Content-Length`.
    pub body: Bytes,
}

impl Call {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, host: &str, path: &str) -> Self {
        Self {
            method,
            host: host.to_owned(),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(host: &str, path: &str) -> Self {
        Self::new(Method::GET, host, path)
    }

    /// The same with a header.
    ///
    /// # Panics
    /// When the value is not a valid header value.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "callers are tests and the demo, with values of their own"
    )]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value of visible ASCII");
        self.headers.insert(name, value);
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let uri: Uri = self.path.parse()?;
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .header(HOST, &self.host)
            .body(Full::new(self.body.clone()))?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// From the start of the call, connecting included, to the last byte.
    pub latency: Duration,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum CallError {
    /// The request cannot be written as given.
    Invalid(http::Error),
    /// No connection.
    Connect(io::Error),
    /// The connection broke, or what came was not HTTP.
    Broken(hyper::Error),
    /// Nothing within the time.
    Timeout,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(e) => write!(f, "the request is invalid: {e}"),
            Self::Connect(e) => write!(f, "no connection: {e}"),
            Self::Broken(e) => write!(f, "the connection broke: {e}"),
            Self::Timeout => write!(f, "no answer in time"),
        }
    }
}

impl std::error::Error for CallError {}

/// A client of one address. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    timeout: Duration,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    connections: Mutex<JoinSet<()>>,
}

impl Client {
    /// A client that waits 30 s for an answer.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            timeout: Duration::from_secs(30),
            idle: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    /// The same with another time limit.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends a request and reads the whole answer. A request is sent once: a connection that breaks fails it.
    ///
    /// # Errors
    /// See [`CallError`]. A status of 4xx or 5xx is an answer.
    pub async fn send(&self, call: &Call) -> Result<Answer, CallError> {
        let start = Instant::now();
        let request = call.request().map_err(CallError::Invalid)?;
        tokio::time::timeout(self.timeout, self.exchange(request, start))
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        start: Instant,
    ) -> Result<Answer, CallError> {
        let mut sender = self.connection().await?;
        let response = sender
            .send_request(request)
            .await
            .map_err(CallError::Broken)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(CallError::Broken)?.to_bytes();
        self.keep(sender);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            latency: start.elapsed(),
        })
    }

    /// An idle connection that is still open, or a new one.
    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, CallError> {
        while let Some(mut sender) = self.pop() {
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(CallError::Connect)?;
        stream.set_nodelay(true).map_err(CallError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CallError::Broken)?;
        let mut connections = self.connections.lock();
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // The request that was on it says why it broke.
            let _broken = connection.await.is_err();
        });
        Ok(sender)
    }

    fn pop(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().pop()
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock();
        if !sender.is_closed() && idle.len() < IDLE {
            idle.push(sender);
        }
    }
}
