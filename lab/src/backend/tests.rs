use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Backend, BackendConfig, Tasks, header};
use crate::client::{Call, Client};
use crate::load::{self, Load};

#[tokio::test]
async fn an_echo_says_what_it_saw() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let client = Client::new(backend.address());
    let call = Call::new(Method::POST, "shop.example.com", "/x?y=1")
        .header("x-color", "blue")
        .body("abc");
    let said = client.send(&call).await.unwrap().json();
    assert_eq!(said["replica"], "a");
    assert_eq!(said["method"], "POST");
    assert_eq!(said["host"], "shop.example.com");
    assert_eq!(said["path"], "/x?y=1");
    assert_eq!(said["headers"]["x-color"][0], "blue");
    assert_eq!(said["bodyBytes"], 3);
}

#[tokio::test]
async fn headers_choose_status_delay_and_body() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let client = Client::new(backend.address());
    let call = Call::get("a", "/")
        .header(header::STATUS, "503")
        .header(header::DELAY, "20")
        .header(header::BODY, "1000");
    let answer = client.send(&call).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body.len(), 1000);
    assert!(answer.latency >= Duration::from_millis(20));
}

#[tokio::test]
async fn connections_are_kept_and_executions_counted() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let client = Client::new(backend.address());
    for id in ["1", "1", "2"] {
        client
            .send(&Call::get("a", "/").header(header::ID, id))
            .await
            .unwrap();
    }
    assert_eq!((backend.connections(), backend.requests()), (1, 3));
    assert_eq!((backend.executed("1"), backend.executed("2")), (2, 1));
}

#[tokio::test]
async fn a_request_can_be_left_without_an_answer() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let client = Client::new(backend.address());
    let call = Call::get("a", "/").header(header::CLOSE, "1");
    assert!(client.send(&call).await.is_err());
}

#[tokio::test]
async fn the_payment_service_has_two_pages() {
    let backend = Backend::start(BackendConfig::payment("replica-1"))
        .await
        .unwrap();
    let client = Client::new(backend.address());
    for (path, status) in [
        ("/payment", 200),
        ("/payment/7", 200),
        ("/stats", 200),
        ("/", 404),
    ] {
        let answer = client.send(&Call::get("payment", path)).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["replica"], "replica-1");
    }
}

#[tokio::test]
async fn an_upgrade_echoes_until_the_client_closes() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let mut stream = TcpStream::connect(backend.address()).await.unwrap();
    stream
        .write_all(b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 101 "), "{all}");
    assert!(all.ends_with("\r\n\r\nhello"), "{all}");
}

#[tokio::test]
async fn a_half_closing_client_gets_its_answer() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let mut stream = TcpStream::connect(backend.address()).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 20\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 200 "), "{all}");
}

#[tokio::test]
async fn a_chunked_body_streams_back() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let mut stream = TcpStream::connect(backend.address()).await.unwrap();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        )
        .await
        .unwrap();
    // The first chunk comes back while the request is still open.
    let mut seen = Vec::new();
    while !seen.windows(3).any(|w| w == b"abc") {
        let mut buffer = [0; 1024];
        let n = stream.read(&mut buffer).await.unwrap();
        assert_ne!(n, 0);
        seen.extend_from_slice(&buffer[..n]);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn an_h2c_backend_sends_trailers() {
    let backend = Backend::start(BackendConfig::h2c("a")).await.unwrap();
    let stream = TcpStream::connect(backend.address()).await.unwrap();
    let tasks = Tasks::default();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(tasks, TokioIo::new(stream))
            .await
            .unwrap();
    let call = async {
        let request = Request::post("http://payment/pay.Service/Pay")
            .header("content-type", "application/grpc")
            .body(Full::new(Bytes::from_static(b"message")))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap();
        (collected.to_bytes(), trailers)
    };
    let (body, trailers) = tokio::select! {
        result = call => result,
        ended = connection => panic!("the connection ended: {ended:?}"),
    };
    assert_eq!(body, "message");
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn load_has_one_outcome_for_each_request() {
    let backend = Backend::start(BackendConfig::http1("a")).await.unwrap();
    let client = Arc::new(Client::new(backend.address()));
    let load = Load {
        rate: 500,
        requests: 50,
    };
    let outcomes = load::run(&client, load, |n| {
        let status = if n == 7 { "500" } else { "200" };
        Call::get("a", "/").header(header::STATUS, status)
    })
    .await;
    assert_eq!(outcomes.len(), 50);
    assert_eq!(backend.requests(), 50);
    let failed: Vec<u32> = outcomes
        .iter()
        .filter(|o| !o.succeeded())
        .map(|o| o.number)
        .collect();
    assert_eq!(failed, [7]);
    let (half, all) = (
        load::percentile(&outcomes, 0.5),
        load::percentile(&outcomes, 1.0),
    );
    assert!(half <= all && all == outcomes.iter().map(load::Outcome::latency).max().unwrap());
}
