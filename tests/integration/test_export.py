# SPDX-License-Identifier: MIT
"""Rows of any number from the database to a client, in a bounded memory."""
import csv
import hashlib
import io
import json

import database
import harness
from harness import until

MANY = 250000  # rows: some 18 MB, more than fits into sockets


class Export(harness.ServerTestCase):
    args = ("--processes", "1", "--cpu-threads", "1")

    @classmethod
    def setUpClass(cls):
        cls.database = database.shared()
        cls.server = harness.Server(*cls.args, env={"DATABASE_URL": cls.database.url})

    def exports(self):
        """How many exports the database works on."""
        return int(self.database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            " AND query LIKE '%made for you%' AND pid <> pg_backend_pid()"))

    def expected(self, n):
        return [str(n), hashlib.md5(str(n).encode()).hexdigest(),
                f"row number {n}, made for you"]

    def test_csv_has_a_header_and_every_row(self):
        answer = self.server.get("/export?n=3000")
        self.assert_status(answer, 200)
        self.assertEqual(answer.header("content-type"), "text/csv; charset=utf-8")
        rows = list(csv.reader(io.StringIO(answer.text)))
        self.assertEqual(rows[0], ["n", "digest", "text"])
        self.assertEqual(rows[1:], [self.expected(n) for n in range(1, 3001)])

    def test_json_comes_row_by_row(self):
        answer = self.server.get("/export?n=3000&as=json")
        self.assert_status(answer, 200)
        rows = [list(map(str, json.loads(line).values()))
                for line in answer.text.splitlines()]
        self.assertEqual(rows, [self.expected(n) for n in range(1, 3001)])

    def test_nothing_else_is_exported(self):
        self.assert_status(self.server.get("/export?n=x"), 400)
        self.assert_status(self.server.get("/export?as=xml"), 400)
        self.assertEqual(self.server.get("/export?n=0").text, "n,digest,text\n")

    def slow_client(self, target):
        """Read some, stop until the database has to wait, read the rest; how much."""
        with self.server.connect(timeout=60, receive_buffer=65536) as client:
            client.send_request("GET", target, close=True)
            size = len(client.socket.recv(65536))
            until(lambda: self.database.value(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event = 'ClientWrite'") == "1", 20, "the database waits")
            while data := client.socket.recv(1 << 20):
                size += len(data)
        return size

    def test_a_slow_client_costs_no_memory(self):
        worker = self.server.workers()[0]
        self.server.get("/export?n=1000")
        before = harness.resident_kib(worker)
        for kind in ("csv", "json"):
            size = self.slow_client(f"/export?n={MANY}&as={kind}")
            self.assertGreater(size, 40 * MANY)
            if not harness.SANITIZED:  # which keeps what was freed
                self.assertLess(harness.resident_kib(worker), before + 16 * 1024)

    def test_a_client_that_leaves_takes_its_export_along(self):
        for kind in ("csv", "json"):
            with self.server.connect() as client:
                client.send_request("GET", f"/export?n=100000000&as={kind}")
                client.receive()
                until(lambda: self.exports() == 1, 20, "it runs")
            until(lambda: self.exports() == 0, 20, "it is cancelled")
        self.assert_status(self.server.get("/db"), 200)
