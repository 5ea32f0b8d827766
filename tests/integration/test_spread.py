# SPDX-License-Identifier: MIT
"""Connections are spread evenly over the workers, few and long-lived ones, too."""
import os
import re
import signal
import time

import harness
from harness import until


class Spread(harness.TestCase):

    def counts(self, server):
        """Open connections per worker; the one that asks is among them."""
        text = server.get("/metrics", address=server.admin).text
        return [int(n) for n in re.findall(
            r"^spout_connections_open\{[^}]*\} (\d+)$", text, re.M)]

    def open_some(self, server, count):
        """Connections that stay, one every 5 ms, as a proxy opens them under load."""
        clients = []
        for _ in range(count):
            client = server.connect(timeout=30)
            self.addCleanup(client.close)
            self.assert_status(client.get("/plaintext"), 200)
            clients.append(client)
            time.sleep(0.005)
        return clients

    def test_64_connections_of_8_workers(self):
        server = self.start("--processes", "8", "--admin", "127.0.0.1:0")
        self.open_some(server, 64)
        counts = self.counts(server)
        self.assertEqual(sum(counts), 65, counts)
        self.assertLessEqual(max(counts), 1.2 * 64 / 8, counts)

    def test_worker_that_hangs_gets_none(self):
        server = self.start("--processes", "3", "--admin", "127.0.0.1:0",
                            "--drain-timeout", "2s")
        stopped = server.workers()[1]
        os.kill(stopped, signal.SIGSTOP)
        try:
            # Until the others have noticed, some wait at the one that hangs.
            def is_avoided():
                waiting = [server.connect(timeout=0.5) for _ in range(16)]
                for client in waiting:
                    client.send_request("GET", "/plaintext")
                try:
                    return all(client.read_response("GET").status == 200
                               for client in waiting)
                except OSError:
                    return False
                finally:
                    for client in waiting:
                        client.close()
            until(is_avoided, 30)
        finally:
            os.kill(stopped, signal.SIGCONT)
