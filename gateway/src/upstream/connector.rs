//! Pingora's `custom::Connector`, which finds the endpoint by `HttpPeer::group_key`.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::connectors::http::custom::{Connection, Connector};
use pingora_core::upstreams::peer::{HttpPeer, Peer};
use pingora_error::{Error, ErrorType, OkOrErr, Result};

use super::dial::{DialError, dial};
use super::session::UpstreamSession;
use crate::backends::{Endpoint, Registry, split_key};

/// Makes upstream sessions for peers with `ALPN::Custom`. Cloned into each `HttpProxy`.
#[derive(Debug, Clone)]
pub struct UpstreamConnector {
    registry: Arc<Registry>,
}

impl UpstreamConnector {
    /// A connector for the endpoints of `registry`.
    #[must_use]
    pub const fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// The endpoints that it connects to.
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The endpoint of a peer that [`crate::backends::Lease::peer`] made, and whether an upgrade is meant.
    fn endpoint<P: Peer + 'static>(&self, peer: &P) -> Option<(Arc<Endpoint>, bool)> {
        let peer = (peer as &dyn Any).downcast_ref::<HttpPeer>()?;
        let (id, upgrade) = split_key(peer.group_key);
        Some((self.registry.endpoint(id)?, upgrade))
    }
}

/// Runs `connect` within what is left of the attempt.
async fn within<T>(
    limit: Option<Duration>,
    endpoint: &Endpoint,
    connect: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let Some(limit) = limit else {
        return connect.await;
    };
    tokio::time::timeout(limit, connect)
        .await
        .unwrap_or_else(|_| Err(DialError::TimedOut.to_pingora(endpoint.address)))
}

#[async_trait]
impl Connector for UpstreamConnector {
    type Session = UpstreamSession;

    /// Called last: no session was free, and Pingora's own pool of HTTP/1 connections had none.
    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Result<(Connection<Self::Session>, bool)> {
        let (endpoint, upgrade) = self
            .endpoint(peer)
            .or_err(ErrorType::InternalError, "a peer that no lease made")?;
        let limit = peer.connection_timeout();
        if upgrade {
            let options = endpoint.dial_options();
            let connect = async {
                dial(&options)
                    .await
                    .map_err(|e| e.to_pingora(options.address))
            };
            let stream = within(limit, &endpoint, connect).await?;
            let stream = Box::new(stream.ordering_upgrades());
            return Ok((Connection::Stream(stream), false));
        }
        let Some(pool) = endpoint.pool() else {
            return Error::e_explain(
                ErrorType::InternalError,
                "an HTTP/1 endpoint without an upgrade",
            );
        };
        let ticket = within(limit, &endpoint, pool.acquire()).await?;
        Ok((Connection::Session(UpstreamSession::new(ticket)), false))
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Option<Self::Session> {
        let (endpoint, upgrade) = self.endpoint(peer)?;
        if upgrade {
            return None;
        }
        endpoint.pool()?.try_acquire().map(UpstreamSession::new)
    }

    /// Called always, after success and after failure: dropping an unfinished session cancels its stream.
    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        session: Self::Session,
        _peer: &P,
        _idle_timeout: Option<Duration>,
    ) {
        drop(session);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use mcwan_routing::spec::{Backend as BackendSpec, BackendName, BackendProtocol};
    use pingora_core::connectors::http::Connector as HttpConnector;
    use pingora_core::protocols::http::client::HttpSession;

    use super::*;
    use crate::backends::{Backend, PeerNeeds};
    use crate::upstream::testing::Server;

    fn connect_to(
        protocol: BackendProtocol,
        address: SocketAddr,
    ) -> (UpstreamConnector, Arc<Backend>) {
        let registry = Arc::new(Registry::default());
        let name = BackendName {
            namespace: "a".to_owned(),
            service: "b".to_owned(),
            port: 80,
        };
        let spec = BackendSpec {
            protocol,
            endpoints: vec![address],
            tunnel: None,
        };
        let backend = registry
            .link(&BTreeMap::from([(name.clone(), spec)]))
            .remove(&name);
        (UpstreamConnector::new(registry), backend.unwrap())
    }

    #[tokio::test]
    async fn each_need_gets_its_kind_of_session() {
        let server = Server::start(100).await;
        let (own, backend) = connect_to(BackendProtocol::H2c, server.address);
        let registry = Arc::clone(own.registry());
        let connector = HttpConnector::new_custom(None, own);
        let lease = backend.pick(&[]).unwrap();

        let peer = lease.peer(PeerNeeds::default());
        let get = |peer| Box::pin(connector.get_http_session(peer));
        let (first, reused) = get(&*peer).await.unwrap();
        assert!(matches!(first, HttpSession::Custom(_)) && !reused);
        let (second, reused) = get(&*peer).await.unwrap();
        assert!(matches!(second, HttpSession::Custom(_)) && reused);
        assert_eq!(server.connections(), 1);

        let upgrade = PeerNeeds {
            upgrade: true,
            time_left: None,
        };
        let peer_of_upgrade = lease.peer(upgrade);
        let (third, _) = get(&*peer_of_upgrade).await.unwrap();
        assert!(matches!(third, HttpSession::H1(_)));
        connector.release_http_session(first, &*peer, None).await;
        connector.release_http_session(second, &*peer, None).await;
        drop(third);
        registry.shutdown().await;
    }

    #[tokio::test]
    async fn connecting_ends_with_the_time_of_the_attempt() {
        let server = Server::start(100).await;
        server.frozen.send_replace(true);
        let (own, backend) = connect_to(BackendProtocol::H2c, server.address);
        let registry = Arc::clone(own.registry());
        let needs = PeerNeeds {
            upgrade: false,
            time_left: Some(Duration::from_millis(50)),
        };
        let peer = backend.pick(&[]).unwrap().peer(needs);
        let Err(error) = own.get_http_session(&*peer).await else {
            panic!("the peer is frozen");
        };
        assert_eq!(error.etype(), &ErrorType::ConnectTimedout);
        assert!(error.retry());
        registry.shutdown().await;
    }

    #[tokio::test]
    async fn a_peer_that_no_lease_made_is_refused() {
        let own = UpstreamConnector::new(Arc::default());
        let mut peer = HttpPeer::new("127.0.0.1:1", false, String::new());
        peer.group_key = 7;
        assert!(own.reused_http_session(&peer).await.is_none());
        assert!(own.get_http_session(&peer).await.is_err());
    }
}
