use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::{Relay, RelayConfig};

/// Long enough for anything that should happen, on a loaded machine.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that something does not happen.
const WHILE: Duration = Duration::from_millis(200);

/// A relay with a listener behind it.
async fn relay(delay: Duration) -> (Relay, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = RelayConfig::to(listener.local_addr().unwrap()).delay(delay);
    (Relay::start(config).await.unwrap(), listener)
}

/// Both ends of a connection through a relay.
async fn connected(relay: &Relay, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let near = TcpStream::connect(relay.address()).await.unwrap();
    let (far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    (near, far)
}

async fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    timeout(SOON, stream.read_exact(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    buffer
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(WHILE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn each_direction_is_delayed() {
    let delay = Duration::from_millis(30);
    let (relay, listener) = relay(delay).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    let start = Instant::now();
    near.write_all(b"ping").await.unwrap();
    assert_eq!(read(&mut far, 4).await, b"ping");
    assert!(start.elapsed() >= delay, "{:?}", start.elapsed());
    far.write_all(b"pong").await.unwrap();
    assert_eq!(read(&mut near, 4).await, b"pong");
    assert!(start.elapsed() >= 2 * delay, "{:?}", start.elapsed());
}

#[tokio::test]
async fn delay_does_not_limit_throughput() {
    let (relay, listener) = relay(Duration::from_millis(50)).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    let total = 32 << 20;
    let start = Instant::now();
    let send = async {
        near.write_all(&vec![7; total]).await.unwrap();
        near.shutdown().await.unwrap();
    };
    let receive = async {
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        all
    };
    let ((), all) = timeout(SOON, async { tokio::join!(send, receive) })
        .await
        .unwrap();
    assert!(all.len() == total && all.iter().all(|b| *b == 7));
    // A relay that slept for each chunk of 64 KiB would take 25 s.
    assert!(start.elapsed() < SOON);
    assert_eq!(relay.stats().to_target, total as u64);
}

#[tokio::test]
async fn a_half_closed_connection_still_answers() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    near.write_all(b"x").await.unwrap();
    near.shutdown().await.unwrap();
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    far.write_all(b"answer").await.unwrap();
    drop(far);
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!((all, answer), (b"x".to_vec(), b"answer".to_vec()));
}

#[tokio::test]
async fn a_cut_loses_everything_without_a_word_and_the_repair_delivers_it() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    relay.cut();
    assert_eq!(relay.first_lost(), None);
    near.write_all(b"to").await.unwrap();
    far.write_all(b"from").await.unwrap();
    far.shutdown().await.unwrap();
    assert!(is_silent(&mut far).await && is_silent(&mut near).await);
    assert!(relay.is_cut() && relay.first_lost().is_some());
    relay.restore();
    assert_eq!(read(&mut far, 2).await, b"to");
    assert_eq!(read(&mut near, 4).await, b"from");
    assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0, "the FIN too");
}

#[tokio::test]
async fn a_connection_made_during_a_cut_is_silent_until_the_repair() {
    let (relay, listener) = relay(Duration::ZERO).await;
    relay.cut();
    let mut near = TcpStream::connect(relay.address()).await.unwrap();
    near.write_all(b"hello").await.unwrap();
    assert!(timeout(WHILE, listener.accept()).await.is_err());
    relay.restore();
    let (mut far, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    assert_eq!(read(&mut far, 5).await, b"hello");
}

#[tokio::test]
async fn a_connection_given_up_during_a_cut_never_reaches_the_target() {
    let (relay, listener) = relay(Duration::ZERO).await;
    relay.cut();
    let mut near = TcpStream::connect(relay.address()).await.unwrap();
    near.write_all(b"hello").await.unwrap();
    while relay.first_lost().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
    drop(near);
    relay.restore();
    assert!(timeout(WHILE, listener.accept()).await.is_err());
}

#[tokio::test]
async fn what_a_reset_connection_had_on_the_way_is_lost() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    relay.cut();
    near.write_all(b"stale").await.unwrap();
    while relay.first_lost().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
    near.set_zero_linger().unwrap();
    drop(near);
    assert!(is_silent(&mut far).await, "the reset is lost as well");
    relay.restore();
    let mut rest = Vec::new();
    let end = timeout(SOON, far.read_to_end(&mut rest)).await.unwrap();
    assert!(end.is_err() && rest.is_empty(), "{end:?} {rest:?}");
}

#[tokio::test]
async fn a_reset_passes_through() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let (mut near, far) = connected(&relay, &listener).await;
    far.set_zero_linger().unwrap();
    drop(far);
    let end = timeout(SOON, near.read(&mut [0; 1])).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_target_that_refuses_is_a_reset() {
    let (relay, listener) = relay(Duration::ZERO).await;
    drop(listener);
    let mut near = TcpStream::connect(relay.address()).await.unwrap();
    let end = timeout(SOON, near.read(&mut [0; 1])).await.unwrap();
    assert!(end.is_err());
}

#[tokio::test]
async fn counters_tell_what_came_since() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let (mut near, mut far) = connected(&relay, &listener).await;
    near.write_all(b"first").await.unwrap();
    read(&mut far, 5).await;
    let before = relay.stats();
    far.write_all(b"second").await.unwrap();
    read(&mut near, 6).await;
    let since = relay.stats().since(before);
    assert_eq!(
        (since.accepted, since.to_target, since.from_target),
        (0, 0, 6)
    );
    assert_eq!(relay.stats().bytes(), 11);
}

#[tokio::test]
async fn stop_waits_for_open_connections() {
    let (relay, listener) = relay(Duration::ZERO).await;
    let address = relay.address();
    let (mut near, mut far) = connected(&relay, &listener).await;
    let finish = async {
        // The socket is closed first, so nobody new comes in.
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
        far.write_all(b"last").await.unwrap();
        drop(far);
        let mut all = Vec::new();
        near.read_to_end(&mut all).await.unwrap();
        drop(near);
        all
    };
    let ((), all) = tokio::join!(relay.stop(SOON), finish);
    assert_eq!(all, b"last");
}
