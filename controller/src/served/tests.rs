use std::sync::atomic::{AtomicU64, Ordering};

use mcwan_telemetry::admin::{self, Pages, Reply};
use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::Readiness;
use tokio::task::JoinSet;

use super::*;

/// A gateway that says it serves table 1, 2, 3 …, one more each time it is asked.
async fn gateway(name: &'static str, tasks: &mut JoinSet<()>) -> (Awaited, Arc<AtomicU64>) {
    let listener = admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let pages = Pages::new(Metrics::new("test", "0").unwrap(), Readiness::default());
    let pages = pages.page("/debug/served", move |_| {
        Reply::json(&Served {
            namespace: "mc-wan".to_owned(),
            name: name.to_owned(),
            table: counter.fetch_add(1, Ordering::Relaxed) + 1,
            ..Served::default()
        })
    });
    tasks.spawn(admin::serve(listener, pages, std::future::pending()));
    let awaited = Awaited {
        gateway: ("mc-wan".to_owned(), name.to_owned()),
        addresses: vec![address],
    };
    (awaited, asked)
}

fn start(
    tasks: &mut JoinSet<()>,
) -> (
    watch::Sender<Vec<Awaited>>,
    watch::Receiver<Arc<Vec<Served>>>,
) {
    let (awaited, whom) = watch::channel(Vec::new());
    let (sender, served) = watch::channel(Arc::default());
    tasks.spawn(ask(whom, sender, CancellationToken::new()));
    (awaited, served)
}

#[tokio::test]
async fn answers_are_asked_for_again_until_nobody_waits() {
    let mut tasks = JoinSet::new();
    let (one, asked) = gateway("egress", &mut tasks).await;
    let (awaited, mut served) = start(&mut tasks);
    awaited.send_replace(vec![one]);
    let third = served
        .wait_for(|all| all.first().is_some_and(|s| s.table >= 3))
        .await;
    assert_eq!(third.unwrap().len(), 1);
    awaited.send_replace(Vec::new());
    // A request in flight may still come.
    sleep(Duration::from_millis(300)).await;
    let before = asked.load(Ordering::Relaxed);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(asked.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn answers_of_others_stay_and_an_answer_for_another_gateway_does_not_count() {
    let mut tasks = JoinSet::new();
    let (egress, _) = gateway("egress", &mut tasks).await;
    let (mut ingress, _) = gateway("ingress", &mut tasks).await;
    let (awaited, mut served) = start(&mut tasks);
    awaited.send_replace(vec![egress.clone()]);
    served.wait_for(|all| all.len() == 1).await.unwrap();
    awaited.send_replace(vec![ingress.clone()]);
    served.wait_for(|all| all.len() == 2).await.unwrap();
    ingress.addresses = egress.addresses;
    awaited.send_replace(vec![ingress]);
    let left = served.wait_for(|all| all.len() == 1).await.unwrap();
    assert_eq!(left[0].name, "egress");
}

#[tokio::test]
async fn nobody_there_is_no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert!(fetch::served(&address).await.is_err());
}
