//! One `WANPolicy`, its values checked as the schema in the API server would. Files do not pass there.

use std::time::Duration;

use super::{Accepted, Connections, dscp};
use crate::duration;
use crate::kinds::wan::{self, WANPolicy};
use crate::names::{DEFAULT_ANNOTATION, is_label};
use crate::object::{annotation, reference};
use crate::problem::Problem;

const HOLD_DOWN: Duration = Duration::from_mins(1);
const MAX_HOLD_DOWN: Duration = Duration::from_mins(20);
const DAY: Duration = Duration::from_hours(24);
/// The longest duration that can be written: no limit of its own.
const ANY: Duration = Duration::MAX;
/// Ports that clients of this machine take for themselves by default (`net.ipv4.ip_local_port_range`).
const CLIENT_PORTS: std::ops::RangeInclusive<u16> = 32768..=60999;

/// Reads a policy. `None`: it cannot be in force.
pub(super) fn policy(policy: &WANPolicy, problems: &mut Vec<Problem>) -> Option<Accepted> {
    let mut read = Reading { policy, problems };
    let tunnel = read.tunnel();
    let port = read.port();
    let dscp = read.dscp();
    let failover = policy.spec.failover.clone().unwrap_or_default();
    let (hold_down, max_hold_down) = read.hold_downs(&failover);
    let connections = read.connections();
    let is_default = read.is_default();
    Some(Accepted {
        name: policy.metadata.name.clone()?,
        port: port?,
        tunnel: tunnel?,
        dscp,
        fallback: failover.fallback.unwrap_or_default(),
        hold_down,
        max_hold_down,
        connections,
        is_default,
    })
}

struct Reading<'a> {
    policy: &'a WANPolicy,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn report(&mut self, field: &str, reason: &str, message: String, hint: &str) {
        let problem = Problem::error(reference(self.policy), ("Accepted", reason), message);
        self.problems.push(problem.in_field(field).advise(hint));
    }

    fn tunnel(&mut self) -> Option<String> {
        let tunnel = &self.policy.spec.tunnel;
        if is_label(tunnel) {
            return Some(tunnel.clone());
        }
        let message = format!("{tunnel:?} is not a name of a transport class");
        self.report(
            "spec.tunnel",
            "InvalidTunnel",
            message,
            "use at most 63 lower-case letters, digits and `-`",
        );
        None
    }

    fn port(&mut self) -> Option<u16> {
        let port = u16::try_from(self.policy.spec.port)
            .ok()
            .filter(|p| *p >= 1024);
        let Some(port) = port else {
            let message = format!("port {} is not within 1024 to 65535", self.policy.spec.port);
            self.report(
                "spec.port",
                "InvalidPort",
                message,
                "choose a port that the SD-WAN can classify by, e.g. 31111",
            );
            return None;
        };
        if CLIENT_PORTS.contains(&port) {
            let message = format!(
                "port {port} is one that clients may take, so that other traffic looks like this tunnel's"
            );
            self.problems.push(
                Problem::warning(reference(self.policy), ("Accepted", "ClientPort"), message)
                    .in_field("spec.port")
                    .advise("choose a port outside of 32768 to 60999"),
            );
        }
        Some(port)
    }

    fn dscp(&mut self) -> Option<u8> {
        let value = self.policy.spec.dscp.as_ref()?;
        let code = dscp::read(value);
        if code.is_none() {
            self.report(
                "spec.dscp",
                "InvalidDSCP",
                "not a code point that may be used; packets are not marked".to_owned(),
                "write EF, VA, AF11 to AF43, CS0 to CS5, LE, or a number from 0 to 63 without 48 and 56",
            );
        }
        code
    }

    fn hold_downs(&mut self, failover: &wan::Failover) -> (Duration, Duration) {
        let text = failover.hold_down.as_deref();
        let hold_down = self.duration(
            "spec.failover.holdDown",
            text,
            HOLD_DOWN,
            (Duration::ZERO, DAY),
        );
        let text = failover.max_hold_down.as_deref();
        // A hold-down above the default cap raises the cap, unless the user set one.
        let cap = MAX_HOLD_DOWN.max(hold_down);
        let most = self.duration("spec.failover.maxHoldDown", text, cap, (hold_down, ANY));
        (hold_down, most)
    }

    fn connections(&mut self) -> Connections {
        let defaults = Connections::default();
        let Some(set) = &self.policy.spec.connections else {
            return defaults;
        };
        let max = self.count("spec.connections.max", set.max, defaults.max, (1, 64));
        // A maximum below the default minimum lowers it, unless the user set one.
        let min = self.count(
            "spec.connections.min",
            set.min,
            defaults.min.min(max),
            (0, max),
        );
        let max_age = set.max_age.as_deref();
        Connections {
            min,
            max,
            max_age: self.duration(
                "spec.connections.maxAge",
                max_age,
                defaults.max_age,
                (Duration::from_secs(10), ANY),
            ),
            max_streams: self.count(
                "spec.connections.maxStreams",
                set.max_streams,
                defaults.max_streams,
                (1, 1000),
            ),
        }
    }

    /// A duration within limits, or the default.
    fn duration(
        &mut self,
        field: &str,
        text: Option<&str>,
        default: Duration,
        (least, most): (Duration, Duration),
    ) -> Duration {
        let Some(text) = text else { return default };
        let wrong = match duration::parse(text) {
            Ok(value) if value < least => format!("must be at least {}", duration::format(least)),
            Ok(value) if value > most => format!("must be at most {}", duration::format(most)),
            Ok(value) => return value,
            Err(error) => error.to_string(),
        };
        let message = format!("{text:?} cannot be used: {wrong}");
        let hint = format!(
            "{} is used instead; correct the value",
            duration::format(default)
        );
        self.report(field, "InvalidValue", message, &hint);
        default
    }

    /// A number within limits, or the default.
    fn count(
        &mut self,
        field: &str,
        value: Option<i32>,
        default: u32,
        (least, most): (u32, u32),
    ) -> u32 {
        let Some(value) = value else { return default };
        if let Some(count) = u32::try_from(value)
            .ok()
            .filter(|v| (least..=most).contains(v))
        {
            return count;
        }
        let message = format!("{value} is not within {least} to {most}");
        self.report(
            field,
            "InvalidValue",
            message,
            &format!("{default} is used instead; correct the value"),
        );
        default
    }

    fn is_default(&mut self) -> bool {
        match annotation(self.policy, DEFAULT_ANNOTATION) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let message = format!(
                    "{other:?} is neither \"true\" nor \"false\"; the policy is not the default"
                );
                let field = format!("metadata.annotations[{DEFAULT_ANNOTATION}]");
                self.report(
                    &field,
                    "InvalidValue",
                    message,
                    "write \"true\", in quotes, or remove the annotation",
                );
                false
            }
        }
    }
}
