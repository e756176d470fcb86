//! A small HTTP/2 client with prior knowledge.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One connection.
pub(crate) struct Http2 {
    send: SendRequest<Bytes>,
    _connection: JoinSet<()>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2 {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let tcp = TcpStream::connect(to).await.unwrap();
        let (send, connection) = h2::client::handshake(tcp).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _goaway = connection.await;
        });
        Self {
            send,
            _connection: tasks,
        }
    }

    /// One request. Panics on anything but a whole answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.try_send(method, uri, headers, body).await.unwrap()
    }

    /// One request.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, h2::Error> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) =
            send.send_request(request.body(()).unwrap(), body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body), true)?;
        }
        let response = response.await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut stream = response.into_body();
        let mut all = BytesMut::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            stream.flow_control().release_capacity(data.len())?;
            all.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await?;
        Ok(Answer {
            status,
            headers,
            body: all.to_vec(),
            trailers,
        })
    }
}
