"""Load: wrk for throughput and CPU, oha for latency at a fixed rate, plain sockets for idle connections."""

import json
import re
import socket
import subprocess

LUA = """
math.randomseed({seed})
local n = {count}
request = function()
  local i = math.random(0, n - 1)
  return wrk.format("GET", string.format("{path}", i), {{ ["Host"] = string.format("{host}", i) }})
end
"""


def lua(directory, name, count, host, path):
    """A wrk script that asks for a random host, or a random path, of `count`. A `%d` takes the random number."""
    file = directory / f"{name}.lua"
    file.write_text(LUA.format(seed=7, count=count, host=host, path=path))
    return file


def wrk(binary, port, script, connections, seconds):
    """Runs wrk on core 1; returns (requests, failed)."""
    out = subprocess.run(
        ["taskset", "-c", "1", binary, "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "5s",
         "-s", str(script), f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    failed = int(m.group(1)) if (m := re.search(r"Non-2xx or 3xx responses: (\d+)", out)) else 0
    if m := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out):
        failed += sum(int(g) for g in m.groups())
    return requests, failed


def oha(binary, port, host, rate, seconds, connections=32):
    """Open loop at a fixed rate on core 1; returns a dict with p50 and p99 in microseconds, failures and the statuses."""
    out = subprocess.run(
        ["taskset", "-c", "1", binary, "--no-tui", "--output-format", "json", "-q", str(rate), "-z", f"{seconds}s",
         "-c", str(connections), "--latency-correction", "--disable-color", "-H", f"Host: {host}", f"http://127.0.0.1:{port}/x"],
        capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    report = json.loads(out)
    statuses = report.get("statusCodeDistribution", {})
    errors = {k: v for k, v in report.get("errorDistribution", {}).items() if "deadline" not in k}
    return {"p50": report["latencyPercentiles"]["p50"] * 1e6, "p99": report["latencyPercentiles"]["p99"] * 1e6,
            "ok": statuses.get("200", 0), "failed": sum(v for k, v in statuses.items() if k != "200") + sum(errors.values()),
            "requests": sum(statuses.values())}


def get(sock, host, path="/x"):
    """One keep-alive request on an open socket; returns (status, body length)."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
    while len(body) < length:
        body += receive(sock)
    return int(head.split()[1]), len(body)


def receive(sock):
    """The next bytes; an error at the end of the stream."""
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("closed by the proxy")
    return data


def idle(port, host, count):
    """Opens `count` keep-alive connections, one request each; returns the sockets."""
    socks = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        status, _ = get(s, host)
        if status != 200:
            raise SystemExit(f"port {port} answered {status} for {host}")
        socks.append(s)
    return socks
