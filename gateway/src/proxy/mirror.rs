//! Copies of requests whose answers nobody waits for.

/// One copy under way.
#[derive(Debug)]
pub(super) struct Copy {}
