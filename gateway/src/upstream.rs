//! Own upstream connector: dialer, HTTP/2 pool, session.
//!
//! Pingora calls it through `connectors::http::custom::Connector` for every peer whose ALPN is `ALPN::Custom`:
//! HTTP/2 backends, tunnels, and upgrades. Plain HTTP/1 goes over Pingora's own connector.
//!
//! * What the proxy sees of a failed attempt is the retry mark of the error: `RetryType::Decided(true)` means that the
//!   request was surely not processed, whatever its method; anything else means that it was sent, and perhaps
//!   processed. `ConnectionClosed` says that the connection broke under it.
//! * On this way Pingora cleans no headers. [`headers::strip_hop_by_hop`] is to be called first in
//!   `upstream_request_filter`, before the proxy sets headers of its own.
//! * `read_timeout` of the peer is the time for the whole response.

mod body;
mod connection;
pub mod connector;
mod dial;
pub mod headers;
mod pool;
pub mod session;
mod stream;
mod tasks;
#[cfg(test)]
pub(crate) mod testing;

pub use body::RequestTrailers;
pub(crate) use connection::WatchRules;
pub(crate) use dial::DialOptions;
pub(crate) use pool::{PathObserver, Pool, PoolRules};
pub(crate) use tasks::Tasks;
