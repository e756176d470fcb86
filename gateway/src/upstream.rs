//! Own upstream connector: dialer, HTTP/2 pool, session.
//!
//! Pingora calls it through `connectors::http::custom::Connector` for every peer whose ALPN is `ALPN::Custom`:
//! HTTP/2 backends, tunnels, and upgrades. Plain HTTP/1 goes over Pingora's own connector.
//!
//! What the proxy sees of a failed attempt is the retry mark of the error: `RetryType::Decided(true)` means that the
//! request was surely not processed, whatever its method; anything else means that it was sent, and perhaps processed.

pub mod connector;
