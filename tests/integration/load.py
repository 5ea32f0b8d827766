# SPDX-License-Identifier: MIT
"""
The load generator of tests/bench (load.c) beside a test, and how often to repeat.

    with load.Load(server, "/plaintext", connections=16, seconds=2) as running:
        ...
    running.result["ok"]
"""
import json
import os
import resource
import subprocess

import harness

PROGRAM = os.path.join(harness.BUILD, "tests", "bench", "load")


def scaled(count):
    """Fewer repetitions where everything is slow: SPOUT_TEST_SCALE divides them."""
    scale = int(os.environ.get("SPOUT_TEST_SCALE", "1")) * harness.SLOW
    return max(1, count // max(1, scale))


def raise_descriptor_limit():
    """Ten thousand clients need as many descriptors, in their process, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Load:
    """GET requests on many connections for a while; result is what load prints."""

    def __init__(self, server, path, connections=16, seconds=2.0, rate=None, once=False):
        raise_descriptor_limit()
        argv = [PROGRAM, str(server.port), path, "--connections", str(connections),
                "--seconds", str(seconds)]
        if rate is not None:
            argv += ["--rate", str(rate)]
        if once:
            argv.append("--once")
        self.seconds = seconds
        self.result = None
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.wait()

    def wait(self):
        """Its result, when it has come to its end."""
        if self.result is None:
            out, _ = self.process.communicate(timeout=(self.seconds + 50) * harness.SLOW)
            self.result = json.loads(out) if out else {}
        return self.result
