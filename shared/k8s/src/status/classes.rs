//! The classes of Gateways that name our controller.

use serde_json::{Value, json};

use super::condition::{Said, Verdict};
use super::target::Target;
use super::{StatusWrite, World};
use crate::names::CONTROLLER;

/// Features of the Gateway API that work, sorted (`GatewayClassStatus.supportedFeatures` wants them so). Whatever comes to
/// work goes in here; the conformance suite takes its tests from this list.
pub const FEATURES: &[&str] = &[
    "GRPCRoute",
    "GRPCRouteNamedRouteRule",
    "GRPCRouteRequestHeaderModifier",
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "GatewayPort8080",
    "GatewayRouteHostnameIntersectionPrecedence",
    "GatewayStaticAddresses",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteBackendURLRewrite",
    "HTTPRouteCORS",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteRetryCodes",
    "HTTPRouteRetryConnectionError",
    "HTTPRouteSchemeRedirect",
    "ListenerSet",
    "ReferenceGrant",
];

/// The statuses of our classes.
pub(super) fn statuses(world: &World<'_>) -> Vec<StatusWrite> {
    let classes = world.facts.snapshot.gateway_classes.values();
    let ours = classes.filter(|c| c.spec.controller_name == CONTROLLER);
    let features: Value = FEATURES
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    ours.filter_map(|class| {
        let mut target = Target::of(class.as_ref(), &class.status, &world.now);
        let found = world.problems.on(&target.object);
        let accepted = match &class.spec.parameters_ref {
            Some(parameters) => Verdict::no(
                "InvalidParameters",
                format!(
                    "spec.parametersRef: parameters of kind {} are not in force yet (remove parametersRef)",
                    parameters.kind
                ),
            ),
            None => Verdict::yes("Accepted", "Gateways of this class are served"),
        };
        target.say(&Said::new().say("Accepted", found.verdict(accepted)));
        target.set("supportedFeatures", features.clone());
        target.write()
    })
    .collect()
}
