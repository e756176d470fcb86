//! A directory of manifests instead of an API server (DESIGN §10).
