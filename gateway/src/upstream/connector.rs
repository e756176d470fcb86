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
