//! The operator: watches, exchanges, applies and reports around the pure functions of `mcwan-k8s`.
