# SPDX-License-Identifier: MIT
"""
Static files as clients see them: curl, raw paths, slow readers, files that change while
they are sent, too few descriptors.
"""
import hashlib
import os
import subprocess
import threading
import time

import harness
from harness import until

BIG = 24 << 20


class Files(harness.TestCase):
    def setUp(self):
        self.root = self.folder()
        self.put("small.txt", b"0123456789" * 50)
        self.put("big.bin", b"")
        block = hashlib.sha256(b"spout").digest() * 2048
        with open(self.path("big.bin"), "wb") as file:
            for i in range(BIG // len(block)):
                file.write(i.to_bytes(4, "big") + block[4:])

    def path(self, name):
        return os.path.join(self.root, name)

    def put(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def serve(self, *args, **options):
        return self.start("--processes", "1", "--static-path", self.root, *args,
                          **options)

    def curl(self, server, target, *args):
        """(status, body) as curl gets them."""
        out = os.path.join(self.folder(), "out")
        done = subprocess.run(
            ["curl", "-s", "--path-as-is", "-o", out, "-w", "%{http_code}", *args,
             server.url + target], stdout=subprocess.PIPE, timeout=60, check=False)
        body = b""
        if os.path.exists(out):
            with open(out, "rb") as file:
                body = file.read()
        return int(done.stdout), body


class Curl(Files):
    def test_whole_files_and_heads(self):
        server = self.serve()
        for name in ("small.txt", "big.bin"):
            self.assertEqual(self.curl(server, "/static/" + name), (200, self.read(name)))
            head = server.request("HEAD", "/static/" + name)
            self.assert_status(head, 200)
            self.assertEqual(int(head.header("content-length")),
                             os.path.getsize(self.path(name)))

    def test_ranges(self):
        server, big = self.serve(), self.read("big.bin")
        for spec, first, last in (("0-0", 0, 0), ("5000000-9999999", 5000000, 9999999),
                                  ("-3000000", BIG - 3000000, BIG - 1),
                                  ("25000000-", 25000000, BIG - 1)):
            self.assertEqual(self.curl(server, "/static/big.bin", "-r", spec),
                             (206, big[first:last + 1]))
        self.assertEqual(self.curl(server, "/static/big.bin", "-r", "%d-" % BIG),
                         (416, b""))

    def test_a_download_goes_on_where_it_stopped(self):
        server, big = self.serve(), self.read("big.bin")
        part = os.path.join(self.folder(), "part")
        with open(part, "wb") as file:
            file.write(big[:7000001])
        harness.command("curl", "-s", "-f", "-C", "-", "-o", part,
                        server.url + "/static/big.bin")
        with open(part, "rb") as file:
            self.assertEqual(file.read(), big)

    def test_etags_and_times_make_304(self):
        server = self.serve()
        etags = os.path.join(self.folder(), "etag")
        for args, status in ((("--etag-save", etags), 200),
                             (("--etag-compare", etags), 304),
                             (("-z", self.path("small.txt")), 304)):
            self.assertEqual(self.curl(server, "/static/small.txt", *args)[0], status)

    def test_a_precompressed_sibling(self):
        self.put("page.html", b"<p>plain" * 100)
        subprocess.run(["gzip", "-k", self.path("page.html")], check=True)
        server = self.serve()
        self.assertEqual(self.curl(server, "/static/page.html", "--compressed"),
                         (200, b"<p>plain" * 100))
        plain = server.get("/static/page.html")
        self.assertEqual(plain.header("vary"), "Accept-Encoding")
        zipped = server.request("GET", "/static/page.html", [("Accept-Encoding", "gzip")])
        self.assertEqual(zipped.header("content-encoding"), "gzip")
        self.assertNotEqual(zipped.header("etag"), plain.header("etag"))

    def test_the_demo_brings_files_of_its_own(self):
        server = self.start("--processes", "1")
        page = server.get("/static/")
        self.assert_status(page, 200)
        self.assertIn("<h1>Static files</h1>", page.text)
        self.assertEqual(server.get("/static/spout.svg").header("content-type"),
                         "image/svg+xml")


class Traversal(Files):
    """Nothing outside of the directory, whatever the path."""

    limit_seconds = 120

    def test_no_path_leads_out(self):
        secret = os.path.join(os.path.dirname(self.root), "spout-test-secret")
        with open(secret, "wb") as file:
            file.write(b"TOP SECRET")
        self.addCleanup(os.unlink, secret)
        name = os.path.basename(secret)
        os.symlink(secret, self.path("link"))
        os.symlink(os.path.dirname(self.root), self.path("up"))
        os.symlink("/", self.path("slash"))
        os.symlink("../" + name, self.path("relative"))
        os.symlink("/proc/self", self.path("magic"))
        server = self.serve()
        os.mkfifo(self.path("fifo"))
        self.put(".hidden", b"TOP SECRET")
        self.put(".git/config", b"TOP SECRET")
        up = ("..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%25252e%25252e", "..;",
              "..;a=b", "...", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae.",
              "%c0%2e%c0%2e", "%uff0e%uff0e", "%u002e%u002e", "..%00", "%00..", "..%0a",
              "..%20", "..%09", "\xc0\xae\xc0\xae", "\xef\xbc\x8e\xef\xbc\x8e")
        slashes = ("/", "%2f", "%2F", "%5c", "\\", "//", "/./", "%252f", "%255c",
                   "%c0%af", "%c1%9c", "%e0%80%af", "\xc0\xaf", "%u2215", ";/")
        targets = ["%s%s%s" % (dots, slash, name) for dots in up for slash in slashes]
        targets += ["a%s%s%s%s%s" % (slash, dots, slash, dots, slash) + name
                    for dots in up for slash in slashes]
        targets += [secret, "/" + secret, "link", "up/" + name, "relative",
                    "slash" + secret, "slash/etc/passwd", "magic/root" + secret,
                    "magic/environ", "magic/cwd/" + name, "up", "up/", "slash/",
                    "file://" + secret, "small.txt/../../" + name, "fifo",
                    "small.txt/", "small.txt/.", "small.txt%00", "small.txt%00.html",
                    "%00", "%00small.txt", "./small.txt", "%2e/small.txt", "//small.txt",
                    "a//small.txt", ".hidden", "%2ehidden", ".git/config", "%",
                    "%2", "%zz", "small.txt%", "~root/", "x" * 5000, "a/" * 2000]
        self.refuse(server, ["/static/" + target for target in targets])
        self.refuse(server, [
            "/static/../" + name, "/static%2f..%2f" + name, "//static/../" + name,
            "/static;/../" + name, "/../../../../../../../.." + secret,
            "http://x/static/../" + name, "http://x/static/%2e%2e/" + name, secret])
        self.assert_status(server.get("/static/small.txt"), 200)
        self.assert_status(server.get("/static/small%2etxt"), 200)

    def refuse(self, server, targets):
        for target in targets:
            with server.connect() as connection:  # as it is, whatever the bytes are
                connection.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
                                % target.encode("latin-1"))
                response = connection.read_response()
            self.assertIn(response.status, (400, 403, 404, 414), (target, response))
            self.assertNotIn(b"TOP SECRET", response.raw)


class Change(Files):
    """Files and readers that misbehave while a file is sent."""

    def slow_start(self, server, name="big.bin"):
        """A connection that has read the head of a file, and little more."""
        connection = server.connect(timeout=20, receive_buffer=1 << 18)
        connection.send(b"GET /static/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                        % name.encode())
        data = connection.socket.recv(65536)
        self.assertTrue(data.startswith(b"HTTP/1.1 200 "))
        return connection, data

    @staticmethod
    def rest(connection, data):
        """All that still comes, without its head."""
        pieces = [data]
        with connection:
            while pieces[-1]:
                pieces.append(connection.socket.recv(1 << 20))
        return b"".join(pieces).partition(b"\r\n\r\n")[2]

    def test_slow_readers_cost_no_memory(self):
        server = self.serve()
        worker, = server.workers()
        self.assert_status(server.get("/static/small.txt"), 200)
        before = harness.resident_kib(worker)
        slow = [self.slow_start(server) for _ in range(20)]
        time.sleep(0.5)  # nothing to wait for: it must not grow
        grown = harness.resident_kib(worker) - before
        self.assert_status(server.get("/static/small.txt"), 200)
        big = self.read("big.bin")
        for connection, data in slow[:3]:
            self.assertEqual(self.rest(connection, data), big)
        for connection, _ in slow[3:]:
            connection.close()
        if harness.SLOW == 1:
            self.assertLess(grown, 8192, "KiB for 20 readers of 24 MiB each")

    def test_a_file_replaced_meanwhile_is_sent_as_it_was(self):
        server, big = self.serve(), self.read("big.bin")
        connection, data = self.slow_start(server)
        self.put("new", b"x" * 1000)
        os.rename(self.path("new"), self.path("big.bin"))
        self.assertEqual(self.rest(connection, data), big)
        until(lambda: server.get("/static/big.bin").body == b"x" * 1000, 5,
              "the new file is served")

    def test_a_file_truncated_meanwhile_is_cut(self):
        server = self.serve()
        connection, data = self.slow_start(server)
        os.truncate(self.path("big.bin"), 1 << 20)
        body = self.rest(connection, data)
        self.assertLess(len(body), BIG)
        server.wait_log("sending a file: it became shorter meanwhile")
        self.assertEqual(len(server.get("/static/big.bin").body), 1 << 20)

    def test_a_file_removed_meanwhile_is_sent_to_the_end(self):
        server, big = self.serve(), self.read("big.bin")
        connection, data = self.slow_start(server)
        os.unlink(self.path("big.bin"))
        self.assertEqual(self.rest(connection, data), big)
        until(lambda: server.get("/static/big.bin").status == 404, 5)

    def test_a_directory_behind_a_link_can_be_replaced(self):
        self.put("one/a.txt", b"one")
        self.put("two/a.txt", b"two")
        os.symlink("one", self.path("current"))
        server = self.start("--processes", "1", "--static-path", self.path("current"))
        self.assertEqual(server.get("/static/a.txt").body, b"one")
        os.symlink("two", self.path("next"))
        os.rename(self.path("next"), self.path("current"))
        until(lambda: server.get("/static/a.txt").body == b"two", 5)

    def test_files_written_all_the_time_are_whole(self):
        """Each state is renamed into place: no answer mixes two of them."""
        server = self.serve()
        stop = threading.Event()

        def write():
            for i in range(100000):
                if stop.is_set():
                    return
                self.put("tmp", b"%05d\n" % i * 500)
                os.rename(self.path("tmp"), self.path("state.txt"))

        writer = threading.Thread(target=write)
        self.put("state.txt", b"start\n" * 500)
        writer.start()
        try:
            seen = set()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                lines = server.get("/static/state.txt").body.split(b"\n")
                self.assertEqual(len(lines), 501)
                self.assertEqual(len(set(lines[:-1])), 1)
                seen.add(lines[0])
        finally:
            stop.set()
            writer.join()
        self.assertGreater(len(seen), 1)


class FewDescriptors(Files):
    def test_without_descriptors_files_wait_for_better_times(self):
        script = os.path.join(self.folder(), "limited")
        with open(script, "w") as file:
            file.write("#!/bin/sh\nulimit -n 64\nexec %s \"$@\"\n" % harness.DEMO)
        os.chmod(script, 0o755)
        for i in range(60):
            self.put("f%d.bin" % i, b"%d" % i * 6000)
        server = self.serve(program=script)
        for i in range(60):  # more than there are descriptors: kept ones are let go
            response = server.get("/static/f%d.bin" % i)
            self.assert_status(response, 200)
            self.assertEqual(response.body, b"%d" % i * 6000)
        idle = [server.connect() for _ in range(100)]
        time.sleep(0.2)
        for connection in idle:
            connection.close()
        until(lambda: server.get("/static/f7.bin").status == 200, 10)
