# SPDX-License-Identifier: MIT
"""Programs that a worker has started, when their request or their worker ends."""
import os
import time

import harness


def zombies(parent):
    """The children of a process that have ended and were not waited for."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, "rb") as stat:
                fields = stat.read().rpartition(b") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] == b"Z":
            found.append(int(name))
    return found


class ProcessTest(harness.TestCase):

    def setUp(self):
        self.server = self.start(
            "--processes", "1", "--drain-timeout", "1s", "--log-level", "info",
            program=os.path.join(harness.BUILD, "tests", "integration", "children"))
        self.worker = self.server.workers()[0]

    def start_one(self, path):
        seen = len(self.server.lines)
        self.assert_status(self.server.get(path), 200)
        return int(self.server.wait_log(r"started (\d+)", start=seen)[0].group(1))

    def test_one_that_ends_is_reaped(self):
        self.assertEqual(self.server.get("/wait?seconds=0").text, "ended\n")
        self.assertEqual(harness.children(self.worker) + zombies(self.worker), [])

    def test_a_deadline_stops_what_the_request_waits_for(self):
        self.assert_status(self.server.get("/wait?seconds=1000"), 504)
        harness.until(lambda: not harness.children(self.worker))
        harness.until(lambda: not zombies(self.worker))

    def test_a_client_that_goes_away_takes_it_along(self):
        with self.server.connect() as client:
            client.send(b"GET /wait?seconds=1000 HTTP/1.1\r\nHost: a\r\n\r\n")
            pid = int(self.server.wait_log(r"started (\d+)")[0].group(1))
            self.assertTrue(harness.exists(pid))
        harness.until(lambda: not harness.exists(pid))
        harness.until(lambda: not zombies(self.worker))

    def test_a_worker_that_stops_leaves_none_behind(self):
        pids = [self.start_one(path) for path in ("/task", "/task", "/stubborn")]
        self.assertTrue(all(map(harness.exists, pids)))
        began = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - began, 20 * harness.SLOW)
        self.assertEqual([pid for pid in pids if harness.exists(pid)], [])

    def test_its_number_of_descriptors_stays_what_it_was(self):
        self.server.get("/wait?seconds=0")
        before = harness.descriptors(self.worker)
        for _ in range(20):
            self.server.get("/wait?seconds=0")
        # The connection of the last request may be open for a moment longer.
        harness.until(lambda: harness.descriptors(self.worker) <= before)


if __name__ == "__main__":
    raise SystemExit("run by tests/integration/run")
