//! Pure routing: which rule takes a request, where the rule sends it, and what to do when that fails.
//!
//! * [`spec`] — what `translate` produces: listeners, routes, rules and backends as plain values.
//! * [`hostname`], [`matching`] — what a request is compared with; [`matching::rank`] is the precedence.
//! * [`rule`], [`filter`] — what a rule does with a request, and what its filters mean.
//! * [`table`] — the same, indexed for lookup; a request asks [`table::Table::find`].
//! * [`plan`] — the ordered candidates of one request.
//! * [`failure`] — the one place that maps failures to statuses.
//! * [`health`] — the state of a tunnel and of an endpoint, as functions of evidence and time.
//! * [`balance`], [`retry`] — endpoint choice and retry decisions as functions of values.
//!
//! Deliberately absent: clocks (time is an argument), randomness (an argument too), I/O, Kubernetes, Pingora.

pub mod balance;
pub mod failure;
pub mod filter;
pub mod health;
pub mod hostname;
pub mod matching;
pub mod plan;
pub mod retry;
pub mod rule;
pub mod spec;
pub mod table;
