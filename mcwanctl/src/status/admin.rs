//! Asks gateways for their tunnels, where they can be reached. Often they cannot, from a user's machine; nothing rests on it.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mcwan_gateway_api::gateways::Gateway;
use mcwan_k8s::names;
use mcwan_k8s::object::annotation;
use mcwan_k8s::snapshot::ClusterSnapshot;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::seen::{GatewaySeen, TunnelSeen};
use super::wan::addresses;

/// How long a gateway may take.
const GATEWAY: Duration = Duration::from_millis(1500);
/// Bytes of the answer of a gateway.
const PAGE: usize = 4 << 20;
/// Annotation of a Gateway: the admin addresses of its processes, `host:port`, comma separated.
const ADMIN_ANNOTATION: &str = "mc-wan.l7mp.io/admin";
/// The admin port of a process that is told none.
const ADMIN_PORT: u16 = 15090;

/// Asks the processes of all Gateways of our class that face the cluster: theirs are the tunnels.
pub(super) async fn gateways(snapshot: &ClusterSnapshot) -> Vec<GatewaySeen> {
    let all = snapshot.gateways.values();
    let egress = all.filter(|g| {
        g.spec.gateway_class_name == names::GATEWAY_CLASS
            && g.metadata.name.as_deref() != Some(names::INGRESS)
    });
    let asked = egress.flat_map(|gateway| {
        let admins = admin_addresses(gateway).into_iter();
        admins.map(|admin| ask(format!("{}/{}", namespace(gateway), name(gateway)), admin))
    });
    join_all(asked).await
}

fn namespace(gateway: &Gateway) -> &str {
    gateway.metadata.namespace.as_deref().unwrap_or_default()
}

fn name(gateway: &Gateway) -> &str {
    gateway.metadata.name.as_deref().unwrap_or_default()
}

async fn ask(gateway: String, admin: String) -> GatewaySeen {
    let tunnels = match timeout(GATEWAY, tunnels(&admin)).await {
        Ok(tunnels) => tunnels.map_err(|e| e.to_string()),
        Err(_elapsed) => Err(format!("no answer within {GATEWAY:?}")),
    };
    GatewaySeen {
        gateway,
        admin,
        tunnels,
    }
}

async fn tunnels(admin: &str) -> anyhow::Result<Vec<TunnelSeen>> {
    let stream = TcpStream::connect(admin).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get("/debug/tunnels").header(http::header::HOST, admin);
    let request = request.body(Empty::<bytes::Bytes>::new())?;
    let exchange = async move {
        let answer = sender.send_request(request).await?;
        anyhow::ensure!(
            answer.status() == http::StatusCode::OK,
            "it answered {}",
            answer.status()
        );
        let body = Limited::new(answer.into_body(), PAGE).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|e| anyhow::anyhow!(e))
    };
    // The exchange drops its sender when it is over, which ends the connection.
    let (body, _closed) = tokio::join!(exchange, connection);
    serde_json::from_slice(&body?).context("it answered something else")
}

/// The admin addresses of a Gateway's processes: those that its annotation names, else its own with the usual port.
fn admin_addresses(gateway: &Gateway) -> Vec<String> {
    if let Some(named) = annotation(gateway, ADMIN_ANNOTATION) {
        return named.split(',').map(|a| a.trim().to_owned()).collect();
    }
    let with_port = |address: String| match address.parse::<std::net::IpAddr>() {
        Ok(ip) => std::net::SocketAddr::new(ip, ADMIN_PORT).to_string(),
        Err(_) => format!("{address}:{ADMIN_PORT}"),
    };
    addresses(gateway).into_iter().map(with_port).collect()
}
