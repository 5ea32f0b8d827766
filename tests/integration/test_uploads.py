# SPDX-License-Identifier: MIT
"""Uploads that mean harm: forms that explode, bodies without end, clients that drip."""
import json
import os
import select
import time

import harness

UPLOAD = os.path.join(harness.BUILD, "src", "examples", "file_upload")
FORM = ("Content-Type", "multipart/form-data; boundary=b")
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%d"\r\n\r\n%b\r\n'
END = b"--b--\r\n"


def form(*contents):
    return b"".join(PART % (i, text) for i, text in enumerate(contents)) + END


class Bombs(harness.TestCase):
    """In memory and as they come: each is refused, and costs next to nothing."""

    def setUp(self):
        self.kept = self.folder()
        self.server = self.start("--processes", "1", "--folder", self.kept,
                                 program=UPLOAD)
        self.worker, = self.server.workers()
        self.post("/memory", form(b"x" * 1000000))  # buffers and threads are there
        self.before = harness.resident_kib(self.worker)

    def tearDown(self):
        grown = harness.resident_kib(self.worker) - self.before
        if not harness.SANITIZED:  # which keeps what was freed
            self.assertLess(grown, 40 << 10, "KiB more than before")
        self.assertEqual(self.server.workers(), [self.worker])

    def post(self, path, body, headers=(FORM,), timeout=60):
        with self.server.connect(timeout=timeout) as connection:
            connection.send_request("POST", path, headers, body)
            return connection.read_response()

    def refused(self, body, status, text=""):
        for path in ("/memory", "/disk"):
            with self.subTest(path=path, length=len(body)):
                answer = self.post(path, body)
                self.assert_status(answer, status)
                self.assertIn(text, answer.text)
        harness.until(lambda: os.listdir(self.kept) == [])

    def test_many_parts(self):
        self.assert_status(self.post("/memory", form(*[b""] * 100)), 200)
        self.refused(form(*[b""] * 101), 400, "more than 100 parts")
        self.refused(form(*[b""] * 150000), 400, "more than 100 parts")

    def test_heads_of_parts(self):
        def with_head(head):
            return b"--b\r\n" + head + PART[5:] % (1, b"x") + END
        self.assert_status(self.post("/memory", with_head(b"X: %b\r\n" % (b"x" * 9000))),
                           200)
        self.refused(with_head(b"X: %b\r\n" % (b"x" * 11000)), 400)
        self.refused(with_head(b"X: x\r\n" * 2000), 400)
        self.refused(with_head(b"X: %b\r\n" % (b"x" * 12000000)), 400)
        self.refused(b"--b\r\n" + b"X: " + b"x" * 12000000, 400)

    def test_a_form_in_a_form_is_a_file(self):
        inner = form(*[b"y"] * 500).replace(b"--b", b"--c")
        for path in ("/memory", "/disk"):
            answer = self.post(path, form(inner))
            self.assert_status(answer, 200)
            self.assertEqual(len(answer.text.splitlines()), 1)
            self.assertIn(" %d " % len(inner), answer.text)

    def test_what_only_looks_like_a_delimiter_costs_no_more(self):
        near = (b"\r\n--" + b"\r\n-" * 3 + b"\r") * 500000
        for path in ("/memory", "/disk"):
            answer = self.post(path, form(near))
            self.assert_status(answer, 200)
            self.assertIn(" %d " % len(near), answer.text)

    def test_delimiters_that_never_come(self):
        for body in (b"", b"-" * 3000000, PART[:40], PART % (1, b"x"), b"\r\n" * 1000000):
            self.refused(body, 400)
        self.assert_status(self.post("/memory", form(), [(
            "Content-Type", "multipart/form-data; boundary=" + "b" * 71)]), 400)

    def test_too_large_is_413_before_it_is_there(self):
        with self.server.connect() as connection:
            connection.send(b"POST /memory HTTP/1.1\r\nHost: x\r\nContent-Length: "
                            b"100000000000\r\nContent-Type: %b\r\n\r\n--b"
                            % FORM[1].encode())
            self.assert_status(connection.read_response(), 413)
        with self.server.connect(timeout=60) as connection:
            connection.send(b"POST /memory HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                            b"chunked\r\nContent-Type: %b\r\n\r\n" % FORM[1].encode())
            chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
            for _ in range(17):
                connection.send(chunk)
            self.assert_status(connection.read_response(), 413)


class Slow(harness.TestCase):
    def test_a_client_that_drips_gets_408(self):
        """One byte a second: after five seconds of waiting for it that is enough."""
        server = self.start("--processes", "1", "--folder", self.folder(),
                            program=UPLOAD)
        drips = []
        for path in ("/memory", "/disk"):
            connection = server.connect(timeout=60)
            self.addCleanup(connection.close)
            connection.send_request("POST", path, [FORM, ("Content-Length", "1000000")])
            connection.send(PART[:-6] % 1)
            drips.append(connection)
        began = time.monotonic()
        waiting = list(drips)
        while waiting:
            for connection in waiting:
                connection.send(b"x")
            ready = select.select([c.socket for c in waiting], [], [], 1)[0]
            waiting = [c for c in waiting if c.socket not in ready]
            self.assertLess(time.monotonic() - began, 40)
        self.assertGreater(time.monotonic() - began, 4)
        for connection in drips:
            self.assert_status(connection.read_response(), 408)

    def test_who_is_slow_but_not_that_slow_is_served(self):
        server = self.start("--processes", "1")
        body = os.urandom(3000)
        with server.connect(timeout=60) as connection:
            connection.send_request("POST", "/upload", [("Content-Length", "3000")])
            for at in range(0, len(body), 500):
                connection.send(body[at:at + 500])
                time.sleep(0.1)  # so fast is no drip
            answer = connection.read_response()
        self.assertEqual(json.loads(answer.body)["size"], 3000)
