# SPDX-License-Identifier: MIT
"""The web layer as a client sees it: methods, errors, ids, streams, the access log."""
import http.client
import json
import os
import re
import threading

import harness
from harness import until


class Answers(harness.ServerTestCase):
    args = ("--processes", "1")

    def test_an_ordinary_client_understands_everything(self):
        client = http.client.HTTPConnection(self.server.host, self.server.port,
                                            timeout=10)
        self.addCleanup(client.close)
        for method, target, status in (
                ("GET", "/plaintext", 200), ("HEAD", "/plaintext", 200),
                ("GET", "/nowhere", 404), ("OPTIONS", "/plaintext", 204),
                ("DELETE", "/plaintext", 405), ("HEAD", "/nowhere", 404),
                ("GET", "/healthz", 200)):
            with self.subTest(method=method, target=target):
                client.request(method, target)
                answer = client.getresponse()
                answer.read()
                self.assertEqual(answer.status, status)
                self.assertFalse(answer.will_close)

    def test_head_says_what_get_would(self):
        with self.server.connect() as connection:
            get = connection.request("GET", "/plaintext")
            head = connection.request("HEAD", "/plaintext")
        self.assertEqual(dict(get.headers), dict(head.headers) |
                         {"date": get.header("date")})
        self.assertEqual(head.header("content-length"), "13")

    def test_405_and_options_name_the_methods(self):
        for method, status in (("PUT", 405), ("OPTIONS", 204)):
            answer = self.server.request(method, "/plaintext", body=b"")
            self.assert_status(answer, status)
            self.assertEqual(answer.header("allow"), "GET, HEAD, OPTIONS")

    def test_paths_are_decoded_once(self):
        self.assert_status(self.server.get("/%70laintext"), 200)
        self.assert_status(self.server.get("/%2570laintext"), 404)
        self.assert_status(self.server.get("/plain%2Ftext"), 404)
        for target in ("/%", "/%zz", "/%00", "/%ff", "/plaintext%C3"):
            self.assert_status(self.server.get(target), 400)

    def test_400_names_the_field(self):
        for target in ("/sleep?ms=x", "/sleep?ms=-1", "/sleep?ms=99999999999999999999"):
            answer = self.server.get(target)
            self.assert_status(answer, 400)
            self.assertIn("&quot;ms&quot;", answer.text)

    def test_errors_are_html_or_json_by_accept(self):
        answer = self.server.get("/nowhere", headers=[("Accept", "text/html,*/*;q=0.8")])
        self.assertEqual(answer.header("content-type"), "text/html; charset=UTF-8")
        self.assertIn("<h1>404: Not Found</h1>", answer.text)
        answer = self.server.get("/nowhere", headers=[("Accept", "application/json")])
        error = json.loads(answer.text)["error"]
        self.assertEqual((error["status"], error["reason"]), (404, "Not Found"))
        self.assertEqual(error["request_id"], answer.header("x-request-id"))

    def test_an_error_page_shows_no_markup_of_the_client(self):
        answer = self.server.get("/sleep?%3Cscript%3E=%zz&%3Cb%3E")
        self.assert_status(answer, 400)
        self.assertNotIn("<script>", answer.text)

    def test_a_sane_request_id_comes_back(self):
        answer = self.server.get("/plaintext", headers=[("X-Request-Id", "abc.1-2_Z")])
        self.assertEqual(answer.header("x-request-id"), "abc.1-2_Z")
        for bad in ("a b", "<x>", "x" * 65):
            answer = self.server.get("/nowhere", headers=[("X-Request-Id", bad)])
            self.assertRegex(answer.header("x-request-id"), r"^[0-9a-f]{12}-\d{10}$")
        self.assertIsNone(self.server.get("/plaintext").header("x-request-id"))

    def test_failures_do_not_end_a_pipeline(self):
        with self.server.connect() as connection:
            for target in ("/nowhere", "/plaintext", "/sleep?ms=x", "/sleep?ms=1",
                           "/%zz"):
                connection.send_request("GET", target)
            answers = [connection.read_response().status for _ in range(5)]
        self.assertEqual(answers, [404, 200, 400, 200, 400])


class Streams(harness.ServerTestCase):
    args = ("--processes", "1")

    def test_a_body_goes_through_in_chunks(self):
        body = os.urandom(300000)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 1000]), body[i:i + 1000])
                          for i in range(0, len(body), 1000)) + b"0\r\n\r\n"
        with self.server.connect() as connection:
            sender = threading.Thread(target=connection.send_request, args=(
                "POST", "/echo", [("Transfer-Encoding", "chunked")], chunks))
            sender.start()
            answer = connection.read_response()
            sender.join()
        self.assertEqual(answer.header("transfer-encoding"), "chunked")
        self.assertEqual(answer.body, body)

    def test_a_failure_before_the_head_is_a_page(self):
        with self.server.connect() as connection:
            connection.send_request("POST", "/echo", [("Transfer-Encoding", "chunked")],
                                    b"5\r\nhello\r\nzz\r\n")
            answer = connection.read_response()
            self.assert_status(answer, 400)
            self.assertNotIn("hello", answer.text)
            connection.expect_end()

    def test_a_failure_after_the_head_cuts_the_connection(self):
        chunk = b"4000\r\n" + b"x" * 16384 + b"\r\n"
        with self.server.connect() as connection:
            connection.send_request("POST", "/echo", [("Transfer-Encoding", "chunked")],
                                    20 * chunk + b"zz\r\n")
            raw = connection.read_to_end()
        self.assertTrue(raw.startswith(b"HTTP/1.1 200 OK\r\n"), raw[:100])
        self.assertFalse(raw.endswith(b"0\r\n\r\n"), raw[-100:])

    def test_a_body_nobody_wants_is_not_asked_for(self):
        with self.server.connect() as connection:
            connection.send_request("POST", "/nowhere", [
                ("Expect", "100-continue"), ("Content-Length", "1000")])
            self.assertEqual(connection.read_head().status, 404)


class AccessLog(harness.TestCase):
    def lines(self, *args):
        """Start with an access log; a function that returns its first n lines."""
        path = os.path.join(self.folder(), "access.log")
        server = self.start("--processes", "1", "--access-log", path, *args)

        def read(count):
            def enough():
                with open(path, encoding="utf-8") as log:
                    found = log.read().splitlines()
                return found if len(found) >= count else None
            return until(enough, what="%d lines in the access log" % count)

        return server, read

    def test_a_line_is_what_apache_would_write(self):
        server, lines = self.lines()
        server.get("/plaintext?a=%22b", headers=[
            ("User-Agent", "test \"1\" \\"), ("Referer", "http://example.org/"),
            ("X-Request-Id", "find-me")])
        self.assertRegex(lines(1)[0], re.compile(
            r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
            r'"GET /plaintext\?a=%22b HTTP/1\.1" 200 13 "http://example\.org/" '
            r'"test \\x221\\x22 \\x5c" \d+ find-me$'))

    def test_a_line_per_response_whatever_its_end(self):
        server, lines = self.lines()
        server.get("/nowhere")
        with server.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
            self.assertEqual(connection.read_response().status, 400)
        with server.connect() as connection:
            connection.send_request("GET", "/sleep?ms=30000")
            connection.close()
        lines(3)
        chunk = b"4000\r\n" + b"x" * 16384 + b"\r\n"
        with server.connect() as connection:
            connection.send_request("POST", "/echo", [("Transfer-Encoding", "chunked")],
                                    20 * chunk + b"zz\r\n")
            connection.read_to_end()
        found = lines(4)
        self.assertEqual(len(found), 4, found)
        self.assertRegex(found[0], r'"GET /nowhere HTTP/1\.1" 404 \d+ ')
        self.assertRegex(found[1], r'\] "-" 400 \d+ "-" "-" 0 -$')
        self.assertRegex(found[2], r'"GET /sleep\?ms=30000 HTTP/1\.1" 499 0 ')
        self.assertRegex(found[3], r'"POST /echo HTTP/1\.1" 200 \d+ .* cut$')

    def test_lines_are_json_when_the_log_is(self):
        server, lines = self.lines("--log-format", "json")
        server.get("/plaintext", headers=[("User-Agent", 'a"\\\xe9')])
        line = json.loads(lines(1)[0])
        self.assertEqual((line["status"], line["bytes"], line["target"], line["method"]),
                         (200, 13, "/plaintext", "GET"))
        self.assertEqual(line["user_agent"], 'a"\\\xe9')
        self.assertEqual(line["peer"], "127.0.0.1")
