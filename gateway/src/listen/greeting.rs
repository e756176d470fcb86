//! What protocol a new connection speaks: HTTP/2 with prior knowledge, or HTTP/1.
//!
//! Pingora's own look waits for 24 bytes without a limit: a request of 18 bytes (`GET / HTTP/1.0`) would never be answered.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The client connection preface (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A preface that has begun must be complete after this long.
const PREFACE_TIME: Duration = Duration::from_secs(10);

/// A protocol, and the bytes that were read in order to know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// HTTP/1.
    Http1(Bytes),
    /// HTTP/2.
    Http2(Bytes),
}

/// How far the bytes read so far agree with the preface.
#[derive(Debug, PartialEq, Eq)]
enum Agreement {
    Differs,
    SoFar,
    Whole,
}

fn agreement(read: &[u8]) -> Agreement {
    let common = read.len().min(PREFACE.len());
    if read.get(..common) != PREFACE.get(..common) {
        Agreement::Differs
    } else if common == PREFACE.len() {
        Agreement::Whole
    } else {
        Agreement::SoFar
    }
}

/// Reads until the protocol is known. A client that says nothing for `silence` is given up.
///
/// # Errors
/// `InvalidData` when a preface begins and does not end in time; otherwise the client says nothing in time, or goes away.
pub(super) async fn read(tcp: &mut TcpStream, silence: Duration) -> io::Result<Greeting> {
    timeout(silence, tcp.readable()).await??;
    let mut bytes = BytesMut::new();
    let preface = timeout(PREFACE_TIME, async {
        loop {
            bytes.reserve(1024);
            if tcp.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match agreement(&bytes) {
                Agreement::Differs => return Ok(Greeting::Http1(bytes.split().freeze())),
                Agreement::Whole => return Ok(Greeting::Http2(bytes.split().freeze())),
                Agreement::SoFar => {}
            }
        }
    });
    match preface.await {
        Ok(greeting) => greeting,
        // A socket may seem readable before it is.
        Err(_) if bytes.is_empty() => Err(io::ErrorKind::TimedOut.into()),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "half a preface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    async fn greeting_of(chunks: &[&[u8]]) -> io::Result<Greeting> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        client.set_nodelay(true).unwrap();
        let mut accepted = listener.accept().await.unwrap().0;
        let write = async {
            for chunk in chunks {
                client.write_all(chunk).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            client.shutdown().await.unwrap();
        };
        tokio::join!(read(&mut accepted, Duration::from_secs(9)), write).0
    }

    #[tokio::test]
    async fn a_request_shorter_than_the_preface_is_known_at_once() {
        let request = b"GET / HTTP/1.0\r\n\r\n";
        let greeting = greeting_of(&[request]).await.unwrap();
        assert_eq!(greeting, Greeting::Http1(Bytes::from_static(request)));
    }

    #[tokio::test]
    async fn a_preface_in_pieces_is_http2() {
        let greeting = greeting_of(&[&PREFACE[..3], &PREFACE[3..20], &PREFACE[20..]])
            .await
            .unwrap();
        assert_eq!(greeting, Greeting::Http2(Bytes::from_static(PREFACE)));
    }

    #[tokio::test]
    async fn a_method_that_begins_like_the_preface_is_http1() {
        let greeting = greeting_of(&[b"PRI", b"NT / HTTP/1.1\r\n\r\n"])
            .await
            .unwrap();
        assert_eq!(
            greeting,
            Greeting::Http1(Bytes::from_static(b"PRINT / HTTP/1.1\r\n\r\n"))
        );
    }

    #[tokio::test]
    async fn a_client_that_leaves_early_is_an_error() {
        assert!(greeting_of(&[b"PR"]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_preface_is_told_from_silence() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        client.write_all(&PREFACE[..9]).await.unwrap();
        let mut accepted = listener.accept().await.unwrap().0;
        let error = read(&mut accepted, Duration::from_secs(9)).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let mut accepted = listener.accept().await.unwrap().0;
        assert_eq!(
            read(&mut accepted, Duration::from_secs(9))
                .await
                .unwrap_err()
                .kind(),
            io::ErrorKind::TimedOut
        );
    }
}
