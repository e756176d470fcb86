//! What a Lease says, and who may take it. Time is an argument.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// A Lease that is not renewed for this long may be taken, in seconds.
const DURATION: i32 = 15;

/// A version of the Lease, and since when it is known.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    version: String,
    since: Instant,
}

impl Observed {
    /// Takes in the version that is there now. Returns how long it has been there, as far as this process saw.
    pub(super) fn update(known: &mut Option<Self>, version: String, now: Instant) -> Duration {
        match known {
            Some(observed) if observed.version == version => {
                now.saturating_duration_since(observed.since)
            }
            _ => {
                *known = Some(Self {
                    version,
                    since: now,
                });
                Duration::ZERO
            }
        }
    }
}

/// Whether `identity` may hold the Lease, which has not changed for a while: it is its own, nobody's, or was not renewed
/// for as long as its holder promised.
pub(super) fn is_free(lease: &Lease, identity: &str, unchanged: Duration) -> bool {
    let spec = lease.spec.as_ref();
    let holder = spec
        .and_then(|s| s.holder_identity.as_deref())
        .unwrap_or_default();
    let promised = spec
        .and_then(|s| s.lease_duration_seconds)
        .unwrap_or(DURATION);
    let promised = Duration::from_secs(u64::try_from(promised).unwrap_or(0));
    holder.is_empty() || holder == identity || unchanged >= promised
}

/// The Lease, held by `identity` as of now.
pub(super) fn held_by(lease: Lease, identity: &str, now: Timestamp) -> Lease {
    let old = lease.spec.unwrap_or_default();
    let same = old.holder_identity.as_deref() == Some(identity);
    let transitions = old.lease_transitions.unwrap_or(0);
    let spec = LeaseSpec {
        acquire_time: if same {
            old.acquire_time
        } else {
            Some(MicroTime(now))
        },
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(DURATION),
        lease_transitions: Some(if same {
            transitions
        } else {
            transitions.saturating_add(1)
        }),
        renew_time: Some(MicroTime(now)),
        ..LeaseSpec::default()
    };
    Lease {
        spec: Some(spec),
        ..lease
    }
}

/// The Lease without a holder, so that the next one need not wait.
pub(super) fn released(mut lease: Lease) -> Lease {
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = None;
    }
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(identity: &str) -> Lease {
        held_by(Lease::default(), identity, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_lease_that_changes_is_its_holders_and_one_that_does_not_may_be_taken() {
        let lease = held("a");
        assert!(!is_free(&lease, "b", Duration::from_secs(14)));
        assert!(is_free(&lease, "b", Duration::from_secs(15)));
    }

    #[test]
    fn its_own_lease_and_a_released_one_need_no_wait() {
        assert!(is_free(&held("a"), "a", Duration::ZERO));
        assert!(is_free(&released(held("a")), "b", Duration::ZERO));
        assert!(is_free(&Lease::default(), "b", Duration::ZERO));
    }

    #[test]
    fn another_version_starts_the_wait_anew() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut known = None;
        assert_eq!(
            Observed::update(&mut known, "1".to_owned(), at(0)),
            Duration::ZERO
        );
        assert_eq!(
            Observed::update(&mut known, "1".to_owned(), at(9)),
            Duration::from_secs(9)
        );
        assert_eq!(
            Observed::update(&mut known, "2".to_owned(), at(10)),
            Duration::ZERO
        );
        assert_eq!(
            Observed::update(&mut known, "2".to_owned(), at(12)),
            Duration::from_secs(2)
        );
    }

    #[test]
    fn a_change_of_the_holder_is_counted_and_a_renewal_is_not() {
        let later = Timestamp::from_second(60).unwrap();
        let renewed = held_by(held("a"), "a", later).spec.unwrap();
        assert_eq!(renewed.lease_transitions, Some(1));
        assert_eq!(renewed.acquire_time, Some(MicroTime(Timestamp::UNIX_EPOCH)));
        assert_eq!(renewed.renew_time, Some(MicroTime(later)));
        let taken = held_by(held("a"), "b", later).spec.unwrap();
        assert_eq!(taken.lease_transitions, Some(2));
        assert_eq!(taken.acquire_time, Some(MicroTime(later)));
    }
}
