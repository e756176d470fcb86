//! The gateway: a conformant Gateway API implementation on Pingora.
//!
//! `standalone` or `cluster` → `translate` → [`live::LiveTable`] → requests load it once.
//!
//! * [`live`] — the table in force, linked to the running state of its backends.
//! * [`backends`] — endpoints and tunnels: load, health, choice.
//! * [`upstream`] — own connector: dialer, HTTP/2 pool, session.
//! * [`listen`] — sockets that come and go at run time; drain.
//! * [`proxy`] — the life of a request.
//! * [`observe`] — access log, metrics, trace context, debug pages.
//! * [`cluster`] — one Gateway, its objects read from an API server.
//! * [`standalone`] — a directory of manifests instead of an API server.

pub mod app;
pub mod backends;
pub mod cluster;
mod dscp;
pub mod listen;
pub mod live;
pub mod observe;
pub mod proxy;
pub mod standalone;
pub mod upstream;
