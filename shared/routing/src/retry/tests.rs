use std::time::Duration;

use http::Method;
use proptest::prelude::*;

use super::{
    Attempted, Cause, MAX_ATTEMPTS, Next, RetryBudget, is_idempotent, is_safe, next, pause,
};
use crate::rule::Retry;

fn retry(codes: &[u16], attempts: u32) -> Retry {
    Retry {
        codes: codes.to_vec(),
        attempts,
        backoff: None,
    }
}

/// A first attempt of a GET, with another candidate left.
fn get(cause: Cause) -> Attempted<'static> {
    Attempted {
        cause,
        idempotent: true,
        retry: None,
        attempts: 1,
        candidate_left: true,
        response_begun: false,
        replayable: true,
    }
}

fn post(cause: Cause) -> Attempted<'static> {
    Attempted {
        idempotent: false,
        ..get(cause)
    }
}

fn last<'a>(attempted: Attempted<'a>) -> Attempted<'a> {
    Attempted {
        candidate_left: false,
        ..attempted
    }
}

#[test]
fn what_was_not_sent_goes_on_whatever_it_is() {
    assert_eq!(next(&get(Cause::NotSent)), Next::NextCandidate);
    assert_eq!(next(&post(Cause::NotSent)), Next::NextCandidate);
    assert_eq!(next(&last(post(Cause::NotSent))), Next::RetrySame);
}

#[test]
fn what_was_sent_goes_on_only_if_idempotent() {
    for cause in [Cause::Broken, Cause::Timeout] {
        assert_eq!(next(&get(cause)), Next::NextCandidate, "{cause:?}");
        assert_eq!(next(&post(cause)), Next::GiveUp, "{cause:?}");
    }
    assert_eq!(next(&last(get(Cause::Broken))), Next::RetrySame);
    assert_eq!(next(&last(get(Cause::Timeout))), Next::GiveUp);
}

#[test]
fn a_route_that_names_the_status_has_even_a_post_repeated() {
    let named = retry(&[502, 504], 2);
    for cause in [Cause::Broken, Cause::Timeout, Cause::Status(502)] {
        let attempted = Attempted {
            retry: Some(&named),
            ..post(cause)
        };
        assert_eq!(next(&attempted), Next::NextCandidate, "{cause:?}");
        assert_eq!(next(&last(attempted)), Next::RetrySame, "{cause:?}");
    }
    let other = retry(&[503], 2);
    let attempted = Attempted {
        retry: Some(&other),
        ..post(Cause::Broken)
    };
    assert_eq!(next(&attempted), Next::GiveUp);
}

/// `HTTPRouteRetry`: codes [500], three retries.
#[test]
fn attempts_of_a_route_count_retries() {
    let three = retry(&[500], 3);
    let status = |code, attempts| {
        next(&last(Attempted {
            retry: Some(&three),
            attempts,
            ..get(Cause::Status(code))
        }))
    };
    for attempts in 1..=3 {
        assert_eq!(status(500, attempts), Next::RetrySame);
    }
    assert_eq!(status(500, 4), Next::GiveUp);
    assert_eq!(status(503, 1), Next::GiveUp);
    assert_eq!(
        next(&get(Cause::Status(503))),
        Next::GiveUp,
        "without a route's wish a status is the answer"
    );
}

/// `HTTPRouteRetryConnectionError`: no codes needed.
#[test]
fn a_reset_is_retried_without_codes_as_often_as_the_route_says() {
    for (attempts, want) in [(1, Next::RetrySame), (2, Next::GiveUp)] {
        let once = retry(&[], 1);
        let attempted = Attempted {
            retry: Some(&once),
            attempts,
            ..get(Cause::Broken)
        };
        assert_eq!(next(&last(attempted)), want);
    }
}

/// `HTTPRouteRetryWithBackendRequestTimeout`.
#[test]
fn an_attempts_time_out_is_retried_when_the_route_wants_retries() {
    let two = retry(&[], 2);
    let attempted = Attempted {
        retry: Some(&two),
        ..get(Cause::Timeout)
    };
    assert_eq!(next(&last(attempted)), Next::RetrySame);
}

#[test]
fn zero_attempts_forbid_retries_but_not_failover_of_the_unsent() {
    let never = retry(&[500, 502], 0);
    let attempted = |cause| Attempted {
        retry: Some(&never),
        ..get(cause)
    };
    assert_eq!(next(&last(attempted(Cause::NotSent))), Next::GiveUp);
    assert_eq!(next(&attempted(Cause::NotSent)), Next::NextCandidate);
    assert_eq!(next(&attempted(Cause::Status(500))), Next::GiveUp);
}

fn causes() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::NotSent),
        Just(Cause::Broken),
        Just(Cause::Timeout),
        (400..600_u16).prop_map(Cause::Status),
    ]
}

proptest! {
    #[test]
    fn the_forbidden_never_happens(
        cause in causes(),
        codes in proptest::collection::vec(400..600_u16, 0..4),
        allowed in 0..30_u32,
        flags in any::<(bool, bool, bool, bool, bool)>(),
        attempts in 1..40_u32,
    ) {
        let (idempotent, wants, candidate_left, response_begun, replayable) = flags;
        let wish = retry(&codes, allowed);
        let retry = wants.then_some(&wish);
        let attempted = Attempted { cause, idempotent, retry, attempts, candidate_left, response_begun, replayable };
        let next = next(&attempted);
        if response_begun || !replayable || attempts >= MAX_ATTEMPTS {
            prop_assert_eq!(next, Next::GiveUp);
        }
        if next == Next::NextCandidate {
            prop_assert!(candidate_left);
        }
        if next == Next::RetrySame {
            prop_assert!(!wants || attempts <= allowed);
        }
        if next != Next::GiveUp && !idempotent && codes.is_empty() {
            prop_assert_eq!(cause, Cause::NotSent);
        }
    }

    #[test]
    fn a_pause_is_bounded_and_never_shorter_than_the_route_says(
        backoff in proptest::option::of(0..5_000_u64),
        retries in 0..50_u32,
        fraction in 0..=100_u64,
    ) {
        let wish = Retry { backoff: backoff.map(Duration::from_millis), ..retry(&[], 3) };
        let mut draw = |n: u64| { assert!(n > 0); (n - 1) * fraction / 100 };
        let pause = pause(Some(&wish), retries, &mut draw);
        match wish.backoff {
            Some(base) => prop_assert!(pause >= base && pause <= base * 15),
            None => prop_assert!(pause <= Duration::from_millis(250)),
        }
    }
}

#[test]
fn the_first_retry_is_at_once_and_later_ones_wait_longer() {
    let mut most = |n: u64| n - 1;
    let ms: Vec<u128> = (0..7)
        .map(|n| pause(None, n, &mut most).as_millis())
        .collect();
    assert_eq!(ms, [0, 25, 50, 100, 200, 250, 250]);
    let wish = Retry {
        backoff: Some(Duration::from_millis(100)),
        ..retry(&[], 3)
    };
    let mut least = |_: u64| 0;
    let ms: Vec<u128> = (0..6)
        .map(|n| pause(Some(&wish), n, &mut least).as_millis())
        .collect();
    assert_eq!(ms, [100, 200, 400, 800, 1000, 1000]);
}

#[test]
fn the_budget_is_a_share_with_a_floor() {
    let budget = RetryBudget::default();
    for (requests, retries, want) in [
        (1, 0, true),
        (1, 2, true),
        (1, 3, false),
        (100, 19, true),
        (100, 20, false),
    ] {
        assert_eq!(
            budget.allows(requests, retries),
            want,
            "{requests} {retries}"
        );
    }
    assert!(budget.allows(usize::MAX, 1_000_000));
}

#[test]
fn methods_are_safe_and_idempotent_as_rfc_9110_says() {
    for (method, safe, idempotent) in [
        (Method::GET, true, true),
        (Method::HEAD, true, true),
        (Method::OPTIONS, true, true),
        (Method::TRACE, true, true),
        (Method::PUT, false, true),
        (Method::DELETE, false, true),
        (Method::POST, false, false),
        (Method::PATCH, false, false),
        (Method::CONNECT, false, false),
    ] {
        assert_eq!(
            (is_safe(&method), is_idempotent(&method)),
            (safe, idempotent),
            "{method}"
        );
    }
}
