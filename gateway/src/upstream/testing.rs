//! A small HTTP/2 server with bad manners, and short ways to ask it something.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response, StatusCode};
use parking_lot::Mutex;
use pingora_core::protocols::http::custom::client::Session;
use pingora_error::Result;
use pingora_http::RequestHeader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::pool::{PathObserver, Pool, PoolRules};
use super::session::UpstreamSession;
use super::{DialOptions, Tasks, WatchRules};

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    /// Connections that ended.
    pub(crate) ended: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// Resets of streams by the gateway.
    pub(crate) resets: Mutex<Vec<Reason>>,
    /// Trailers of requests to `/echo`.
    pub(crate) trailers: Mutex<Vec<HeaderMap>>,
    /// Most requests at the same time.
    pub(crate) most: AtomicUsize,
    now: AtomicUsize,
}

/// A server on loopback. Everything ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    /// Stops reading and writing on all connections, without closing them.
    pub(crate) frozen: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(max_streams: u32) -> Self {
        Self::bind((Ipv4Addr::LOCALHOST, 0).into(), max_streams).await
    }

    pub(crate) async fn bind(address: SocketAddr, max_streams: u32) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let frozen = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            Arc::clone(&seen),
            frozen.subscribe(),
            max_streams,
        ));
        Self {
            address,
            seen,
            frozen,
            _tasks: tasks,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.connections() - self.seen.ended.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    seen: Arc<Seen>,
    frozen: watch::Receiver<bool>,
    max_streams: u32,
) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (seen, frozen) = (Arc::clone(&seen), frozen.clone());
        connections.spawn(async move {
            serve(tcp, &seen, frozen, max_streams).await;
            seen.ended.fetch_add(1, Ordering::SeqCst);
        });
    }
}

async fn serve(
    tcp: TcpStream,
    seen: &Arc<Seen>,
    mut frozen: watch::Receiver<bool>,
    max_streams: u32,
) {
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(max_streams)
        .handshake::<_, Bytes>(tcp)
        .await
        .unwrap();
    let mut streams = JoinSet::new();
    loop {
        frozen.wait_for(|frozen| !frozen).await.unwrap();
        let next = tokio::select! {
            biased;
            _ = frozen.wait_for(|frozen| *frozen) => continue,
            next = connection.accept() => next,
        };
        let Some(Ok((request, respond))) = next else {
            return;
        };
        seen.requests.fetch_add(1, Ordering::SeqCst);
        if request.uri().path() == "/goaway" {
            connection.graceful_shutdown();
        }
        let seen = Arc::clone(seen);
        streams.spawn(async move {
            let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most.fetch_max(now, Ordering::SeqCst);
            answer(request, respond, &seen).await;
            seen.now.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn head(status: StatusCode) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, seen: &Seen) {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/refuse" => respond.send_reset(Reason::REFUSED_STREAM),
        "/never" => {
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            if let Ok(reason) = reset {
                seen.resets.lock().push(reason);
            }
        }
        "/echo" => echo(request.into_body(), respond, seen).await,
        "/hints" => {
            respond
                .send_informational(head(StatusCode::EARLY_HINTS))
                .unwrap();
            full(respond);
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            full(respond);
        }
        "/stall" => {
            let mut body = respond.send_response(head(StatusCode::OK), false).unwrap();
            body.send_data(Bytes::from_static(b"half"), false).unwrap();
            let reset = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
            if let Ok(reason) = reset {
                seen.resets.lock().push(reason);
            }
        }
        _ => full(respond),
    }
}

fn full(mut respond: SendResponse<Bytes>) {
    if let Ok(mut body) = respond.send_response(head(StatusCode::OK), false) {
        body.send_data(Bytes::from_static(b"ok"), true).ok();
    }
}

async fn echo(mut incoming: RecvStream, mut respond: SendResponse<Bytes>, seen: &Seen) {
    let mut outgoing = respond.send_response(head(StatusCode::OK), false).unwrap();
    while let Some(Ok(data)) = incoming.data().await {
        incoming
            .flow_control()
            .release_capacity(data.len())
            .unwrap();
        outgoing.send_data(data, false).unwrap();
    }
    let trailers = incoming.trailers().await.unwrap().unwrap_or_default();
    seen.trailers.lock().push(trailers.clone());
    outgoing.send_trailers(trailers).unwrap();
}

/// Evidence that a pool gave.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) answers: AtomicUsize,
    pub(crate) failures: Mutex<Vec<String>>,
}

impl PathObserver for Notes {
    fn answered(&self, _rtt: Duration) {
        self.answers.fetch_add(1, Ordering::SeqCst);
    }

    fn failed(&self, reason: &str) {
        self.failures.lock().push(reason.to_owned());
    }
}

/// Rules with times that suit a test.
pub(crate) fn rules() -> PoolRules {
    PoolRules {
        min: 0,
        max: 4,
        max_streams: 100,
        redial: true,
        watch: WatchRules {
            ping_interval: Duration::from_millis(50),
            // Long: the test's own thread may get no CPU for a while.
            ping_timeout: Duration::from_secs(2),
            max_age: Duration::from_secs(60),
            drain: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        },
    }
}

pub(crate) fn pool(address: SocketAddr, rules: PoolRules) -> (Arc<Pool>, Arc<Notes>, Arc<Tasks>) {
    let (notes, tasks) = (Arc::new(Notes::default()), Arc::new(Tasks::default()));
    let dial = DialOptions {
        address,
        dscp: None,
        user_timeout: None,
        timeout: Duration::from_secs(5),
    };
    let observer: Arc<Notes> = Arc::clone(&notes);
    let pool = Pool::new(dial, rules, Arc::clone(&tasks), observer);
    (pool, notes, tasks)
}

/// A request to `path`, with `Host`.
pub(crate) fn request(method: &str, path: &str) -> Box<RequestHeader> {
    let mut request = RequestHeader::build(method, path.as_bytes(), None).unwrap();
    request.insert_header("Host", "payment.example").unwrap();
    Box::new(request)
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) informational: Vec<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// A GET over the pool.
pub(crate) async fn get(pool: &Arc<Pool>, path: &str) -> Result<Answer> {
    let mut session = begin(pool, path).await?;
    finish(&mut session).await
}

/// A GET whose header was sent, and nothing read.
pub(crate) async fn begin(pool: &Arc<Pool>, path: &str) -> Result<UpstreamSession> {
    let mut session = UpstreamSession::new(pool.acquire().await?);
    session
        .write_request_header(request("GET", path), true)
        .await?;
    Ok(session)
}

/// Reads a response as Pingora does.
pub(crate) async fn finish(session: &mut UpstreamSession) -> Result<Answer> {
    let mut informational = Vec::new();
    let status = loop {
        session.read_response_header().await?;
        let status = session.response_header().unwrap().status;
        let end = session.check_response_end_or_error(true).await?;
        if !status.is_informational() {
            break status.as_u16();
        }
        assert!(!end, "an informational header ends nothing");
        informational.push(status.as_u16());
    };
    let mut body = Vec::new();
    while let Some(data) = session.read_response_body().await? {
        body.extend_from_slice(&data);
        session.check_response_end_or_error(false).await?;
    }
    let trailers = session.read_trailers().await?;
    assert!(session.response_finished());
    Ok(Answer {
        status,
        informational,
        body,
        trailers,
    })
}

/// Waits for a condition, within a generous limit.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}
