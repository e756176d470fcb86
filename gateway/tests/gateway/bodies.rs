//! Large bodies, streamed both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcwan_lab::backend::{Backend, BackendConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http2::Http2;
use crate::tunnels::{egress, ingress};
use crate::world::{self, Raw, World, at, http1, to};

const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 1024;

/// Sends 64 MiB while it reads them back.
async fn echo(socket: std::net::SocketAddr) {
    let mut raw = Raw::connect(socket).await;
    let length = CHUNK * CHUNKS;
    raw.send(format!(
        "PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    ))
    .await;
    let (mut read, mut write) = raw.0.into_split();
    let send = async {
        let chunk = vec![b'x'; CHUNK];
        for _ in 0..CHUNKS {
            write.write_all(&chunk).await.unwrap();
        }
    };
    let receive = async {
        let mut buffer = vec![0; CHUNK];
        let mut count = 0;
        loop {
            let n = read.read(&mut buffer).await.unwrap();
            if n == 0 {
                return count;
            }
            count += buffer[..n].iter().filter(|b| **b == b'x').count();
        }
    };
    let both = async { tokio::join!(send, receive) };
    let ((), count) = tokio::time::timeout(world::PATIENCE * 3, both)
        .await
        .expect("the echo is stuck");
    assert!(count >= length && count < length + 10, "{count}");
}

#[test]
fn a_body_of_64_mib_goes_to_a_backend_and_back() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        echo(socket).await;
        world.gateway.stop().await;
    });
}

#[test]
fn a_body_of_64_mib_is_downloaded_through_a_tunnel() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        let client = Http2::connect(socket).await;
        let length = (CHUNK * CHUNKS).to_string();
        let answer = client
            .send(
                "GET",
                "http://a.example/",
                &[("x-lab-body-bytes", &length)],
                b"",
            )
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.len(), CHUNK * CHUNKS);
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

#[test]
fn a_client_that_does_not_read_stops_the_flow_instead_of_filling_memory() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let mut raw = Raw::connect(socket).await;
        raw.send(format!(
            "PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            1 << 30
        ))
        .await;
        let sent = Arc::new(AtomicUsize::new(0));
        let (_read, mut write) = raw.0.into_split();
        let counter = Arc::clone(&sent);
        let send = async move {
            let chunk = vec![b'x'; CHUNK];
            while write.write_all(&chunk).await.is_ok() {
                counter.fetch_add(CHUNK, Ordering::Relaxed);
            }
        };
        let _stalls = tokio::time::timeout(Duration::from_secs(3), send).await;
        // What fits into the kernel's buffers on the way, and a little more.
        assert!(sent.load(Ordering::Relaxed) < 64 << 20, "{sent:?}");
        world.gateway.stop().await;
    });
}
