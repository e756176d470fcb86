//! The operator: watches, exchanges, applies and reports around the pure functions of `mcwan-k8s`.
//!
//! * [`app`] — arguments and wiring.
//! * [`reconcile`] — the one loop: woken, it looks at the world, decides, and applies what differs.
//! * [`apply`] — carries changes out, bounded, and again after failures.
//! * [`leader`] — which of several controllers writes.
//! * [`served`] — asks the gateways what they serve, while somebody waits for it.
//! * [`peers`] — what is known of the peers, for the loop.
//! * [`metrics`] — what is counted.
//!
//! Deliberately absent: decisions about objects (they are functions of values in [`mcwan_k8s::operator`]), Pingora.

pub mod app;
pub mod apply;
pub mod leader;
pub mod metrics;
pub mod peers;
pub mod reconcile;
pub mod served;
