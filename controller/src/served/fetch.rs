//! One answer of one gateway.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mcwan_k8s::served::Served;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Longest answer: far more than a gateway with ten thousand routes has to say.
const MOST: usize = 16 << 20;

/// What the gateway whose admin server is at `address` (`host:port`) serves.
///
/// # Errors
/// When it does not answer within a second, or with something else.
pub(super) async fn served(address: &str) -> anyhow::Result<Served> {
    timeout(ANSWER, get(address))
        .await
        .context("no answer within a second")?
}

async fn get(address: &str) -> anyhow::Result<Served> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/debug/served")
        .header(header::HOST, address)
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        ensure!(status == StatusCode::OK, "it answers {status}");
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let body = body.map_err(|e| anyhow::anyhow!("the answer is cut short: {e}"))?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The end of the connection may come with the last byte of the answer, which is then still to be read.
        ended = connection => {
            ended?;
            answer.await
        }
    }
}
