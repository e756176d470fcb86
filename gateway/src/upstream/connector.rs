//! Pingora's `custom::Connector`, which finds the endpoint by `HttpPeer::group_key`.

use std::sync::Arc;

use crate::backends::Registry;

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
}
