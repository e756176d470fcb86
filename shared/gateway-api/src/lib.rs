//! Gateway API v1.7.0, standard channel: types generated from the official CRDs.
//!
//! Every module but this one is written by `scripts/gateway-api-types.sh`; do not edit them.

pub mod backendtlspolicies;
pub mod gatewayclasses;
pub mod gateways;
pub mod grpcroutes;
pub mod httproutes;
pub mod listenersets;
pub mod referencegrants;
pub mod tcproutes;
pub mod tlsroutes;
pub mod udproutes;

/// The release that the types were generated from.
pub const BUNDLE_VERSION: &str = "v1.7.0";
