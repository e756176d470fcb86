//! Dials one TCP connection: socket options before the connect, one time limit over all of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_error::{Error, ErrorType};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::stream::UpstreamStream;
use crate::dscp;

/// Idle time after which the kernel asks whether the peer is still there. HTTP/2 connections have their own PING.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Bytes that may wait in the kernel without having been sent once. More than that would delay a PING that is written
/// behind the body of an upload, and PINGs decide whether a connection lives.
const UNSENT_BYTES: u32 = 128 * 1024;

/// How a connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DialOptions {
    /// Where to.
    pub(crate) address: SocketAddr,
    /// DSCP of the packets, 0–63; sent as `IP_TOS` or `IPV6_TCLASS`, shifted by the two ECN bits (RFC 2474 §3).
    pub(crate) dscp: Option<u8>,
    /// `TCP_USER_TIMEOUT`: how long sent bytes may go without acknowledgement.
    pub(crate) user_timeout: Option<Duration>,
    /// For everything until the connection can be used.
    pub(crate) timeout: Duration,
}

/// Why no connection could be made. Cloned to everybody who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DialError {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No route to the host.
    #[error("no route")]
    NoRoute,
    /// The socket could not be made or set up.
    #[error("socket: {0}")]
    Socket(Arc<io::Error>),
    /// Any other failure of the connect.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// Connected, but the peer does not speak HTTP/2.
    #[error("no HTTP/2 at the far end: {0}")]
    Protocol(Arc<h2::Error>),
    /// The path failed while somebody waited for another connection.
    #[error("the path is down")]
    Dark,
    /// The gateway is shutting down, or has no runtime.
    #[error("shutting down")]
    Stopped,
}

impl DialError {
    fn connect(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Self::NoRoute,
            _ => Self::Io(Arc::new(error)),
        }
    }

    fn socket(error: io::Error) -> Self {
        Self::Socket(Arc::new(error))
    }

    /// As Pingora's error. Always marked for retry: nothing of the request was sent.
    pub(crate) fn to_pingora(&self, address: SocketAddr) -> Box<Error> {
        let kind = match self {
            Self::Refused => ErrorType::ConnectRefused,
            Self::TimedOut | Self::Dark => ErrorType::ConnectTimedout,
            Self::NoRoute => ErrorType::ConnectNoRoute,
            Self::Socket(_) => ErrorType::SocketError,
            Self::Io(_) => ErrorType::ConnectError,
            Self::Protocol(_) => ErrorType::HandshakeError,
            Self::Stopped => ErrorType::InternalError,
        };
        let mut error = Error::because(kind, format!("connecting to {address}"), self.clone());
        error.set_retry(true);
        error
    }
}

/// Connects within `options.timeout`.
///
/// # Errors
/// [`DialError`]; nothing is left open.
pub(crate) async fn dial(options: &DialOptions) -> Result<UpstreamStream, DialError> {
    timeout(options.timeout, connect(options))
        .await
        .unwrap_or(Err(DialError::TimedOut))
}

async fn connect(options: &DialOptions) -> Result<UpstreamStream, DialError> {
    let start = Instant::now();
    let socket = match options.address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(DialError::socket)?;
    set_options(&socket, options).map_err(DialError::socket)?;
    let tcp = socket
        .connect(options.address)
        .await
        .map_err(DialError::connect)?;
    Ok(UpstreamStream::plain(tcp, start.elapsed()))
}

fn set_options(socket: &TcpSocket, options: &DialOptions) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL),
    )?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    if let Some(limit) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(limit))?;
    }
    if let Some(dscp) = options.dscp {
        dscp::mark(&socket, options.address, dscp)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn options(address: SocketAddr) -> DialOptions {
        DialOptions {
            address,
            dscp: Some(18),
            user_timeout: Some(Duration::from_millis(1500)),
            timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn socket_options_are_in_force() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let stream = dial(&options(listener.local_addr().unwrap()))
            .await
            .unwrap();
        let socket = SockRef::from(stream.tcp());
        assert_eq!(socket.tos_v4().unwrap(), 18 << 2);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Duration::from_millis(1500))
        );
    }

    #[tokio::test]
    async fn ipv6_carries_the_traffic_class() {
        let Ok(listener) = tokio::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            eprintln!("skipped: no IPv6 loopback on this machine");
            return;
        };
        let stream = dial(&options(listener.local_addr().unwrap()))
            .await
            .unwrap();
        assert_eq!(SockRef::from(stream.tcp()).tclass_v6().unwrap(), 18 << 2);
    }

    #[tokio::test]
    async fn a_refused_connection_may_be_retried() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = dial(&options(address)).await.unwrap_err();
        assert!(matches!(error, DialError::Refused));
        let error = error.to_pingora(address);
        assert_eq!(error.etype(), &ErrorType::ConnectRefused);
        assert!(error.retry());
    }

    #[tokio::test]
    async fn a_silent_address_times_out() {
        // TEST-NET-1 (RFC 5737): nothing answers there, or there is no route; both within the limit.
        let options = DialOptions {
            timeout: Duration::from_millis(50),
            ..options("192.0.2.1:9".parse().unwrap())
        };
        let error = timeout(Duration::from_secs(5), dial(&options))
            .await
            .expect("bounded");
        assert!(error.is_err());
    }
}
