# SPDX-License-Identifier: MIT
"""Servers under test and their peers, as the benchmarks start and measure them."""
import glob
import os
import re
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(p) for p in f.read().split()]


class Server:
    """One server process (tree) on a port of its own; `pid` is the one that serves."""

    def __init__(self, name, argv, port, pinned=True):
        self.name, self.port = name, port
        argv = (["taskset", "-c", "0"] if pinned else []) + argv
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("%s did not start: %s" % (name, " ".join(argv)))
                time.sleep(0.02)

    @property
    def pid(self):
        kids = children(self.process.pid)
        return kids[0] if kids else self.process.pid

    def cpu(self):
        """(user, system) seconds of the serving process, all threads."""
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / tick, int(fields[12]) / tick

    def runtime(self):
        """Seconds on a processor, to the nanosecond, all threads that still live."""
        total = 0
        for path in glob.glob("/proc/%d/task/*/schedstat" % self.pid):
            with open(path) as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def private_kib(self):
        with open("/proc/%d/smaps_rollup" % self.pid) as f:
            text = f.read()
        return sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+)", text, re.M))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
