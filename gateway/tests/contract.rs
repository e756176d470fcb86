//! The contract of standalone mode (DESIGN §10), held by real processes: the seed's objects in, requests through the
//! right tunnel, files that change and break, signals. Nothing here looks inside the gateway.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of #[test] functions: a surprise ends the test"
)]

#[path = "contract/world.rs"]
mod world;

#[path = "contract/arguments.rs"]
mod arguments;
#[path = "contract/files.rs"]
mod files;
#[path = "contract/limits.rs"]
mod limits;
#[path = "contract/pages.rs"]
mod pages;
#[path = "contract/stories.rs"]
mod stories;
