//! Objects of an API server as a [`ClusterSnapshot`](mcwan_k8s::snapshot::ClusterSnapshot) that a failing watch never empties.
