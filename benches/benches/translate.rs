//! Configuration: manifests to objects, objects to a table, a table to its index.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use mcwan_benches::{host_manifests, scope, snapshot};
use mcwan_k8s::{manifest, translate::translate};
use mcwan_routing::table::Table;

fn configuration(c: &mut Criterion) {
    for hosts in [10, 3_334] {
        let text = host_manifests(hosts);
        let objects = snapshot(&text);
        let spec = translate(&objects, &scope()).table;
        let rules = hosts * 3;
        let mut group = c.benchmark_group("configuration");
        group.sample_size(10);
        group.bench_with_input(BenchmarkId::new("parse", rules), &text, |b, text| {
            b.iter(|| manifest::parse(text.as_bytes()));
        });
        group.bench_with_input(
            BenchmarkId::new("translate", rules),
            &objects,
            |b, objects| {
                b.iter(|| translate(objects, &scope()));
            },
        );
        group.bench_with_input(BenchmarkId::new("compile", rules), &spec, |b, spec| {
            b.iter_batched(|| spec.clone(), Table::compile, BatchSize::LargeInput);
        });
    }
}

criterion_group!(benches, configuration);
criterion_main!(benches);
