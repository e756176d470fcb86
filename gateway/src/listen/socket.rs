//! Binding of listening sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

/// Connections that the kernel completes before they are accepted (cut down to `net.core.somaxconn`).
const BACKLOG: i32 = 8192;

/// A client that vanished without a FIN is noticed after this long without traffic, plus 3 unanswered probes.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// Binds `socket`. Linux hands the options on to each accepted connection, which saves a system call per option there.
///
/// # Errors
/// When the address is in use, not of this machine, or not permitted.
pub(super) fn bind(socket: SocketAddr) -> io::Result<TcpListener> {
    let listener = Socket::new(
        Domain::for_address(socket),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    listener.set_reuse_address(true)?;
    listener.set_nonblocking(true)?;
    listener.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    listener.set_tcp_keepalive(&keepalive)?;
    listener.bind(&socket.into())?;
    listener.listen(BACKLOG)?;
    TcpListener::from_std(listener.into())
}

#[cfg(test)]
mod tests {
    use mcwan_routing::spec::{Role, WanClass};

    use super::*;
    use crate::listen::Facts;

    #[tokio::test]
    async fn accepted_connections_inherit_the_options() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let accepted = accepted.unwrap().0;
        assert!(accepted.nodelay().unwrap());
        assert!(socket2::SockRef::from(&accepted).keepalive().unwrap());
        drop(client);
    }

    #[tokio::test]
    async fn answers_of_a_wan_listener_carry_the_mark_of_its_policy() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let facts = Facts {
            socket: listener.local_addr().unwrap(),
            port: 31_111,
            role: Role::Ingress,
            wan: Some(WanClass {
                policy: "business".to_owned(),
                class: "business".to_owned(),
                dscp: Some(46),
            }),
        };
        facts.mark(&socket2::SockRef::from(&listener));
        let client = tokio::net::TcpStream::connect(facts.socket);
        let (client, accepted) = tokio::join!(client, listener.accept());
        let accepted = accepted.unwrap().0;
        let mark = socket2::SockRef::from(&accepted).tos_v4().unwrap();
        assert_eq!(mark, 46 << 2);
        drop(client);
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(bind(first.local_addr().unwrap()).is_err());
    }
}
