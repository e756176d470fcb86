use proptest::prelude::*;

use super::{Candidate, Plan, plan};
use crate::failure::Failure;
use crate::health::Health;
use crate::rule::{Choice, Filters, Forward, Target, Tier};
use crate::spec::BackendName;

/// A seeded generator (xorshift64*), good enough for shares.
fn seeded(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |n| {
        assert!(n > 0, "nothing to draw from");
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % n
    }
}

fn choice(weight: u32) -> Choice {
    Choice {
        weight,
        target: Target::Backend(BackendName {
            namespace: "n".into(),
            service: "s".into(),
            port: 80,
        }),
        filters: Filters::default(),
    }
}

fn invalid(weight: u32) -> Choice {
    Choice {
        target: Target::Invalid("no such service".into()),
        ..choice(weight)
    }
}

fn forward(failover: bool, tiers: &[&[u32]]) -> Forward {
    let tier = |weights: &&[u32]| Tier {
        policy: None,
        choices: weights.iter().map(|w| choice(*w)).collect(),
    };
    Forward {
        failover,
        tiers: tiers.iter().map(tier).collect(),
    }
}

fn at(tier: u16, choice: u16) -> Candidate {
    Candidate { tier, choice }
}

/// How often each choice of the first tier comes first, of 10,000.
fn firsts(forward: &Forward) -> Vec<u32> {
    let mut draw = seeded(42);
    let mut counts = vec![0; forward.tiers[0].choices.len()];
    for _ in 0..10_000 {
        let plan = plan(forward, |_| Health::Healthy, &mut draw);
        counts[usize::from(plan[0].choice)] += 1;
    }
    counts
}

/// `HTTPRouteWeight`: 70/30/0, five percentage points.
#[test]
fn shares_follow_weights() {
    for failover in [false, true] {
        let counts = firsts(&forward(failover, &[&[70, 30, 0]]));
        assert!(
            counts[0].abs_diff(7000) < 200 && counts[1].abs_diff(3000) < 200,
            "{counts:?}"
        );
        assert_eq!(counts[2], 0);
    }
}

#[test]
fn sums_beyond_u32_keep_their_shares() {
    let counts = firsts(&forward(
        false,
        &[&[u32::MAX, u32::MAX, u32::MAX, u32::MAX]],
    ));
    assert!(counts.iter().all(|c| c.abs_diff(2500) < 200), "{counts:?}");
}

#[test]
fn without_failover_health_does_not_move_a_share() {
    let forward = forward(false, &[&[50, 50]]);
    let mut draw = seeded(7);
    let mut down = 0;
    for _ in 0..1000 {
        let plan = plan(
            &forward,
            |c| {
                if c.choice == 0 {
                    Health::Down
                } else {
                    Health::Healthy
                }
            },
            &mut draw,
        );
        assert_eq!(plan.len(), 1);
        down += u32::from(plan[0].choice == 0);
    }
    assert!(down.abs_diff(500) < 100, "{down}");
}

#[test]
fn all_zero_or_no_backend_is_an_empty_plan_and_an_invalid_backend() {
    for forward in [
        forward(false, &[&[0, 0]]),
        forward(false, &[&[]]),
        forward(false, &[]),
        forward(true, &[&[]]),
        forward(true, &[]),
    ] {
        assert_eq!(
            plan(&forward, |_| Health::Healthy, &mut seeded(1)),
            Plan::new()
        );
        assert_eq!(forward.refusal(), Failure::InvalidBackend);
    }
}

#[test]
fn an_invalid_reference_keeps_its_share_without_failover_and_is_left_out_with_it() {
    let mut plain = forward(false, &[&[1, 1]]);
    plain.tiers[0].choices[1] = invalid(1);
    let counts = firsts(&plain);
    assert!(counts[1].abs_diff(5000) < 300, "{counts:?}");
    let mut tiers = forward(true, &[&[1, 1]]);
    tiers.tiers[0].choices[1] = invalid(1);
    assert_eq!(
        plan(&tiers, |_| Health::Healthy, &mut seeded(1)).to_vec(),
        [at(0, 0)]
    );
    tiers.tiers[0].choices[0] = invalid(1);
    assert!(plan(&tiers, |_| Health::Healthy, &mut seeded(1)).is_empty());
    assert_eq!(tiers.refusal(), Failure::InvalidBackend);
}

#[test]
fn failover_goes_tier_by_tier_then_to_the_recovering_and_never_to_the_down() {
    let forward = forward(true, &[&[1], &[1, 0], &[1]]);
    let health = |c: Candidate| match (c.tier, c.choice) {
        (0, 0) => Health::Recovering,
        (1, 0) => Health::Unknown,
        (1, 1) => Health::Healthy,
        _ => Health::Down,
    };
    let order = plan(&forward, health, &mut seeded(1));
    assert_eq!(order.to_vec(), [at(1, 0), at(1, 1), at(0, 0)]);
}

#[test]
fn everything_down_is_no_healthy_backend() {
    let forward = forward(true, &[&[1], &[1]]);
    assert!(plan(&forward, |_| Health::Down, &mut seeded(1)).is_empty());
    assert_eq!(forward.refusal(), Failure::NoHealthyBackend);
    assert_eq!(forward.choice(at(1, 0)), Some(&choice(1)));
    assert_eq!(forward.choice(at(2, 0)), None);
}

#[test]
fn weightless_members_of_a_failover_tier_are_equally_likely_last() {
    let forward = forward(true, &[&[0, 5, 0]]);
    let mut draw = seeded(3);
    let mut second = [0_u32; 3];
    for _ in 0..1000 {
        let plan = plan(&forward, |_| Health::Healthy, &mut draw);
        assert_eq!((plan.len(), plan[0]), (3, at(0, 1)));
        second[usize::from(plan[1].choice)] += 1;
    }
    assert!(
        second[0].abs_diff(500) < 100 && second[2].abs_diff(500) < 100,
        "{second:?}"
    );
}

fn healths() -> impl Strategy<Value = Health> {
    proptest::sample::select(
        &[
            Health::Healthy,
            Health::Unknown,
            Health::Recovering,
            Health::Down,
        ][..],
    )
}

proptest! {
    #[test]
    fn a_failover_plan_holds_every_usable_candidate_once_in_order(
        tiers in proptest::collection::vec(proptest::collection::vec((0..4_u32, healths()), 0..5), 0..4),
        seed in 1..u64::MAX,
    ) {
        let forward = Forward {
            failover: true,
            tiers: tiers
                .iter()
                .map(|t| Tier { policy: None, choices: t.iter().map(|(w, _)| choice(*w)).collect() })
                .collect(),
        };
        let member = |c: Candidate| tiers[usize::from(c.tier)][usize::from(c.choice)];
        let plan = plan(&forward, |c| member(c).1, &mut seeded(seed));
        let usable = tiers.iter().flatten().filter(|(_, h)| *h != Health::Down).count();
        prop_assert_eq!(plan.len(), usable);
        prop_assert!(plan.iter().all(|c| member(*c).1 != Health::Down));
        let keys: Vec<_> = plan
            .iter()
            .map(|c| (member(*c).1 == Health::Recovering, c.tier, member(*c).0 == 0))
            .collect();
        prop_assert!(keys.is_sorted(), "{:?}", keys);
        let mut distinct: Vec<_> = plan.iter().map(|c| (c.tier, c.choice)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), plan.len());
    }

    #[test]
    fn an_ordinary_plan_is_one_weighted_candidate_or_none(
        weights in proptest::collection::vec(0..3_u32, 0..6),
        seed in 1..u64::MAX,
    ) {
        let forward = forward(false, &[&weights]);
        let plan = plan(&forward, |_| Health::Down, &mut seeded(seed));
        prop_assert_eq!(plan.is_empty(), weights.iter().all(|w| *w == 0));
        prop_assert!(plan.len() <= 1 && plan.iter().all(|c| weights[usize::from(c.choice)] > 0));
    }
}
