//! What the tests against real API servers need.
//!
//! * [`enclosure`] — the namespaces of the kernel in which all of it runs, so that nothing is left behind.
//! * [`assets`] — where etcd, kube-apiserver and the project's own programs are.
//! * [`program`] — a process with a log.
//! * [`cluster`] — etcd and an API server with certificates of their own: what a cluster is without kubelets.
//! * [`objects`] — reading and writing objects in it.
//! * [`access`] — kubeconfigs, `ServiceAccount`s, tokens.
//! * [`site`] — a cluster with a controller, gateways and backends.
//! * [`patience`] — waiting for what must become true.
//!
//! There is no kubelet and no controller-manager: a test writes the `EndpointSlice`s of its backends itself, and
//! [`objects`] plays the namespace controller when a namespace is deleted.

pub mod access;
pub mod assets;
pub mod certificates;
pub mod cluster;
pub mod enclosure;
pub mod objects;
pub mod patience;
pub mod program;
pub mod site;
