//! One request: what the backend answers.
//!
//! The JSON has the fields of the Gateway API's `echo-basic` (`path`, `host`, `method`, `proto`, `headers` as lists) and
//! `replica` and `bodyBytes`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, copy, split};

use super::{Flavour, Shared, Tasks, header};

type Body = BoxBody<Bytes, hyper::Error>;

/// No answer: the connection is closed.
#[derive(Debug)]
pub(super) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer, as the request wished")
    }
}

impl std::error::Error for NoAnswer {}

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    upgrades: Tasks,
) -> Result<Response<Body>, NoAnswer> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let headers = request.headers();
    if headers.contains_key(header::CLOSE) {
        return Err(NoAnswer);
    }
    let delay = number(headers, header::DELAY).unwrap_or(0);
    let id = headers
        .get(header::ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let execute = || {
        if let Some(id) = id {
            *shared.executed.lock().entry(id).or_default() += 1;
        }
    };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if headers.contains_key(UPGRADE) {
        execute();
        return Ok(upgrade(request, &upgrades));
    }
    if is_grpc(headers) || request.uri().path().starts_with("/echo") {
        execute();
        return Ok(stream(request));
    }
    let (head, body) = request.into_parts();
    // A body that breaks off is a request that was not executed.
    let received = body.collect().await.map_err(|_broken| NoAnswer)?;
    execute();
    Ok(said(&head, received.to_bytes().len(), &shared))
}

fn number<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|v| v.as_bytes().starts_with(b"application/grpc"))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

/// Takes the upgrade and sends every byte back.
fn upgrade(mut request: Request<Incoming>, tasks: &Tasks) -> Response<Body> {
    let token = request.headers().get(UPGRADE).cloned();
    let upgrading = hyper::upgrade::on(&mut request);
    tasks.execute(async move {
        let Ok(upgraded) = upgrading.await else {
            return;
        };
        let (mut from, mut to) = split(TokioIo::new(upgraded));
        // The client may reset the connection at any time.
        let _broken = copy(&mut from, &mut to).await.is_err();
        let _gone = to.shutdown().await.is_err();
    });
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.extend(token.map(|token| (UPGRADE, token)));
    response
}

/// Sends the body back as it comes.
fn stream(request: Request<Incoming>) -> Response<Body> {
    let grpc = is_grpc(request.headers());
    let status = number(request.headers(), header::STATUS);
    let length = request.headers().get(CONTENT_LENGTH).cloned();
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let body = request.into_body();
    let mut response = Response::new(if grpc {
        let trailers = [(
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )];
        body.with_trailers(async { Some(Ok(trailers.into_iter().collect())) })
            .boxed()
    } else {
        body.boxed()
    });
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.extend(kind.map(|kind| (CONTENT_TYPE, kind)));
    if !grpc {
        headers.extend(length.map(|length| (CONTENT_LENGTH, length)));
    }
    response
}

/// Says in JSON what was seen.
fn said(head: &http::request::Parts, body_bytes: usize, shared: &Shared) -> Response<Body> {
    let (status, value) = match shared.config.flavour {
        Flavour::Echo => (StatusCode::OK, echo(head, body_bytes, shared)),
        Flavour::Payment => payment(head, shared),
    };
    let status = number(&head.headers, header::STATUS).unwrap_or(status);
    let bytes = number::<usize>(&head.headers, header::BODY);
    let body = match (bytes, shared.config.flavour) {
        (Some(bytes), Flavour::Echo) => full(vec![b'x'; bytes]),
        // White space after the value is still JSON.
        (Some(bytes), Flavour::Payment) => full(format!("{:<bytes$}", value.to_string())),
        (None, Flavour::Echo | Flavour::Payment) => full(format!("{value}\n")),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn echo(head: &http::request::Parts, body_bytes: usize, shared: &Shared) -> Value {
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.as_str()).or_default().push(value);
    }
    json!({
        "replica": shared.config.replica,
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
        "host": host(head),
        "proto": format!("{:?}", head.version),
        "headers": headers,
        "bodyBytes": body_bytes,
    })
}

/// `Host`, or `:authority` in HTTP/2.
fn host(head: &http::request::Parts) -> String {
    let host = head.headers.get(HOST).and_then(|h| h.to_str().ok());
    host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or_default()
        .to_owned()
}

fn payment(head: &http::request::Parts, shared: &Shared) -> (StatusCode, Value) {
    let replica = &shared.config.replica;
    let served = shared.requests.load(Ordering::Relaxed);
    let path = head.uri.path();
    let (status, value) = match path {
        "/stats" => (
            StatusCode::OK,
            json!({ "replica": replica, "requests": served }),
        ),
        "/payment" => (
            StatusCode::OK,
            json!({ "replica": replica, "payment": "accepted", "method": head.method.as_str() }),
        ),
        _ if path.starts_with("/payment/") => (
            StatusCode::OK,
            json!({ "replica": replica, "payment": "accepted", "path": path }),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            json!({ "replica": replica, "error": "no such page" }),
        ),
    };
    (status, value)
}
