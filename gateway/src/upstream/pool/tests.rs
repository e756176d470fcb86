use std::sync::atomic::Ordering;

use mcwan_lab::relay::{Relay, RelayConfig};

use super::*;
use crate::upstream::testing::{Server, begin, finish, get, pool, rules, until};

fn warm(min: usize) -> PoolRules {
    PoolRules { min, ..rules() }
}

#[tokio::test]
async fn a_cold_burst_shares_one_connection() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, rules());
    let burst = (0..32).map(|_| get(&pool, "/slow"));
    for answer in futures::future::join_all(burst).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(server.connections(), 1);
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn a_peer_with_few_streams_gets_more_connections_and_never_more_streams() {
    let server = Server::start(4).await;
    let (pool, _notes, tasks) = pool(server.address, rules());
    let burst = (0..32).map(|_| get(&pool, "/slow"));
    for answer in futures::future::join_all(burst).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert!(server.connections() > 1);
    assert!(server.connections() <= 4, "{}", server.connections());
    assert!(server.seen.most.load(Ordering::SeqCst) <= 16);
    tasks.stop().await;
}

#[tokio::test]
async fn requests_go_to_the_least_loaded_connection() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, warm(2));
    assert!(pool.keep_warm());
    until("two connections", || pool.open_connections() == 2).await;
    let tickets: Vec<Ticket> = (0..20).map(|_| pool.try_acquire().unwrap()).collect();
    let loads: Vec<usize> = pool
        .state
        .lock()
        .connections
        .iter()
        .map(|c| c.in_flight())
        .collect();
    assert_eq!(loads, [10, 10]);
    drop(tickets);
    let loads: Vec<usize> = pool
        .state
        .lock()
        .connections
        .iter()
        .map(|c| c.in_flight())
        .collect();
    assert_eq!(loads, [0, 0]);
    tasks.stop().await;
}

#[tokio::test]
async fn everybody_who_waits_gets_the_error_of_the_one_dial() {
    let server = Server::start(200).await;
    let address = server.address;
    drop(server);
    let (pool, notes, tasks) = pool(address, rules());
    let burst = (0..16).map(|_| get(&pool, "/"));
    for answer in futures::future::join_all(burst).await {
        let error = answer.unwrap_err();
        assert_eq!(error.etype(), &ErrorType::ConnectRefused);
        assert!(error.retry(), "nothing was sent");
    }
    assert_eq!(notes.failures.lock().as_slice(), ["connection refused"]);
    tasks.stop().await;
}

#[tokio::test]
async fn a_request_that_gives_up_does_not_take_the_dial_along() {
    let server = Server::start(200).await;
    server.frozen.send_replace(true);
    let (pool, _notes, tasks) = pool(server.address, rules());
    let impatient = tokio::time::timeout(Duration::from_millis(30), pool.acquire()).await;
    assert!(impatient.is_err());
    server.frozen.send_replace(false);
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    tasks.stop().await;
}

#[tokio::test]
async fn too_many_waiters_are_refused_at_once() {
    let server = Server::start(200).await;
    server.frozen.send_replace(true);
    let (pool, _notes, tasks) = pool(server.address, rules());
    pool.waiters.store(MAX_WAITERS, Ordering::SeqCst);
    let error = pool.acquire().await.unwrap_err();
    assert!(error.retry());
    assert_eq!(pool.waiters.load(Ordering::SeqCst), MAX_WAITERS);
    tasks.stop().await;
}

#[tokio::test]
async fn a_frozen_peer_fails_all_its_requests_at_once_and_is_reported_once() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, rules());
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(begin(&pool, "/never").await.unwrap());
    }
    until("requests arrived", || {
        server.seen.requests.load(Ordering::SeqCst) == 8
    })
    .await;
    server.frozen.send_replace(true);
    let failed = sessions.iter_mut().map(|session| async {
        let error = finish(session).await.unwrap_err();
        assert_eq!(error.etype(), &ErrorType::ConnectionClosed);
        assert_eq!(error.retry, pingora_error::RetryType::ReusedOnly);
        assert!(error.to_string().contains("no answer to PING"), "{error}");
        Instant::now()
    });
    let failed = tokio::time::timeout(Duration::from_secs(10), futures::future::join_all(failed));
    let times = failed.await.expect("the connection was given up");
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*last - *first < Duration::from_secs(1));
    until("reported", || !notes.failures.lock().is_empty()).await;
    assert_eq!(notes.failures.lock().as_slice(), ["no answer to PING"]);
    assert_eq!(pool.open_connections(), 0);
    tasks.stop().await;
}

#[tokio::test]
async fn one_bad_connection_does_not_speak_against_the_path() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, warm(2));
    pool.keep_warm();
    until("two connections", || pool.open_connections() == 2).await;
    pool.path_failed("one of two");
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn a_warm_pool_comes_back_by_itself() {
    let server = Server::start(200).await;
    let address = server.address;
    let (pool, notes, tasks) = pool(address, warm(1));
    pool.keep_warm();
    until("connected", || pool.open_connections() == 1).await;
    drop(server);
    until("noticed", || pool.open_connections() == 0).await;
    until("redials fail", || notes.failures.lock().len() >= 2).await;
    let server = Server::bind(address, 200).await;
    until("connected again", || pool.open_connections() == 1).await;
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    assert_eq!(server.connections(), 1);
    tasks.stop().await;
}

#[tokio::test]
async fn an_aged_connection_is_replaced_before_it_goes_and_ends_its_requests() {
    let server = Server::start(200).await;
    let mut rules = warm(1);
    rules.watch.max_age = Duration::from_millis(400);
    let (pool, notes, tasks) = pool(server.address, rules);
    pool.keep_warm();
    until("connected", || pool.open_connections() == 1).await;
    let mut old = begin(&pool, "/slow").await.unwrap();
    let first = pool.state.lock().connections[0].id;
    until("replaced", || {
        let state = pool.state.lock();
        assert!(!state.connections.is_empty(), "make before break");
        state.connections.iter().all(|c| c.id != first)
    })
    .await;
    assert_eq!(finish(&mut old).await.unwrap().status, 200);
    drop(old);
    until("the old one closes", || {
        server.seen.ended.load(Ordering::SeqCst) >= 1
    })
    .await;
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn an_unused_connection_closes_unless_it_is_kept_warm() {
    let server = Server::start(200).await;
    let mut rules = warm(1);
    rules.watch.idle = Duration::from_millis(200);
    let (cold, _notes, tasks) = pool(server.address, rules);
    assert_eq!(get(&cold, "/").await.unwrap().status, 200);
    until("closed", || server.open() == 0).await;
    cold.keep_warm();
    until("connected", || server.open() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.open(), 1);
    assert_eq!(server.connections(), 2);
    tasks.stop().await;
}

#[tokio::test]
async fn a_pool_let_go_closes_after_its_last_request() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, warm(1));
    pool.keep_warm();
    until("connected", || pool.open_connections() == 1).await;
    let mut session = begin(&pool, "/slow").await.unwrap();
    pool.let_go();
    assert_eq!(pool.open_connections(), 0);
    assert_eq!(finish(&mut session).await.unwrap().status, 200);
    drop(session);
    until("closed", || server.open() == 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.connections(), 1, "nobody dials again");
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn goaway_ends_a_connection_in_order() {
    let server = Server::start(200).await;
    let (pool, notes, tasks) = pool(server.address, rules());
    let mut slow = begin(&pool, "/slow").await.unwrap();
    assert_eq!(get(&pool, "/goaway").await.unwrap().status, 200);
    for _ in 0..4 {
        assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    }
    assert_eq!(finish(&mut slow).await.unwrap().status, 200);
    assert_eq!(server.connections(), 2);
    assert!(notes.failures.lock().is_empty());
    tasks.stop().await;
}

#[tokio::test]
async fn stopping_ends_every_task() {
    let server = Server::start(200).await;
    let (pool, _notes, tasks) = pool(server.address, warm(2));
    pool.keep_warm();
    until("connected", || pool.open_connections() == 2).await;
    tokio::time::timeout(Duration::from_secs(5), tasks.stop())
        .await
        .expect("all tasks end");
    until("closed", || server.open() == 0).await;
    let error = tokio::time::timeout(Duration::from_secs(5), pool.acquire())
        .await
        .expect("at once");
    assert!(error.is_err());
}

#[tokio::test]
async fn what_was_given_up_on_a_cut_path_is_not_executed_after_its_repair() {
    let server = Server::start(200).await;
    let far = Duration::from_millis(20);
    let relay = Relay::start(RelayConfig::to(server.address).delay(far))
        .await
        .unwrap();
    let (pool, notes, tasks) = pool(relay.address(), warm(1));
    pool.keep_warm();
    until("connected", || pool.open_connections() == 1).await;
    assert!(pool.rtt().unwrap() >= far * 2);
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);

    relay.cut();
    let lost = (0..8).map(|_| get(&pool, "/"));
    for answer in futures::future::join_all(lost).await {
        assert_eq!(answer.unwrap_err().etype(), &ErrorType::ConnectionClosed);
    }
    until("reported", || !notes.failures.lock().is_empty()).await;
    // The relay must get to see the reset: it runs in this thread too.
    tokio::time::sleep(Duration::from_millis(100)).await;
    relay.restore();
    until("connected again", || pool.open_connections() == 1).await;
    assert_eq!(get(&pool, "/").await.unwrap().status, 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.seen.requests.load(Ordering::SeqCst), 2);
    tasks.stop().await;
}

#[tokio::test]
async fn those_who_wait_for_a_stream_go_elsewhere_as_soon_as_the_path_is_known_to_be_down() {
    let server = Server::start(200).await;
    let relay = Relay::start(RelayConfig::to(server.address)).await.unwrap();
    let mut rules = warm(1);
    rules.max_streams = 2;
    rules.watch.ping_timeout = Duration::from_millis(500);
    let (pool, notes, tasks) = pool(relay.address(), rules);
    pool.keep_warm();
    until("connected", || pool.open_connections() == 1).await;
    relay.cut();
    let held = [pool.try_acquire().unwrap(), pool.try_acquire().unwrap()];
    assert!(pool.try_acquire().is_none());
    let waiting = (0..8).map(|_| pool.acquire());
    let limit = pool.dial.timeout;
    let refused = tokio::time::timeout(
        limit - Duration::from_secs(1),
        futures::future::join_all(waiting),
    )
    .await
    .expect("nobody waits for the dial into the dark");
    for result in refused {
        let error = result.unwrap_err();
        assert!(error.retry(), "nothing was sent");
        assert!(error.to_string().contains("the path is down"), "{error}");
    }
    assert_eq!(notes.failures.lock().as_slice(), ["no answer to PING"]);
    drop(held);
    tasks.stop().await;
}
