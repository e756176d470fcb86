//! Lookup: the cost must not grow with the number of hosts, nor with the number of paths in one host.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use mcwan_benches::{host_manifests, path_manifests, scope, snapshot};
use mcwan_k8s::translate::translate;
use mcwan_routing::matching::RequestView;
use mcwan_routing::table::{Lookup, Table};

fn table(text: &str) -> (Table, SocketAddr) {
    let translation = translate(&snapshot(text), &scope());
    assert!(
        translation.problems.is_empty(),
        "{:?}",
        translation.problems
    );
    (
        Table::compile(translation.table),
        SocketAddr::from(([127, 0, 0, 1], 8000)),
    )
}

fn find(table: &Table, socket: SocketAddr, host: &str, path: &str) -> bool {
    let headers = HeaderMap::new();
    let request = RequestView {
        host,
        path,
        query: None,
        method: &Method::GET,
        headers: &headers,
    };
    matches!(table.find(socket, &request), Lookup::Found { .. })
}

fn hosts(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup/hosts");
    for count in [10, 1_000, 10_000] {
        let (table, socket) = table(&host_manifests(count));
        let names: Vec<String> = (0..count).map(|i| format!("svc{i}.bench.test")).collect();
        let mut next = names.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let host = next.next().map_or("", String::as_str);
                assert!(find(&table, socket, black_box(host), "/x"));
            });
        });
    }
}

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup/paths-in-one-host");
    for count in [10, 1_000, 10_000] {
        let (table, socket) = table(&path_manifests(count));
        let names: Vec<String> = (0..count).map(|i| format!("/path{i}")).collect();
        let mut next = names.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let path = next.next().map_or("", String::as_str);
                assert!(find(&table, socket, "paths.bench.test", black_box(path)));
            });
        });
    }
}

criterion_group!(benches, hosts, paths);
criterion_main!(benches);
