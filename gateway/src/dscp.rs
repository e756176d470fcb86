//! DSCP marks on sockets: SD-WANs classify by them where they do not classify by port.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;

/// Marks the packets of a socket whose own address is `own` with a code point, 0–63: `IP_TOS` or `IPV6_TCLASS`, shifted
/// by the two ECN bits (RFC 2474 §3). An IPv6 socket may speak IPv4 as well, and is marked for both.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn mark(socket: &SockRef<'_>, own: SocketAddr, dscp: u8) -> io::Result<()> {
    let class = u32::from(dscp & 0x3f) << 2;
    if own.is_ipv4() {
        return socket.set_tos_v4(class);
    }
    socket.set_tclass_v6(class)?;
    socket.set_tos_v4(class)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn each_family_gets_its_mark() {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = socket.local_addr().unwrap();
        mark(&SockRef::from(&socket), own, 46).unwrap();
        assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), 46 << 2);
        let Ok(socket) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("skipped: no IPv6 loopback on this machine");
            return;
        };
        let own = socket.local_addr().unwrap();
        mark(&SockRef::from(&socket), own, 46).unwrap();
        assert_eq!(SockRef::from(&socket).tclass_v6().unwrap(), 46 << 2);
    }
}
