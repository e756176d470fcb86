"""Processes under test: start pinned, measure CPU and memory of the tree, end by pid."""

import os
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """The process and all its children, by pid."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children", encoding="ascii") as f:
                    todo += [int(c) for c in f.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def cpu_seconds(pid):
    """User and system seconds of the process tree."""
    total = 0
    for p in descendants(pid):
        try:
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / TICK


def pss_kib(pid):
    """Proportional set size of the process tree in KiB."""
    total = 0
    for p in descendants(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return total


def wait_port(port, proc, seconds=30):
    """Returns when something accepts on 127.0.0.1:port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if proc.poll() is not None:
            raise SystemExit(f"{proc.args[0]} ended at start with status {proc.returncode}; see its log")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {seconds} s: {' '.join(proc.args)}")


class Process:
    """A child process pinned to one core; ended when the block ends."""

    def __init__(self, name, argv, port, core, log):
        self.name, self.argv, self.port, self.core, self.log = name, argv, port, core, log

    def __enter__(self):
        with open(self.log, "wb") as out:
            self.proc = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self.argv],
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )
        wait_port(self.port, self.proc)
        return self

    @property
    def pid(self):
        return self.proc.pid

    def __exit__(self, *_):
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
