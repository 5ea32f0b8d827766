# SPDX-License-Identifier: MIT
"""The routes of spout-demo, with and without a database."""
import concurrent.futures
import gzip
import hashlib
import html
import json
import os
import re
import signal
import subprocess
import time
import unittest
import urllib.parse

import database
import harness
from harness import until

NEED_DATABASE = ("/db", "/queries?n=2", "/updates?n=2", "/fortunes", "/db/sleep?ms=1",
                 "/cached-queries?count=2")


# What TechEmpower's test of fortunes expects, apostrophes and quotes as references.
FORTUNES_PAGE = (
    "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
    "<tr><th>id</th><th>message</th></tr>"
    "<tr><td>11</td><td>&lt;script&gt;alert(&quot;This should not be displayed in a "
    "browser alert box.&quot;);&lt;/script&gt;</td></tr>"
    "<tr><td>4</td><td>A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1"
    "</td></tr>"
    "<tr><td>5</td><td>A computer program does what you tell it to do, not what you want "
    "it to do.</td></tr>"
    "<tr><td>2</td><td>A computer scientist is someone who fixes things that aren&#39;t "
    "broken.</td></tr>"
    "<tr><td>8</td><td>A list is only as strong as its weakest link. — Donald Knuth</td>"
    "</tr>"
    "<tr><td>0</td><td>Additional fortune added at request time.</td></tr>"
    "<tr><td>3</td><td>After enough decimal places, nobody gives a damn.</td></tr>"
    "<tr><td>7</td><td>Any program that runs right is obsolete.</td></tr>"
    "<tr><td>10</td><td>Computers make very fast, very accurate mistakes.</td></tr>"
    "<tr><td>6</td><td>Emacs is a nice operating system, but I prefer UNIX. — Tom "
    "Christaensen</td></tr>"
    "<tr><td>9</td><td>Feature: A bug with seniority.</td></tr>"
    "<tr><td>1</td><td>fortune: No such file or directory</td></tr>"
    "<tr><td>12</td><td>フレームワークのベンチマーク</td></tr>"
    "</table></body></html>")


class Routes(harness.ServerTestCase):
    args = ("--processes", "1", "--cpu-threads", "2")

    def get_json(self, target):
        answer = self.server.get(target)
        self.assert_status(answer, 200)
        self.assertTrue(answer.header("content-type").startswith("application/json"))
        return json.loads(answer.body)

    def test_plaintext(self):
        answer = self.server.get("/plaintext")
        self.assertEqual(answer.body, b"Hello, World!")
        self.assertTrue(answer.header("content-type").startswith("text/plain"))

    def test_json(self):
        self.assertEqual(self.get_json("/json"), {"message": "Hello, World!"})

    def test_the_page_is_html_and_links_to_what_exists(self):
        answer = self.server.get("/")
        self.assert_status(answer, 200)
        self.assertTrue(answer.header("content-type").startswith("text/html"))
        links = set(re.findall(r'href="(/[^"]*)"', answer.text))
        self.assertGreater(len(links), 8)
        for link in sorted(links):
            with self.subTest(link=link):
                status = self.server.get(html.unescape(link)).status
                self.assertIn(status, (200, 503) if link.split("?")[0] in (
                    "/db", "/queries", "/updates", "/fortunes", "/db/sleep",
                    "/cached-queries") else (200,))
        self.assertNotIn("/fault/", answer.text)

    def test_the_page_needs_nothing_from_elsewhere(self):
        text = self.server.get("/").text
        self.assertNotRegex(text, r'(src|href)="https?:')

    def curl(self, target, *args):
        return subprocess.run(["curl", "-s", *args, self.server.url + target],
                              stdout=subprocess.PIPE, timeout=60, check=True).stdout

    def test_the_page_is_compressed_for_who_takes_it(self):
        plain = self.curl("/")
        head = self.curl("/", "--compressed", "-D", "-", "-o", "/dev/null").lower()
        self.assertRegex(head, rb"\r\ncontent-encoding: (br|gzip)\r\n")
        self.assertIn(b"\r\nvary: accept-encoding\r\n", head)
        for coding in (b"br", b"gzip"):
            page = self.curl("/", "--compressed", "-H", b"Accept-Encoding: " + coding)
            self.assertEqual(len(page), len(plain))

    def test_echo_takes_a_compressed_body(self):
        body = os.urandom(50000) + bytes(100000)
        answer = self.server.request("POST", "/echo", [("Content-Encoding", "gzip")],
                                     gzip.compress(body))
        self.assert_status(answer, 200)
        self.assertEqual(answer.body, body)

    def test_events_come_one_by_one_and_go_on(self):
        events = self.curl("/events?n=3&ms=10", "-N", "-H", "Last-Event-ID: 41").decode()
        self.assertTrue(events.startswith("retry: 2000\n\n"), events)
        self.assertEqual(re.findall(r"id: (\d+)\nevent: tick\ndata: {\"time\": \d+}\n\n",
                                    events), ["42", "43", "44"])

    def test_echo_keeps_bytes_and_type(self):
        body = bytes(range(256)) * 1000
        answer = self.server.request("POST", "/echo",
                                     [("Content-Type", "application/x-test")], body)
        self.assert_status(answer, 200)
        self.assertEqual(answer.body, body)
        self.assertEqual(answer.header("content-type"), "application/x-test")

    def test_echo_of_nothing(self):
        answer = self.server.request("POST", "/echo", body=b"")
        self.assert_status(answer, 200)
        self.assertEqual(answer.body, b"")

    def test_echo_streams(self):
        with self.server.connect() as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" +
                            b"a" * 65536 + b"\r\n4\r\nlast\r\n")
            head = connection.socket.recv(1)  # comes before the body has ended
            self.assertEqual(head, b"H")
            connection.data = head + connection.data
            connection.send(b"0\r\n\r\n")
            self.assertEqual(connection.read_response().body, b"a" * 65536 + b"last")

    def test_upload_tells_size_and_digest(self):
        for size in (0, 1, 3000000):
            body = os.urandom(size)
            answer = self.server.request("POST", "/upload", body=body)
            self.assert_status(answer, 200)
            self.assertEqual(json.loads(answer.body),
                             {"size": size, "sha256": hashlib.sha256(body).hexdigest()})

    @unittest.skipIf(harness.SLOW > 1, "a sanitizer keeps what was freed")
    def test_an_upload_is_not_held_in_memory(self):
        worker = self.server.workers()[0]
        self.server.request("POST", "/upload", body=b"x" * 100000)
        before = harness.resident_kib(worker)
        self.server.request("POST", "/upload", body=b"x" * 32000000)
        self.assertLess(harness.resident_kib(worker) - before, 4096)

    def test_sleep_waits(self):
        self.assertEqual(self.get_json("/sleep?ms=30"), {"slept_ms": 30})

    def test_cpu_burns(self):
        self.assertGreater(self.get_json("/cpu?ms=30")["rounds"], 0)

    def test_wrong_numbers_are_400_and_name_the_field(self):
        for target in ("/sleep?ms=x", "/sleep?ms=-1", "/sleep?ms=60001", "/cpu?ms=1.5"):
            with self.subTest(target=target):
                answer = self.server.get(target)
                self.assert_status(answer, 400)
                self.assertIn("ms", answer.text)

    def test_fault_routes_are_absent_unless_asked_for(self):
        for path in ("/fault/spin", "/fault/crash", "/fault/leak", "/fault/abort-db"):
            self.assert_status(self.server.get(path), 404)

    def test_without_a_database_its_routes_say_what_is_missing(self):
        for target in NEED_DATABASE:
            with self.subTest(target=target):
                answer = self.server.get(target)
                self.assert_status(answer, 503)
                self.assertIn("--database URL", answer.text)

    def test_without_a_database_it_is_ready(self):
        self.assert_status(self.server.get("/readyz"), 200)

    def test_other_methods_are_405(self):
        self.assert_status(self.server.request("POST", "/plaintext", body=b""), 405)
        self.assert_status(self.server.get("/echo"), 405)


class LargeUpload(harness.ServerTestCase):
    limit_seconds = 600

    @unittest.skipIf(harness.SLOW > 1, "a sanitizer has memory of its own")
    def test_a_large_upload_passes_through_little_memory(self):
        """SPOUT_UPLOAD_BYTES in the environment: how large [256 MiB]."""
        size = int(os.environ.get("SPOUT_UPLOAD_BYTES", 256 << 20))
        piece = os.urandom(1 << 20)
        digest = hashlib.sha256()
        began = time.monotonic()
        with self.server.connect(timeout=60) as connection:
            connection.send(b"POST /upload HTTP/1.1\r\nHost: x\r\n"
                            b"Content-Length: %d\r\n\r\n" % size)
            for offset in range(0, size, len(piece)):
                connection.send(piece[:size - offset])
                digest.update(piece[:size - offset])
            answer = connection.read_response()
        seconds = time.monotonic() - began
        self.assert_status(answer, 200)
        self.assertEqual(json.loads(answer.body),
                         {"size": size, "sha256": digest.hexdigest()})
        with open("/proc/%d/status" % self.server.workers()[0]) as status:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1))
        print("%d MiB in %.1f s, the worker had %.1f MiB at most" % (
            size >> 20, seconds, peak / 1024))
        self.assertLess(peak, 64 * 1024)


class Fetch(harness.TestCase):
    """Two servers: one asks the other."""

    def setUp(self):
        self.upstream = self.start("--processes", "1")
        self.server = self.start("--processes", "1", "--fetch-allow")

    def fetch(self, path, more=""):
        url = urllib.parse.quote(self.upstream.url + path, safe="")
        return self.server.get("/fetch?url=%s%s" % (url, more))

    def test_it_passes_the_answer_on(self):
        for sync in ("", "&sync=0", "&sync=1"):
            with self.subTest(sync=sync):
                answer = self.fetch("/json", sync)
                self.assert_status(answer, 200)
                self.assertEqual(json.loads(answer.body), {"message": "Hello, World!"})
                self.assertTrue(
                    answer.header("content-type").startswith("application/json"))
                self.assert_status(self.fetch("/nothing", sync), 404)

    def test_many_wait_at_once_unless_sync(self):
        def all_at_once(more):
            began = time.monotonic()
            target = "/sleep?ms=300"
            with concurrent.futures.ThreadPoolExecutor(5) as pool:
                for answer in pool.map(lambda _: self.fetch(target, more), range(5)):
                    self.assert_status(answer, 200)
            return time.monotonic() - began
        self.assertLess(all_at_once(""), 1.4 * harness.SLOW)
        self.assertGreaterEqual(all_at_once("&sync=1"), 1.5)

    def test_only_loopback_and_only_when_allowed(self):
        self.assert_status(self.upstream.get("/fetch?url=http://127.0.0.1:1/"), 403)
        for sync in ("", "&sync=1"):
            with self.subTest(sync=sync):
                for url in ("http://192.0.2.1/", "http://169.254.169.254/",
                            "http://[2001:db8::1]/"):
                    answer = self.server.get("/fetch?url=%s%s" % (url, sync))
                    self.assert_status(answer, 403)
                    self.assertIn("loopback", answer.text)

    def test_failures_have_their_status(self):
        self.assert_status(self.server.get("/fetch"), 400)
        for sync in ("", "&sync=1"):
            with self.subTest(sync=sync):
                for url, status in (("nonsense", 400), ("file:///etc/passwd", 400),
                                    ("http://127.0.0.1:1/", 502)):
                    self.assert_status(
                        self.server.get("/fetch?url=%s%s" % (url, sync)), status)

    def test_the_page_sends_it_to_itself(self):
        self.assertIn("/fetch?url=", self.server.get("/").text)


class Faults(harness.TestCase):
    def test_a_crash_costs_one_worker_that_is_replaced(self):
        server = self.start("--processes", "1", "--fault-routes")
        old = server.workers()[0]
        with server.connect() as connection:
            connection.send(b"GET /fault/crash HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(connection.socket.recv(1), b"")
        self.assertEqual(server.get("/plaintext").body, b"Hello, World!")
        self.assertNotEqual(server.workers()[0], old)

    def test_the_page_names_them(self):
        server = self.start("--processes", "1", "--fault-routes")
        self.assertIn("/fault/crash", server.get("/").text)

    def test_spin_blocks_and_leak_grows(self):
        server = self.start("--processes", "1", env={"SPOUT_FAULT_ROUTES": "yes"})
        self.assertEqual(json.loads(server.get("/fault/spin?ms=20").body),
                         {"spun_ms": 20})
        worker = server.workers()[0]
        before = harness.resident_kib(worker)
        self.assertEqual(json.loads(server.get("/fault/leak?kib=8192").body),
                         {"leaked_kib": 8192})
        self.assertGreater(harness.resident_kib(worker) - before, 8000)


class WithDatabase(harness.ServerTestCase):
    @classmethod
    def setUpClass(cls):
        cls.database = database.shared()
        cls.server = harness.Server("--processes", "2", "--fault-routes",
                                    env={"DATABASE_URL": cls.database.url})
        until(lambda: cls.server.get("/fortunes").status == 200)

    def get_json(self, target):
        answer = self.server.get(target)
        self.assert_status(answer, 200)
        return json.loads(answer.body)

    def test_the_tables_are_made_and_full(self):
        self.assertEqual(self.database.value("SELECT count(*) FROM world"), "10000")
        self.assertEqual(self.database.value(
            "SELECT count(*) FROM world WHERE randomnumber NOT BETWEEN 0 AND 10000"), "0")
        self.assertEqual(self.database.value("SELECT count(*) FROM fortune"), "12")

    def test_db_is_one_world(self):
        world = self.get_json("/db")
        self.assertEqual(sorted(world), ["id", "randomNumber"])
        self.assertTrue(1 <= world["id"] <= 10000)

    def test_queries_are_counted_as_techempower_wants(self):
        for n, expected in (("1", 1), ("7", 7), ("0", 1), ("x", 1), ("", 1), ("-3", 1),
                            ("501", 500), ("99999999999999999999", 500)):
            with self.subTest(n=n):
                self.assertEqual(len(self.get_json("/queries?n=" + n)), expected)
                self.assertEqual(len(self.get_json("/queries?queries=" + n)), expected)
                self.assertEqual(
                    len(self.get_json("/cached-queries?count=" + n)), expected)
        self.assertEqual(len(self.get_json("/queries")), 1)
        self.assertEqual(len(self.get_json("/cached-queries")), 1)

    def test_cached_worlds_are_those_of_the_table(self):
        stored = dict(self.database.query("SELECT id, randomnumber FROM world"))
        for _ in range(4): # what the first ones read the last ones find
            for world in self.get_json("/cached-queries?count=500"):
                self.assertTrue(1 <= world["randomNumber"] <= 10000)
                self.assertIn(str(world["id"]), stored)

    def test_updates_are_written(self):
        worlds = self.get_json("/updates?n=20")
        self.assertEqual(len({world["id"] for world in worlds}), 20)
        stored = dict(self.database.query(
            "SELECT id, randomnumber FROM world WHERE id IN (%s)" %
            ",".join(str(world["id"]) for world in worlds)))
        self.assertEqual({str(w["id"]): str(w["randomNumber"]) for w in worlds}, stored)

    def test_fortunes_are_the_page_that_techempower_expects(self):
        answer = self.server.get("/fortunes")
        self.assertEqual(answer.text, FORTUNES_PAGE)

    def test_fortunes_are_sorted_and_escaped(self):
        answer = self.server.get("/fortunes")
        self.assertEqual(answer.header("content-type"), "text/html; charset=utf-8")
        self.assertTrue(answer.text.startswith(
            "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
            "<tr><th>id</th><th>message</th></tr>"
            "<tr><td>11</td><td>&lt;script&gt;alert("), answer.text)
        rows = re.findall(r"<tr><td>(\d+)</td><td>(.*?)</td></tr>", answer.text)
        self.assertEqual(len(rows), 13)
        texts = [html.unescape(text) for _, text in rows]
        self.assertEqual(texts, sorted(texts))
        self.assertIn(("0", "Additional fortune added at request time."), rows)
        self.assertIn(("12", "フレームワークのベンチマーク"), rows)
        self.assertNotIn("<script>", answer.text)

    def test_db_sleep_waits_in_the_database(self):
        self.assertEqual(self.get_json("/db/sleep?ms=20"), {"slept_ms": 20})

    def test_losing_the_session_costs_one_request(self):
        self.assert_status(self.server.get("/fault/abort-db?how=backend"), 503)
        self.assert_status(self.server.get("/db"), 200)

    def test_giving_up_leaves_no_trace(self):
        self.database.query("UPDATE world SET randomnumber = 7 WHERE id = 1")
        self.assert_status(self.server.get("/fault/abort-db?how=transaction"), 500)
        self.assertEqual(self.database.value(
            "SELECT randomnumber FROM world WHERE id = 1"), "7")
        self.assertEqual(self.database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"), "0")


class DatabaseDown(harness.TestCase):
    def test_it_starts_without_the_database_and_finds_it_later(self):
        own = database.Database(self.folder())
        self.addCleanup(own.destroy)
        own.stop()
        server = self.start("--processes", "1", env={"DATABASE_URL": own.url})
        self.assert_status(server.get("/plaintext"), 200)
        self.assert_status(server.get("/readyz"), 503)
        answer = server.get("/db")
        self.assert_status(answer, 503)
        self.assertIsNotNone(answer.header("retry-after"))
        own.start()
        until(lambda: server.get("/fortunes").status == 200)
        self.assert_status(server.get("/readyz"), 200)

    def test_a_stop_does_not_wait_for_a_database_that_is_down(self):
        server = self.start("--processes", "1",
                            env={"DATABASE_URL": "postgresql:///x?host=/nonexistent"})
        self.assert_status(server.get("/db"), 503)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), 0)


class Users(harness.TestCase):
    """src/examples/users.c, and with it rows as JSON."""

    def test_users_are_listed_shown_and_added(self):
        own = database.shared()
        own.query("DROP TABLE IF EXISTS users; CREATE TABLE users "
                  "(id serial PRIMARY KEY, name text NOT NULL, email text)")
        server = self.start("--processes", "1", env={"DATABASE_URL": own.url},
                            program=os.path.join(harness.BUILD, "src/examples/users"))
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        answer = server.request("POST", "/users", form, b"name=Ann+%26+Bob&email=a%40b")
        self.assert_status(answer, 201)
        self.assertEqual(json.loads(answer.body), {"id": 1})
        self.assert_status(server.request("POST", "/users", form, b"name=Eve"), 201)
        self.assertEqual(json.loads(server.get("/users/1").body),
                         {"name": "Ann & Bob", "email": "a@b"})
        self.assertEqual(json.loads(server.get("/users/2").body),
                         {"name": "Eve", "email": None})
        self.assertEqual(json.loads(server.get("/users").body),
                         [{"id": 1, "name": "Ann & Bob"}, {"id": 2, "name": "Eve"}])
        self.assert_status(server.get("/users/3"), 404)
        self.assert_status(server.get("/users/x"), 400)
        self.assert_status(server.request("POST", "/users", form, b"email=x"), 400)
