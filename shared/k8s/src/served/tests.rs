use super::*;
use crate::manifest::parse;

const OBJECTS: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mc-wan-egress, namespace: mc-wan, uid: g1, generation: 3}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: other, namespace: mc-wan, uid: g2, generation: 1}
spec: {gatewayClassName: mc-wan}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: payment, namespace: mc-wan, uid: l1, generation: 2}
spec:
  parentRef: {name: mc-wan-egress}
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: of-the-set, namespace: shop, uid: r1, generation: 5}
spec: {parentRefs: [{kind: ListenerSet, name: payment, namespace: mc-wan}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: of-an-import, namespace: shop, uid: r2, generation: 6}
spec: {parentRefs: [{group: multicluster.x-k8s.io, kind: ServiceImport, name: payment}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: elsewhere, namespace: shop, uid: r3, generation: 7}
spec: {parentRefs: [{name: mc-wan-egress}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: of-another, namespace: mc-wan, uid: r4, generation: 8}
spec: {parentRefs: [{name: other}]}
---
apiVersion: mc-wan.l7mp.io/v1alpha1
kind: WANPolicy
metadata: {name: business, uid: w1, generation: 1}
spec: {tunnel: business, port: 31111}
";

fn snapshot() -> ClusterSnapshot {
    let manifest = parse(OBJECTS.as_bytes());
    assert_eq!(manifest.errors, []);
    ClusterSnapshot::new("c1").with(manifest.objects.into_iter().map(|p| p.object))
}

fn names(gateway: &str) -> Vec<String> {
    let gateway = ("mc-wan".to_owned(), gateway.to_owned());
    let objects = objects(&snapshot(), &gateway);
    objects.iter().map(|o| o.object.to_string()).collect()
}

#[test]
fn a_gateway_its_sets_their_routes_and_the_policies_shape_its_table() {
    assert_eq!(
        names("mc-wan-egress"),
        [
            "GRPCRoute shop/of-an-import",
            "Gateway mc-wan/mc-wan-egress",
            "HTTPRoute shop/of-the-set",
            "ListenerSet mc-wan/payment",
            "WANPolicy business",
        ]
    );
    assert_eq!(
        names("other"),
        [
            "Gateway mc-wan/other",
            "HTTPRoute mc-wan/of-another",
            "WANPolicy business"
        ]
    );
}

#[test]
fn only_the_same_object_in_the_same_generation_is_served() {
    let gateway = ("mc-wan".to_owned(), "mc-wan-egress".to_owned());
    let served = Served {
        objects: objects(&snapshot(), &gateway),
        ..Served::default()
    };
    let key = ("shop".to_owned(), "of-the-set".to_owned());
    let route = Object::HTTPRoute(snapshot().http_routes[&key].clone());
    let wanted = of(&route);
    assert!(served.serves(&wanted.object, "r1", 5));
    assert!(!served.serves(&wanted.object, "r1", 6));
    assert!(!served.serves(&wanted.object, "made-again", 5));
}

#[test]
fn it_survives_the_way_over_http() {
    let served = Served {
        namespace: "mc-wan".to_owned(),
        name: "mc-wan-egress".to_owned(),
        table: 7,
        objects: objects(&snapshot(), &("mc-wan".to_owned(), "other".to_owned())),
        listeners: vec![ServedListener {
            listener: "mc-wan/mc-wan-egress/http".to_owned(),
            socket: "10.77.1.1:10080".parse().unwrap(),
            error: "address in use".to_owned(),
        }],
    };
    let text = serde_json::to_string(&served).unwrap();
    assert_eq!(serde_json::from_str::<Served>(&text).unwrap(), served);
}
