use std::time::Duration;

use proptest::prelude::*;

use super::{Dampening, TunnelState};
use crate::health::{Evidence, Health};

const RULES: Dampening = Dampening {
    fail_after: 3,
    hold_down: Duration::from_secs(60),
    max_hold_down: Duration::from_secs(200),
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Plays `+` (answered) and `-` (failed) at given seconds; returns the health after each.
fn play(events: &[(u64, char)]) -> Vec<Health> {
    let mut state = TunnelState::new(s(0));
    let mut healths = Vec::new();
    for (at, sign) in events {
        let evidence = if *sign == '+' {
            Evidence::Answered
        } else {
            Evidence::Failed
        };
        state = state.observe(evidence, s(*at), RULES);
        healths.push(state.health);
    }
    healths
}

#[test]
fn the_first_answer_makes_it_healthy() {
    assert_eq!(play(&[(1, '+')]), [Health::Healthy]);
}

#[test]
fn only_consecutive_failures_make_it_down() {
    let healths = play(&[
        (1, '+'),
        (2, '-'),
        (3, '-'),
        (4, '+'),
        (5, '-'),
        (6, '-'),
        (7, '-'),
    ]);
    assert!(healths[..6].iter().all(|h| *h == Health::Healthy));
    assert_eq!(healths[6], Health::Down);
}

#[test]
fn one_that_has_never_worked_needs_no_hold_down() {
    let healths = play(&[(1, '-'), (2, '-'), (3, '-'), (4, '-'), (5, '+')]);
    assert_eq!(
        healths,
        [
            Health::Unknown,
            Health::Unknown,
            Health::Down,
            Health::Down,
            Health::Healthy
        ]
    );
}

#[test]
fn it_is_preferred_again_after_the_hold_down() {
    let down = [(1, '+'), (2, '-'), (3, '-'), (4, '-')];
    let healths = play(&[&down[..], &[(10, '+'), (40, '+'), (69, '+'), (70, '+')]].concat());
    let r = Health::Recovering;
    assert_eq!(healths[3..], [Health::Down, r, r, r, Health::Healthy]);
}

#[test]
fn one_failure_while_recovering_starts_again_with_twice_the_hold_down() {
    let down = [(1, '+'), (2, '-'), (3, '-'), (4, '-')];
    let healths = play(
        &[
            &down[..],
            &[(10, '+'), (69, '-'), (70, '+'), (189, '+'), (190, '+')],
        ]
        .concat(),
    );
    let r = Health::Recovering;
    assert_eq!(healths[4..], [r, Health::Down, r, r, Health::Healthy]);
}

#[test]
fn flaps_are_capped_and_forgotten_after_long_health() {
    let mut state = TunnelState {
        flaps: 40,
        ..TunnelState::new(s(0))
    };
    assert_eq!(state.hold_down(&RULES), RULES.max_hold_down);
    state.health = Health::Healthy;
    state.failures = 2;
    let soon = state.observe(Evidence::Failed, s(199), RULES);
    let late = state.observe(Evidence::Failed, s(200), RULES);
    assert_eq!((soon.flaps, late.flaps), (41, 1));
    assert_eq!(late.hold_down(&RULES), RULES.hold_down);
}

#[test]
fn by_default_one_lost_connection_is_enough() {
    let rules = Dampening {
        hold_down: s(10),
        ..Dampening::default()
    };
    let healthy = TunnelState::new(s(0)).observe(Evidence::Answered, s(1), rules);
    let down = healthy.observe(Evidence::Failed, s(2), rules);
    let back = down.observe(Evidence::Answered, s(3), rules);
    assert_eq!(
        (down.health, back.health),
        (Health::Down, Health::Recovering)
    );
    assert_eq!(
        back.observe(Evidence::Answered, s(13), rules).health,
        Health::Healthy
    );
}

#[test]
fn an_unchanged_state_keeps_its_time() {
    let state = TunnelState::new(s(0)).observe(Evidence::Answered, s(1), RULES);
    assert_eq!(state.observe(Evidence::Answered, s(5), RULES).since, s(1));
}

#[test]
fn without_hold_down_an_answer_is_enough() {
    let rules = Dampening {
        hold_down: Duration::ZERO,
        ..RULES
    };
    let down = TunnelState {
        health: Health::Down,
        flaps: 3,
        ..TunnelState::new(s(0))
    };
    assert_eq!(
        down.observe(Evidence::Answered, s(1), rules).health,
        Health::Healthy
    );
}

/// The rules told again over the whole history instead of step by step.
#[derive(Default)]
struct Model {
    history: Vec<(u64, bool)>,
    worked: bool,
    down: bool,
    healthy_since: u64,
    answered_since: Option<u64>,
    flaps: u32,
}

impl Model {
    fn hold(&self) -> u64 {
        if self.flaps == 0 {
            0
        } else {
            (60_u64 << (self.flaps - 1).min(20)).min(200)
        }
    }

    fn hear(&mut self, at: u64, answered: bool) -> Health {
        self.history.push((at, answered));
        let run = self.history.iter().rev().take_while(|(_, a)| !*a).count();
        let recovering = self.answered_since.is_some();
        if answered {
            let since = *self.answered_since.get_or_insert(at);
            let trusted = !self.down || at - since >= self.hold();
            if trusted {
                if self.down || !self.worked {
                    self.healthy_since = at;
                }
                (self.worked, self.down, self.answered_since) = (true, false, None);
            }
        } else if self.down && recovering {
            self.flaps += 1;
            self.answered_since = None;
        } else if !self.down && run >= 3 {
            if self.worked {
                self.flaps = if at - self.healthy_since >= 200 {
                    1
                } else {
                    self.flaps + 1
                };
            }
            self.down = true;
        }
        match (self.down, self.answered_since, self.worked) {
            (true, Some(_), _) => Health::Recovering,
            (true, None, _) => Health::Down,
            (false, _, true) => Health::Healthy,
            (false, _, false) => Health::Unknown,
        }
    }
}

proptest! {
    #[test]
    fn the_state_equals_the_model(events in proptest::collection::vec((0..90_u64, proptest::bool::weighted(0.6)), 0..200)) {
        let (mut state, mut model, mut now) = (TunnelState::new(s(0)), Model::default(), 0);
        for (pause, answered) in events {
            now += pause;
            let evidence = if answered { Evidence::Answered } else { Evidence::Failed };
            state = state.observe(evidence, s(now), RULES);
            prop_assert_eq!(state.health, model.hear(now, answered));
            prop_assert_eq!(state.flaps, model.flaps);
            prop_assert!(state.since <= s(now) && state.hold_down(&RULES) <= RULES.max_hold_down);
        }
    }
}
