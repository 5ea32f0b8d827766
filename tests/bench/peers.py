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


def wrk(server, seconds, connections, path="/plaintext", lua=None):
    """(requests answered, requests a second) of one core's worth of load on the other."""
    argv = ["taskset", "-c", "1", "wrk", "-t1", "-c%d" % connections, "-d%gs" % seconds]
    if lua:
        argv += ["-s", lua]
    out = subprocess.run(argv + ["http://127.0.0.1:%d%s" % (server.port, path)],
                         capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if re.search(r"Non-2xx|Socket errors", out):
        raise SystemExit("%s: %s" % (server.name, out))
    return requests, float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def measure(server, seconds, connections, path="/plaintext", lua=None):
    """Processor time per request: all of it and the part in user mode, microseconds."""
    user, system = server.cpu()
    began = server.runtime()
    requests, rate = wrk(server, seconds, connections, path, lua)
    cpu = server.runtime() - began
    user2, system2 = server.cpu()
    ticks = (user2 - user) + (system2 - system) or 1
    return {"rate": rate, "cpu_us": cpu / requests * 1e6,
            "user_us": cpu / requests * 1e6 * (user2 - user) / ticks}
