# SPDX-License-Identifier: MIT
"""What load balancers are told of a program that stops, and of its load."""
import signal
import socket

import harness
from harness import until


def ask(server, say=b""):
    """One agent check, as HAProxy makes it."""
    match = server.wait_log(r"agent check on 127\.0\.0\.1:(\d+)")[0]
    with socket.create_connection(("127.0.0.1", int(match.group(1))), 20) as check:
        check.sendall(say)
        answer = b""
        while True:
            more = check.recv(100)
            if not more:
                return answer.decode()
            answer += more


class Balancers(harness.TestCase):

    limit_seconds = 180

    def start_checked(self, *args):
        return self.start("--processes", "2", "--admin", "127.0.0.1:0",
                          "--agent-check", "127.0.0.1:0", *args)

    def test_weight_follows_the_load(self):
        server = self.start_checked("--fault-routes")
        self.assertRegex(ask(server), r"^up ready \d+%\n$")
        self.assertRegex(ask(server, b"agent-send\n"), r"^up ready \d+%\n$")

        def weight():
            return int(ask(server).split()[2].rstrip("%"))

        def spin():
            self.assert_status(server.get("/fault/spin?ms=300", timeout=30), 200)
            return weight()

        until(lambda: spin() <= 65, 120)  # one of two workers is always busy

    def test_unready_before_the_stop(self):
        server = self.start_checked("--drain-delay", "60s")
        self.assert_status(server.get("/readyz", address=server.admin), 200)
        server.signal(signal.SIGTERM)
        server.wait_log("stopping in 60000 ms, unready until then")
        until(lambda: server.get("/readyz", address=server.admin).status == 503)
        until(lambda: ask(server) == "drain\n")
        self.assertIn("stopping", server.get("/readyz", address=server.admin).text)
        for _ in range(8):  # it still serves whoever has not noticed
            self.assert_status(server.get("/plaintext"), 200)
        server.stop()  # a second signal ends the delay

    def test_stop_after_the_delay(self):
        server = self.start_checked("--drain-delay", "100ms")
        server.signal(signal.SIGTERM)
        server.wait_log("stopping in 100 ms")
        server.wait()
