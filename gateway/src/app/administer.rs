//! An admin server that follows its Gateway from address to address.

use std::net::SocketAddr;
use std::time::Duration;

use mcwan_telemetry::admin::{self, Pages};
use tokio::sync::watch;

use crate::cluster::bind::Home;

/// An address that cannot be bound (yet) is tried again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// Serves `pages` wherever the Gateway is. Ends when nobody tells that any more.
pub(super) async fn administer(mut home: watch::Receiver<Home>, pages: Pages) {
    loop {
        let address = home.borrow_and_update().admin();
        let serving = async {
            match address {
                Some(address) => serve(address, pages.clone()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serving => {}
            changed = home.changed() => if changed.is_err() { return },
        }
    }
}

async fn serve(address: SocketAddr, pages: Pages) {
    let mut told = false;
    loop {
        match admin::bind(address).await {
            Ok(listener) => {
                tracing::info!("admin pages are on {address}");
                admin::serve(listener, pages, std::future::pending()).await;
                return;
            }
            Err(e) if !told => {
                tracing::warn!("{e}; it is tried again every second");
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}
