//! Retries, failover, time limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mcwan_routing::rule::{Retry, Rule, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{self, World, at, exchange, forward, free_port, get, http1, to};

/// A backend that treats its nth request (from 0) as `act` says, and counts requests with their whole body.
struct Script {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// What a scripted backend does with a request.
#[derive(Clone, Copy)]
enum Act {
    /// This status, and the length of the body as the body.
    Answer(u16),
    /// A reset, after the whole request.
    Reset,
    /// Nothing, ever.
    Silence,
    /// Half of an answer, then the end.
    HalfAnswer,
}

impl Script {
    async fn start(acts: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (count, acts) = (Arc::clone(&seen), Arc::new(acts));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (count, acts) = (Arc::clone(&count), Arc::clone(&acts));
                connections.spawn(async move { serve(tcp, &count, &*acts).await });
            }
        });
        Self {
            address,
            seen,
            _tasks: tasks,
        }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut tcp: tokio::net::TcpStream,
    count: &AtomicUsize,
    acts: &(impl Fn(usize) -> Act + ?Sized),
) {
    let mut bytes = Vec::new();
    while let Some(length) = request(&mut tcp, &mut bytes).await {
        match acts(count.fetch_add(1, Ordering::SeqCst)) {
            Act::Answer(status) => {
                let body = length.to_string();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                tcp.write_all(head.as_bytes()).await.unwrap();
            }
            Act::Reset => {
                socket2::SockRef::from(&tcp)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                return;
            }
            Act::Silence => tokio::time::sleep(world::PATIENCE).await,
            Act::HalfAnswer => {
                tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
                    .await
                    .unwrap();
                return;
            }
        }
    }
}

/// Reads one request with `content-length` or chunked body; returns the length of the body.
async fn request(tcp: &mut tokio::net::TcpStream, bytes: &mut Vec<u8>) -> Option<usize> {
    loop {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n").map(|e| e + 4) {
            let length = text.get(..end).unwrap().split("content-length: ").nth(1);
            let length: usize =
                length.map_or(0, |l| l.split("\r\n").next().unwrap().parse().unwrap());
            if bytes.len() >= end + length {
                bytes.drain(..end + length);
                return Some(length);
            }
        }
        if tcp.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn retrying(backend: &str, codes: &[u16], attempts: u32) -> Rule {
    Rule {
        retry: Some(Retry {
            codes: codes.to_vec(),
            attempts,
            backoff: None,
        }),
        ..to(backend)
    }
}

fn send(method: &str, body: usize) -> String {
    format!(
        "{method} / HTTP/1.1\r\nhost: a\r\ncontent-length: {body}\r\nconnection: close\r\n\r\n{}",
        "b".repeat(body)
    )
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn attempts_of_a_route_are_counted_without_the_first() {
    world::run(async {
        let script = Script::start(|n| Act::Answer(if n < 2 { 500 } else { 200 })).await;
        let rules = vec![at("/", retrying("one", &[500], 3))];
        let (world, socket) = World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
        assert_eq!(status(&get(socket, "/").await), "200");
        assert_eq!(script.seen(), 3);
        world.gateway.stop().await;
    });
}

#[test]
fn the_last_status_is_passed_on_when_the_attempts_are_used_up() {
    world::run(async {
        let script = Script::start(|_| Act::Answer(500)).await;
        let rules = vec![at("/", retrying("one", &[500], 2))];
        let (world, socket) = World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
        assert_eq!(status(&get(socket, "/").await), "500");
        assert_eq!(script.seen(), 3);
        world.gateway.stop().await;
    });
}

#[test]
fn a_status_that_the_route_does_not_name_is_not_retried() {
    world::run(async {
        let script = Script::start(|_| Act::Answer(503)).await;
        let rules = vec![at("/", retrying("one", &[500], 3))];
        let (world, socket) = World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
        assert_eq!(status(&get(socket, "/").await), "503");
        assert_eq!(script.seen(), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn a_refused_connection_goes_to_another_endpoint_whatever_the_method() {
    world::run(async {
        let script = Script::start(|_| Act::Answer(200)).await;
        let backend = http1(&[free_port(), script.address]);
        let (world, socket) =
            World::with_rules(vec![at("/", to("one"))], &[("one", backend)]).await;
        for _ in 0..20 {
            let answer = exchange(socket, &send("POST", 100)).await;
            assert_eq!(status(&answer), "200", "{answer}");
            assert!(answer.ends_with("100"), "{answer}");
        }
        world.gateway.stop().await;
    });
}

#[test]
fn a_get_that_broke_goes_to_another_endpoint_and_a_post_does_not() {
    world::run(async {
        let bad = Script::start(|_| Act::Reset).await;
        let good = Script::start(|_| Act::Answer(200)).await;
        let rules = vec![at("/", forward(&[&[("bad", 1)], &[("good", 1)]], true))];
        let backends = [
            ("bad", http1(&[bad.address])),
            ("good", http1(&[good.address])),
        ];
        let (world, socket) = World::with_rules(rules, &backends).await;
        assert_eq!(status(&get(socket, "/").await), "200");
        assert_eq!((bad.seen(), good.seen()), (1, 1));
        let answer = exchange(socket, &send("POST", 10)).await;
        assert_eq!(status(&answer), "502", "{answer}");
        assert_eq!((bad.seen(), good.seen()), (2, 1));
        assert!(!answer.contains("127.0.0.1"), "{answer}");
        world.gateway.stop().await;
    });
}

#[test]
fn nothing_is_repeated_once_an_answer_has_begun() {
    world::run(async {
        let bad = Script::start(|_| Act::HalfAnswer).await;
        let good = Script::start(|_| Act::Answer(200)).await;
        let rules = vec![at("/", forward(&[&[("bad", 1)], &[("good", 1)]], true))];
        let backends = [
            ("bad", http1(&[bad.address])),
            ("good", http1(&[good.address])),
        ];
        let (world, socket) = World::with_rules(rules, &backends).await;
        let answer = get(socket, "/").await;
        assert!(answer.ends_with("half"), "{answer}");
        assert_eq!((bad.seen(), good.seen()), (1, 0));
        world.gateway.stop().await;
    });
}

#[test]
fn a_repeated_body_arrives_whole_at_every_size() {
    world::run(async {
        for size in [0, 1, 1000, 65_535, 65_536, 65_537, 200_000, 1 << 20] {
            let script = Script::start(|n| Act::Answer(if n == 0 { 503 } else { 200 })).await;
            let rules = vec![at("/", retrying("one", &[503], 1))];
            let (world, socket) =
                World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
            let answer = exchange(socket, &send("PUT", size)).await;
            assert_eq!(status(&answer), "200", "{size}: {answer}");
            assert!(
                answer.ends_with(&format!("\r\n\r\n{size}")),
                "{size}: {answer}"
            );
            assert_eq!(script.seen(), 2);
            world.gateway.stop().await;
        }
    });
}

#[test]
fn a_body_too_large_to_keep_is_sent_once_and_its_answer_passed_on() {
    world::run(async {
        let script = Script::start(|_| Act::Answer(503)).await;
        let rules = vec![at("/", retrying("one", &[503], 3))];
        let (world, socket) = World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
        let answer = exchange(socket, &send("PUT", 8 << 20)).await;
        assert_eq!(status(&answer), "503", "{answer}");
        assert_eq!(script.seen(), 1);
        world.gateway.stop().await;
    });
}

fn limited(backend: &str, request: Option<u64>, backend_request: Option<u64>) -> Rule {
    Rule {
        timeouts: Timeouts {
            request: request.map(Duration::from_millis),
            backend_request: backend_request.map(Duration::from_millis),
        },
        ..to(backend)
    }
}

#[test]
fn a_request_that_takes_too_long_is_504() {
    world::run(async {
        let script = Script::start(|_| Act::Silence).await;
        let rules = vec![
            at("/request", limited("one", Some(300), None)),
            at("/attempt", limited("one", None, Some(300))),
        ];
        let (world, socket) = World::with_rules(rules, &[("one", http1(&[script.address]))]).await;
        for path in ["/request", "/attempt"] {
            let begun = Instant::now();
            assert_eq!(status(&get(socket, path).await), "504", "{path}");
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{path}: {:?}",
                begun.elapsed()
            );
        }
        world.gateway.stop().await;
    });
}

#[test]
fn a_slow_attempt_is_retried_within_the_limit_of_the_request() {
    world::run(async {
        let script = Script::start(|n| {
            if n == 0 {
                Act::Silence
            } else {
                Act::Answer(200)
            }
        })
        .await;
        let mut rule = limited("one", Some(10_000), Some(200));
        rule.retry = retrying("one", &[], 2).retry;
        let (world, socket) =
            World::with_rules(vec![at("/", rule)], &[("one", http1(&[script.address]))]).await;
        assert_eq!(status(&get(socket, "/").await), "200");
        assert_eq!(script.seen(), 2);
        world.gateway.stop().await;
    });
}

#[test]
fn the_limit_of_the_request_bounds_all_attempts() {
    world::run(async {
        let script = Script::start(|_| Act::Silence).await;
        let mut rule = limited("one", Some(700), Some(200));
        rule.retry = retrying("one", &[504], 100).retry;
        let (world, socket) =
            World::with_rules(vec![at("/", rule)], &[("one", http1(&[script.address]))]).await;
        assert_eq!(status(&get(socket, "/").await), "504");
        assert!((2..=5).contains(&script.seen()), "{}", script.seen());
        world.gateway.stop().await;
    });
}
