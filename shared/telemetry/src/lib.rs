//! What every program of the project shows of itself: log, metrics, readiness, and the admin server that serves them.
//!
//! * [`log`] — the program's own log on stderr (the access log of requests is the gateway's).
//! * [`metrics`] — an owned Prometheus registry, process figures, values sampled at the scrape.
//! * [`readiness`] — named conditions and notes behind `/readyz`.
//! * [`admin`] — a small HTTP server with registered pages.
//!
//! Deliberately absent: anything that knows of Kubernetes, routing or Pingora.

pub mod admin;
pub mod log;
pub mod metrics;
pub mod process;
pub mod readiness;
