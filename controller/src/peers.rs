//! What is known of the peers.

use mcwan_k8s::object::Object;
use mcwan_k8s::offer::PeerOffer;
use mcwan_k8s::problem::Problem;
use mcwan_k8s::status::PeerFacts;

/// What is known of all peers at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// What is in force of each peer.
    pub offers: Vec<PeerOffer>,
    /// Last known copies, to be kept in the own cluster.
    pub copies: Vec<Object>,
    /// For the statuses of the `ClusterPeer`s.
    pub facts: Vec<PeerFacts>,
    /// What is wrong with peers, their credentials and their payloads.
    pub problems: Vec<Problem>,
}
