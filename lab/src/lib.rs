//! A small world on loopback for tests, benches and the demo: an emulated WAN, backends, a client.
//!
//! * [`relay`] — one tunnel of the WAN: delay, jitter, and a cut that loses packets without a word.
//! * [`api_server`] — a Kubernetes API server as far as watching goes, which misbehaves on request.
//! * [`backend`] — HTTP/1.1 and HTTP/2 servers that say what they saw, and misbehave on request.
//! * [`client`] — a keep-alive HTTP/1.1 client.
//! * [`load`] — requests at a fixed rate, whatever the answers do.
//!
//! Every task belongs to a value that ends it when it is dropped, so a test that fails leaves nothing behind. Nothing
//! here needs privileges, and nothing leaves the loopback interface.

pub mod api_server;
pub mod backend;
pub mod client;
pub mod load;
pub mod relay;
