//! Own kinds and MCS kinds. The Gateway API's are in `mcwan_gateway_api`.

pub mod about;
pub mod crds;
pub mod mcs;
mod optional;
pub(crate) mod schema;
pub mod wan;

/// API group of the project's own kinds.
pub const GROUP: &str = "mc-wan.l7mp.io";
