//! Endpoints of a headless service, which whoever looks up its name will be sent to.

use super::reason;
use crate::names::is_label;
use crate::offer::{MAX_ENDPOINTS, OfferedEndpoint, OfferedEndpointPort, OfferedEndpoints};
use crate::outbox::{address, keys};

/// Most groups of endpoints with the same ports, and most ports of a group.
const MAX_GROUPS: usize = 100;

/// A reason and what is wrong.
type Wrong = (&'static str, String);

/// What is taken of the offered endpoints, and why the rest is not.
pub(super) fn taken(
    headless: bool,
    offered: &[OfferedEndpoints],
) -> (Vec<OfferedEndpoints>, Vec<Wrong>) {
    let mut wrong = Vec::new();
    if !headless && !offered.is_empty() {
        let message = "it has endpoints, but only a headless service can".to_owned();
        return (Vec::new(), vec![(reason::VALUE, message)]);
    }
    let mut room = MAX_ENDPOINTS;
    let mut taken = Vec::new();
    for group in offered.iter().take(MAX_GROUPS) {
        let OfferedEndpoints { ports, endpoints } = group;
        if ports.len() > MAX_GROUPS || !ports.iter().all(is_port) {
            let message = "endpoints with ports that they cannot have".to_owned();
            wrong.push((reason::PORT, message));
            continue;
        }
        let usable: Vec<OfferedEndpoint> = endpoints
            .iter()
            .filter_map(|e| endpoint(e).map_err(|w| wrong.push(w)).ok())
            .take(room)
            .collect();
        room = room.saturating_sub(usable.len());
        if !usable.is_empty() {
            taken.push(OfferedEndpoints {
                ports: ports.clone(),
                endpoints: usable,
            });
        }
    }
    let many = offered.iter().map(|g| g.endpoints.len()).sum::<usize>() > MAX_ENDPOINTS;
    if many || offered.len() > MAX_GROUPS {
        wrong.push((
            reason::TOO_MUCH,
            format!("more than {MAX_ENDPOINTS} endpoints"),
        ));
    }
    (taken, wrong)
}

fn is_port(port: &OfferedEndpointPort) -> bool {
    matches!(port.protocol.as_str(), "TCP" | "UDP" | "SCTP")
        && (port.name.is_empty() || is_label(&port.name))
        && port
            .app_protocol
            .as_deref()
            .is_none_or(keys::is_app_protocol)
        && port.port != 0
}

fn endpoint(endpoint: &OfferedEndpoint) -> Result<OfferedEndpoint, Wrong> {
    let OfferedEndpoint { address, hostname } = endpoint;
    if let Some(what) = address::refusal(*address) {
        let message = format!("endpoint address {address} is {what}");
        return Err((reason::ADDRESS, message));
    }
    if let Some(name) = hostname.as_ref().filter(|h| !is_label(h)) {
        let message = format!("{name:?} is not the host name of an endpoint");
        return Err((reason::VALUE, message));
    }
    Ok(OfferedEndpoint {
        address: address.to_canonical(),
        hostname: hostname.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(addresses: &[&str]) -> OfferedEndpoints {
        OfferedEndpoints {
            ports: vec![OfferedEndpointPort {
                name: "http".to_owned(),
                protocol: "TCP".to_owned(),
                app_protocol: None,
                port: 8080,
            }],
            endpoints: addresses
                .iter()
                .map(|a| OfferedEndpoint {
                    address: a.parse().unwrap(),
                    hostname: None,
                })
                .collect(),
        }
    }

    #[test]
    fn addresses_that_nobody_may_send_us_to_are_left_out_alone() {
        let offered = group(&[
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "::ffff:10.0.0.2",
        ]);
        let (taken, wrong) = taken(true, &[offered]);
        assert_eq!(taken, [group(&["10.0.0.1", "10.0.0.2"])]);
        let reasons: Vec<_> = wrong.iter().map(|w| w.0).collect();
        assert_eq!(reasons, [reason::ADDRESS, reason::ADDRESS]);
    }

    #[test]
    fn endpoints_of_a_service_that_is_not_headless_and_impossible_ports_and_names_are_refused() {
        let offered = group(&["10.0.0.1"]);
        assert_eq!(taken(true, std::slice::from_ref(&offered)).0.len(), 1);
        assert_eq!(taken(false, std::slice::from_ref(&offered)).0, []);
        let mut bad = offered.clone();
        bad.ports[0].port = 0;
        assert_eq!(taken(true, &[bad]).0, []);
        let mut bad = offered;
        bad.endpoints[0].hostname = Some("a.b".to_owned());
        assert_eq!(taken(true, &[bad]).0, []);
    }

    #[test]
    fn no_more_than_a_thousand_endpoints_are_taken_in_all() {
        let many: Vec<String> = (0..600)
            .map(|i| format!("10.0.{}.{}", i / 250, i % 250))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (taken, wrong) = taken(true, &[group(&many), group(&many)]);
        let counts: Vec<usize> = taken.iter().map(|g| g.endpoints.len()).collect();
        assert_eq!((counts, wrong.len()), (vec![600, 400], 1));
    }
}
