use std::sync::atomic::Ordering;

use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::upstream::testing::{Server, begin, finish, get, pool, request, rules, until};

#[tokio::test]
async fn informational_answers_come_before_the_final_one() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let answer = get(&pool, "/hints").await.unwrap();
    assert_eq!(
        (answer.informational.as_slice(), answer.status),
        ([103].as_slice(), 200)
    );
    assert_eq!(answer.body, b"ok");
    tasks.stop().await;
}

#[tokio::test]
async fn ten_megabytes_and_trailers_go_both_ways() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let mut session = UpstreamSession::new(pool.acquire().await.unwrap());
    let mut header = request("POST", "/echo");
    let trailers = RequestTrailers::default();
    header.extensions_mut().insert(trailers.clone());
    session.set_write_timeout(Some(Duration::from_secs(30)));
    session.write_request_header(header, false).await.unwrap();
    let mut writer = session.take_request_body_writer().unwrap();
    let body: Vec<u8> = (0..10 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();

    let upload = async {
        for chunk in body.chunks(64 << 10) {
            writer
                .write_all_buf(&mut Bytes::copy_from_slice(chunk))
                .await
                .unwrap();
        }
        let mut sent = HeaderMap::new();
        sent.insert("grpc-status", HeaderValue::from_static("0"));
        sent.insert("content-length", HeaderValue::from_static("1"));
        *trailers.0.lock() = Some(sent);
        writer.finish().await.unwrap();
        writer.cleanup().await.unwrap();
    };
    let ((), answer) = tokio::join!(upload, finish(&mut session));
    let answer = answer.unwrap();
    assert_eq!(answer.body.len(), body.len());
    assert!(answer.body == body);
    assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    let seen = server.seen.trailers.lock().clone();
    assert_eq!(seen[0]["grpc-status"], "0");
    assert!(
        !seen[0].contains_key("content-length"),
        "no framing in trailers"
    );
    tasks.stop().await;
}

#[tokio::test]
async fn a_refused_stream_was_surely_not_processed() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, rules());
    let error = get(&pool, "/refuse").await.unwrap_err();
    assert_eq!(error.retry, RetryType::Decided(true));
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    assert!(
        notes.failures.lock().is_empty(),
        "the backend's answer says nothing about the path"
    );
    tasks.stop().await;
}

#[tokio::test]
async fn a_stream_that_runs_out_of_time_leaves_its_neighbours_alone() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, rules());
    let mut neighbour = begin(&pool, "/slow").await.unwrap();
    for path in ["/never", "/stall"] {
        let mut late = begin(&pool, path).await.unwrap();
        late.set_read_timeout(Some(Duration::from_millis(50)));
        let error = finish(&mut late).await.unwrap_err();
        assert_eq!(error.etype(), &ErrorType::ReadTimedout);
        assert!(!error.retry());
    }
    assert_eq!(finish(&mut neighbour).await.unwrap().status, 200);
    until("both cancelled", || server.seen.resets.lock().len() == 2).await;
    assert_eq!(server.seen.resets.lock().as_slice(), [Reason::CANCEL; 2]);
    assert_eq!(server.connections(), 1);
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn a_dropped_session_cancels_its_stream_even_if_the_writer_lives() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let mut session = UpstreamSession::new(pool.acquire().await.unwrap());
    session
        .write_request_header(request("POST", "/never"), false)
        .await
        .unwrap();
    let writer = session.take_request_body_writer().unwrap();
    until("arrived", || {
        server.seen.requests.load(Ordering::SeqCst) == 1
    })
    .await;
    drop(session);
    until("cancelled", || !server.seen.resets.lock().is_empty()).await;
    assert_eq!(server.seen.resets.lock().as_slice(), [Reason::CANCEL]);
    drop(writer);
    tasks.stop().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_runs_out_of_time() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let mut session = UpstreamSession::new(pool.acquire().await.unwrap());
    session.set_write_timeout(Some(Duration::from_millis(100)));
    session
        .write_request_header(request("POST", "/never"), false)
        .await
        .unwrap();
    let mut writer = session.take_request_body_writer().unwrap();
    let error = writer
        .write_all_buf(&mut Bytes::from(vec![0; 1 << 20]))
        .await
        .unwrap_err();
    assert_eq!(error.etype(), &ErrorType::WriteTimedout);
    tasks.stop().await;
}

#[tokio::test]
async fn a_broken_connection_leaves_open_whether_the_request_was_processed() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    let mut doomed = begin(&pool, "/never").await.unwrap();
    until("arrived", || {
        server.seen.requests.load(Ordering::SeqCst) == 2
    })
    .await;
    drop(server);
    let error = finish(&mut doomed).await.unwrap_err();
    // It did reach the peer, so nobody knows.
    assert_ne!(error.retry, RetryType::Decided(true));
    assert_eq!(error.etype(), &ErrorType::ConnectionClosed);
    tasks.stop().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_translated_is_never_sent() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let mut session = UpstreamSession::new(pool.acquire().await.unwrap());
    let mut bad = request("GET", "/");
    bad.append_header("Host", "other.example").unwrap();
    let error = session.write_request_header(bad, true).await.unwrap_err();
    assert_eq!(error.etype(), &ErrorType::InvalidHTTPHeader);
    drop(session);
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    assert_eq!(server.seen.requests.load(Ordering::SeqCst), 1);
    tasks.stop().await;
}

/// Speaks just enough HTTP/2 to answer PINGs, and any request with GOAWAY and last stream id 0.
async fn goes_away(listener: tokio::net::TcpListener) {
    let (mut tcp, _) = listener.accept().await.unwrap();
    let mut preface = [0; 24];
    tcp.read_exact(&mut preface).await.unwrap();
    tcp.write_all(&frame(4, 0, &[])).await.unwrap();
    loop {
        let mut head = [0; 9];
        if tcp.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        tcp.read_exact(&mut payload).await.unwrap();
        let answer = match (head[3], head[4] & 1) {
            (1, _) => frame(7, 0, &[0; 8]),
            (4, 0) => frame(4, 1, &[]),
            (6, 0) => frame(6, 1, &payload),
            _ => continue,
        };
        tcp.write_all(&answer).await.unwrap();
    }
}

/// A frame of stream 0 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![
        0,
        0,
        u8::try_from(payload.len()).unwrap(),
        kind,
        flags,
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn a_stream_above_the_last_id_of_goaway_was_surely_not_processed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = tokio::task::JoinSet::new();
    server.spawn(goes_away(listener));
    let (pool, notes, tasks) = pool(address, rules());
    let error = get(&pool, "/").await.unwrap_err();
    assert_eq!(error.retry, RetryType::Decided(true), "{error}");
    assert!(
        notes.failures.lock().is_empty(),
        "GOAWAY says nothing against the path"
    );
    tasks.stop().await;
}
