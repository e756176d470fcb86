//! `/debug/table` and `/debug/tunnels`.

use std::sync::Arc;

use mcwan_routing::spec::TableSpec;
use mcwan_telemetry::admin::{Pages, Reply};
use serde::Serialize;

use super::sampled::{SocketReport, Sockets};
use crate::live::LiveTable;
use crate::standalone::status::{Status, Wrongs};

/// `/debug/table`.
#[derive(Debug, Serialize)]
struct TablePage<'a> {
    generation: u64,
    sockets: Vec<SocketReport>,
    #[serde(flatten)]
    wrongs: &'a Wrongs,
    table: &'a TableSpec,
}

/// Adds the debug pages.
#[must_use]
pub fn pages(pages: Pages, live: &Arc<LiveTable>, sockets: &Sockets, status: &Status) -> Pages {
    let (table, sockets, status) = (Arc::clone(live), Arc::clone(sockets), status.clone());
    let tunnels = Arc::clone(live);
    pages
        .page("/debug/table", move |_| {
            let live = table.load();
            Reply::json(&TablePage {
                generation: live.generation,
                sockets: sockets(),
                wrongs: &status.wrongs(),
                table: live.table.spec(),
            })
        })
        .page("/debug/tunnels", move |_| {
            Reply::json(&tunnels.registry().tunnels())
        })
}
