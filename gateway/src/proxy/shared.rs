//! The one `HttpProxy` that all listeners share, with our own upstream connector in it.
//!
//! Its constructor with a custom connector is private; what is public makes a Pingora service around it. That service
//! hands `Arc<HttpProxy>` to a callback for each stream that it is told to treat as foreign: one connection on a
//! throw-away loopback socket is enough. The socket is bound here, so that its port is known without a race, and given
//! to the service through its table of inherited sockets.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use pingora_core::apps::HttpServerOptions;
use pingora_core::protocols::Stream;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{Fds, ShutdownWatch};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use pingora_proxy::{HttpProxy, ProxyServiceBuilder};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::Edge;
use crate::upstream::connector::UpstreamConnector;

/// The proxy: our filters over our connector.
pub type Proxy = HttpProxy<Edge, UpstreamConnector>;

/// The proxy must be there after this long; it takes a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Builds the proxy.
///
/// # Errors
/// When no loopback socket can be had.
pub async fn build(
    conf: &Arc<ServerConf>,
    edge: Edge,
    connector: UpstreamConnector,
) -> anyhow::Result<Arc<Proxy>> {
    let (send, receive) = oneshot::channel();
    let mut service = service(conf, edge, connector, send);
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .context("no socket on the loopback interface")?;
    let address = socket.local_addr()?;
    socket.set_nonblocking(true)?;
    service.add_tcp(&address.to_string());
    let mut inherited = Fds::new();
    inherited.add(address.to_string(), socket.into_raw_fd());

    let stop = watch::Sender::new(false);
    let run = service.start_service(Some(Arc::new(Mutex::new(inherited))), stop.subscribe(), 1);
    let captured = async {
        let _connection = TcpStream::connect(address).await?;
        receive.await.context("the proxy service ended early")
    };
    // The service must not get to its own end: that would tell the proxy that the process stops.
    let proxy = tokio::select! {
        captured = tokio::time::timeout(PATIENCE, captured) => captured,
        () = run => Ok(Err(anyhow::anyhow!("the proxy service ended early"))),
    };
    stop.send_replace(true);
    proxy.context("the proxy service does not answer")?
}

fn service(
    conf: &Arc<ServerConf>,
    edge: Edge,
    connector: UpstreamConnector,
    capture: oneshot::Sender<Arc<Proxy>>,
) -> Service<Proxy> {
    let capture = Mutex::new(Some(capture));
    let on_custom = Arc::new(
        move |proxy: Arc<Proxy>, _stream: Stream, _stop: &ShutdownWatch| {
            if let Some(capture) = capture.lock().take() {
                let _no_one_waits = capture.send(proxy);
            }
            let done: futures::future::BoxFuture<'static, Option<Stream>> =
                Box::pin(async { None });
            done
        },
    );
    let mut options = HttpServerOptions::default();
    options.force_custom = true;
    ProxyServiceBuilder::new(conf, edge)
        .name("capture")
        .custom(connector, on_custom)
        .server_options(options)
        .build()
}
