use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

async fn server(pages: Pages) -> Server {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, pages, async {
        stopped.await.ok();
    }));
    Server {
        address,
        stop,
        tasks,
    }
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, target: &str) -> String {
    ask(
        address,
        &format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
    )
    .await
}

fn pages(readiness: &Readiness) -> Pages {
    Pages::new(Metrics::new("mcwan-test", "0").unwrap(), readiness.clone())
        .page("/debug/echo", |query| Reply::json(&query))
        .page("/debug/panics", |_| panic!("on purpose"))
}

#[tokio::test]
async fn pages_are_served_and_an_unknown_one_lists_them() {
    let server = server(pages(&Readiness::default())).await;
    let health = get(server.address, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let metrics = get(server.address, "/metrics").await;
    assert!(metrics.contains("mcwan_build_info"), "{metrics}");
    let echo = get(server.address, "/debug/echo?a=%22b").await;
    assert!(
        echo.contains("application/json") && echo.ends_with(r#""a=%22b""#),
        "{echo}"
    );
    let missing = get(server.address, "/debug/nothing").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert!(
        missing.contains("/debug/echo\n/debug/panics\n/healthz\n/metrics\n/readyz\n"),
        "{missing}"
    );
}

#[tokio::test]
async fn readyz_follows_the_conditions() {
    let readiness = Readiness::default();
    let table = readiness.condition("table");
    let server = server(pages(&readiness)).await;
    assert!(
        get(server.address, "/readyz")
            .await
            .starts_with("HTTP/1.1 503")
    );
    table.set(true, "generation 1");
    assert!(
        get(server.address, "/readyz")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let verbose = get(server.address, "/readyz?verbose").await;
    assert!(
        verbose.ends_with("[+] table: generation 1\nready\n"),
        "{verbose}"
    );
}

#[tokio::test]
async fn other_methods_are_refused() {
    let server = server(pages(&Readiness::default())).await;
    let answer = ask(
        server.address,
        "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn a_page_that_panics_harms_nobody() {
    let server = server(pages(&Readiness::default())).await;
    assert!(
        get(server.address, "/debug/panics")
            .await
            .starts_with("HTTP/1.1 500")
    );
    assert!(
        get(server.address, "/healthz")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_header_beyond_the_limit_is_refused() {
    let server = server(pages(&Readiness::default())).await;
    let large = "x".repeat(4 * MAX_HEADER);
    let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {large}\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may close before all of it is written.
    stream.write_all(request.as_bytes()).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_taken_address_is_reported_with_what_to_do() {
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let error = bind(taken.local_addr().unwrap())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("choose another with --admin"), "{error}");
}

#[tokio::test]
async fn stopping_ends_the_server() {
    let mut server = server(pages(&Readiness::default())).await;
    server.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), server.tasks.join_next()).await;
    assert!(ended.unwrap().unwrap().is_ok());
    assert!(TcpStream::connect(server.address).await.is_err());
}
