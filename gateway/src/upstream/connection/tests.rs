use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinSet;

use super::*;

/// Everything in memory and in virtual time.
struct World {
    connection: Arc<Connection>,
    end: tokio::sync::oneshot::Receiver<End>,
    notes: Arc<Notes>,
    cut: tokio::sync::watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Notes {
    answers: AtomicUsize,
    aged: AtomicUsize,
    idle: AtomicUsize,
    close_idle: bool,
}

impl Watcher for Arc<Notes> {
    fn answered(&self, _connection: &Arc<Connection>) {
        self.answers.fetch_add(1, Ordering::SeqCst);
    }

    fn aged(&self, connection: &Arc<Connection>) {
        self.aged.fetch_add(1, Ordering::SeqCst);
        connection.retire();
    }

    fn idle(&self, _connection: &Arc<Connection>) -> bool {
        self.idle.fetch_add(1, Ordering::SeqCst);
        self.close_idle
    }
}

const RULES: WatchRules = WatchRules {
    ping_interval: Duration::from_millis(250),
    ping_timeout: Duration::from_millis(750),
    max_age: Duration::from_secs(600),
    drain: Duration::from_secs(300),
    idle: Duration::from_secs(3600),
};

/// One direction of a path with a delay that varies, and that can vanish.
async fn carry(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    delay: Duration,
    mut cut: tokio::sync::watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        tokio::time::sleep(delay.mul_f64(1.0 + fastrand::f64())).await;
        if cut.wait_for(|cut| !cut).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

async fn world(rules: WatchRules, delay: Duration, close_idle: bool) -> World {
    let (near, relay_near) = tokio::io::duplex(1 << 20);
    let (relay_far, far) = tokio::io::duplex(1 << 20);
    let cut = tokio::sync::watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    let ((near_read, near_write), (far_read, far_write)) =
        (tokio::io::split(relay_near), tokio::io::split(relay_far));
    tasks.spawn(carry(near_read, far_write, delay, cut.subscribe()));
    tasks.spawn(carry(far_read, near_write, delay, cut.subscribe()));
    tasks.spawn(async move {
        let mut server = h2::server::handshake(far).await.unwrap();
        // Requests are held, and never answered.
        let mut held = Vec::new();
        while let Some(Ok(request)) = server.accept().await {
            held.push(request);
        }
    });
    let origin = Origin {
        life: Arc::new(Life::new()),
        fd: -1,
        digest: Digest::default(),
    };
    let opened = open(near, origin).await.unwrap();
    let connection = Arc::clone(&opened.connection);
    let notes = Arc::new(Notes {
        close_idle,
        ..Notes::default()
    });
    let (done, end) = tokio::sync::oneshot::channel();
    let watcher = Arc::clone(&notes);
    tasks.spawn(async move {
        let end = opened.run(rules, watcher, CancellationToken::new()).await;
        done.send(end).ok();
    });
    World {
        connection,
        end,
        notes,
        cut,
        _tasks: tasks,
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_slow_path_is_never_given_up() {
    let mut world = world(RULES, Duration::from_millis(40), false).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(world.end.try_recv().is_err(), "still open");
    assert!(world.notes.answers.load(Ordering::SeqCst) > 300);
    let rtt = world.connection.rtt().unwrap();
    assert!(
        rtt >= Duration::from_millis(80) && rtt < Duration::from_millis(400),
        "{rtt:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_very_slow_path_gets_more_time() {
    let mut slow = RULES;
    slow.ping_timeout = Duration::from_millis(300);
    let mut world = world(slow, Duration::from_millis(300), false).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.end.try_recv().is_err(), "still open");
}

#[tokio::test(start_paused = true)]
async fn a_cut_path_is_noticed_within_a_second_and_all_streams_fail() {
    let world = world(RULES, Duration::from_millis(5), false).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut responses = Vec::new();
    for _ in 0..4 {
        let request = http::Request::get("http://a/").body(()).unwrap();
        let (response, _) = world
            .connection
            .sender()
            .send_request(request, true)
            .unwrap();
        responses.push(response);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let cut_at = Instant::now();
    world.cut.send_replace(true);
    for response in responses {
        let error = response.await.unwrap_err();
        assert!(error.is_io(), "{error}");
        assert!(
            cut_at.elapsed() <= Duration::from_millis(1050),
            "{:?}",
            cut_at.elapsed()
        );
    }
    assert_eq!(world.end.await.unwrap(), End::NoPong);
    assert_eq!(world.connection.end(), Some(&End::NoPong));
    assert!(world.connection.is_retired());
}

#[tokio::test(start_paused = true)]
async fn other_bytes_from_the_peer_put_the_verdict_off() {
    let world = world(RULES, Duration::from_millis(5), false).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.cut.send_replace(true);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.connection.life.sign();
    }
    assert!(
        world.connection.end().is_none(),
        "a body keeps the connection"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.connection.end(), Some(&End::NoPong));
}

#[tokio::test(start_paused = true)]
async fn age_comes_once_and_within_a_tenth() {
    let world = world(RULES, Duration::from_millis(1), false).await;
    tokio::time::sleep(Duration::from_secs(539)).await;
    assert_eq!(world.notes.aged.load(Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_secs(123)).await;
    assert_eq!(world.notes.aged.load(Ordering::SeqCst), 1);
    assert!(world.connection.is_aged());
}

#[tokio::test(start_paused = true)]
async fn a_retired_connection_lasts_as_long_as_its_drain_at_most() {
    let world = world(RULES, Duration::from_millis(1), false).await;
    let request = http::Request::get("http://a/").body(()).unwrap();
    let (response, _) = world
        .connection
        .sender()
        .send_request(request, true)
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.connection.retire();
    let start = Instant::now();
    assert!(response.await.is_err());
    let lasted = start.elapsed();
    assert!(
        lasted >= RULES.drain && lasted < RULES.drain + Duration::from_secs(2),
        "{lasted:?}"
    );
    assert_eq!(world.end.await.unwrap(), End::DrainOver);
}

#[tokio::test(start_paused = true)]
async fn a_connection_closes_in_order_when_nobody_holds_it() {
    let world = world(RULES, Duration::from_millis(1), false).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let World {
        connection,
        end,
        _tasks,
        ..
    } = world;
    drop(connection);
    assert_eq!(end.await.unwrap(), End::Closed);
}

#[tokio::test(start_paused = true)]
async fn idleness_counts_from_the_last_request() {
    let mut rules = RULES;
    rules.idle = Duration::from_secs(10);
    let world = world(rules, Duration::from_millis(1), true).await;
    world.connection.begin_request();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.notes.idle.load(Ordering::SeqCst), 0);
    world.connection.end_request();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(world.notes.idle.load(Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.notes.idle.load(Ordering::SeqCst) > 0);
    assert!(world.connection.is_retired());
}
