# SPDX-License-Identifier: MIT
"""
The number of workers changes (SIGTTIN, SIGTTOU) under load: no client may notice.
"""
import signal

import harness
from harness import until
from load import Load


class UnderLoad(harness.TestCase):
    """From one worker to three and back, and nobody has noticed."""

    def scale_to(self, server, count, signo):
        """Send signals, one after another, until so many workers are left."""
        start = len(server.lines)
        for _ in range(abs(count - len(server.workers()))):
            server.signal(signo)
            server.wait_log("scale: [0-9]+ workers now", 60, start=start)
            start = len(server.lines)
        self.assertEqual(len(server.workers()), count)

    def assert_unharmed(self, result):
        self.assertGreater(result["ok"], 0)
        for name in ("bad_status", "resets", "refused"):
            self.assertEqual(result[name], 0, result)

    def test_one_shot_clients_and_kept_ones_that_think(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--drain-timeout", "2s")
        seconds = 6 * harness.SLOW
        with Load(server, "/plaintext", connections=8, seconds=seconds,
                  once=True) as one_shot, \
                Load(server, "/plaintext", connections=40, seconds=seconds,
                     rate=100) as thinking:
            until(lambda: server.metric("spout_requests_total") > 50)
            self.scale_to(server, 3, signal.SIGTTIN)
            self.scale_to(server, 2, signal.SIGTTOU)
        self.assert_unharmed(one_shot.result)
        self.assert_unharmed(thinking.result)
        self.assertEqual(server.complaints(), [])
        # What has left still counts.
        self.assertEqual(server.get("/metrics", address=server.admin).text.count(
            "spout_worker_starts_total{"), 3)
