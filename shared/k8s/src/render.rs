//! Exports of the `ClusterSet` rendered as standard Gateway API objects (DESIGN §4).

use crate::object::Object;
use crate::offer::PeerOffer;
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// Objects this cluster should have, sorted by kind, namespace and name, each with the label
/// `app.kubernetes.io/managed-by: mc-wan`; and what is wrong.
///
/// `peers` are the offers of the other clusters. The snapshot may hold objects that an earlier call rendered: allocated
/// ports are kept from them.
#[must_use]
pub fn render(snapshot: &ClusterSnapshot, peers: &[PeerOffer]) -> (Vec<Object>, Vec<Problem>) {
    let _ = (snapshot, peers);
    todo!("render")
}
