# SPDX-License-Identifier: MIT
"""The programs of src/examples that are no web applications."""
import os
import pty
import re
import signal
import socket
import subprocess
import threading

import harness


def example(name):
    return os.path.join(harness.BUILD, "src", "examples", name)


class Echo(harness.Program):
    """src/examples/tcp_echo, listening on a free port."""

    def __init__(self):
        super().__init__([example("tcp_echo"), "127.0.0.1:0"])
        found = self.wait_log(r"^listening on port (\d+)$")[0]
        self.address = ("127.0.0.1", int(found.group(1)))

    def connect(self):
        return socket.create_connection(self.address, 20 * harness.SLOW)

    def stop(self, signo=signal.SIGTERM, status=0):
        self.signal(signo)
        if self.wait() != status:
            raise harness.Broken("tcp_echo: not status %d\n%s" % (status, self.log()))
        self.check_log()


def read_all(client):
    parts = []
    while True:
        part = client.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


class TcpEchoTest(harness.TestCase):

    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.kill)

    def in_threads(self, run, n):
        """run(i) in n threads at once; fails with what the first of them failed with."""
        failed = []

        def guarded(i):
            try:
                run(i)
            except Exception as error:  # pylint: disable=broad-except
                failed.append(error)

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def test_many_clients_at_once_get_their_own_lines(self):
        clients = [self.echo.connect() for _ in range(200)]
        for round_number in range(3):
            for i, client in enumerate(clients):
                client.sendall(b"round %d of client %d\n" % (round_number, i))
        for i, client in enumerate(clients):
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), b"".join(
                b"round %d of client %d\n" % (r, i) for r in range(3)))
            client.close()
        self.echo.stop()

    def test_half_close_behind_the_last_line_loses_nothing(self):
        with self.echo.connect() as client:
            lines = b"".join(b"line %d\n" % i for i in range(5000))
            client.sendall(lines)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), lines)
        self.echo.stop(signal.SIGINT)

    def test_a_line_may_have_65536_bytes_and_no_more(self):
        line = b"x" * 65535 + b"\n"
        with self.echo.connect() as client:
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), line)
        with self.echo.connect() as client:
            client.sendall(b"first\n" + b"x" * 65536 + b"\n")
            try:
                self.assertEqual(client.recv(6), b"first\n")
                self.assertEqual(client.recv(1), b"")
            except ConnectionResetError:
                pass  # the rest of its line was unread
        self.echo.stop()

    def test_a_slow_reader_holds_up_itself_alone(self):
        slow, quick = self.echo.connect(), self.echo.connect()
        lines = b"".join(b"%07d\n" % i for i in range(500000))  # 4 MB: more than buffers
        sender = threading.Thread(target=slow.sendall, args=(lines,))
        sender.start()
        for i in range(100):
            quick.sendall(b"quick %d\n" % i)
            self.assertEqual(quick.recv(100), b"quick %d\n" % i)
        self.assertLess(harness.resident_kib(self.echo.pid), 40000 * harness.SLOW)
        got = b""
        while len(got) < len(lines):
            got += slow.recv(1 << 20)
        sender.join()
        self.assertEqual(got, lines)
        slow.close()
        quick.close()
        self.echo.stop()

    def test_sigterm_in_the_middle_loses_nothing_that_was_echoed(self):
        """Whole lines, from the first on, none left out, then the end and no reset."""
        counts = [0] * 20
        go_on = threading.Barrier(21)

        def talk(i):
            client = self.echo.connect()
            got = bytearray()

            def send():
                try:
                    for n in range(1 << 30):
                        client.sendall(b"client %d line %d\n" % (i, n))
                except OSError:
                    pass  # the server has stopped

            sender = threading.Thread(target=send)
            sender.start()
            while got.count(b"\n") < 100:
                got += client.recv(65536)
            go_on.wait()
            while True:
                part = client.recv(65536)
                if not part:
                    break
                got += part
            client.shutdown(socket.SHUT_RDWR)
            sender.join()
            client.close()
            lines = bytes(got).split(b"\n")
            self.assertEqual(lines.pop(), b"")
            for n, line in enumerate(lines):
                self.assertEqual(line, b"client %d line %d" % (i, n))
            counts[i] = len(lines)

        idle = self.echo.connect()
        stopper = threading.Thread(
            target=lambda: (go_on.wait(), self.echo.signal(signal.SIGTERM)))
        stopper.start()
        self.in_threads(talk, 20)
        stopper.join()
        self.assertEqual(idle.recv(1), b"")  # who says nothing is told, too
        idle.close()
        self.assertEqual(self.echo.wait(), 0)
        self.echo.check_log()
        self.assertTrue(all(n >= 100 for n in counts))

    def test_who_does_not_go_is_cut_off(self):
        stays = self.echo.connect()
        stays.sendall(b"hello\n")
        self.assertEqual(stays.recv(10), b"hello\n")
        self.echo.signal(signal.SIGTERM)
        self.assertEqual(stays.recv(10), b"")
        self.assertEqual(self.echo.wait(), 1)
        self.echo.wait_log("1 clients are cut off")
        self.echo.check_log()
        stays.close()


class WebspiderTest(harness.ServerTestCase):
    """The crawler on a site of 2,000 pages, each of which takes 20 ms."""

    args = ("--processes", "1")
    options = {"program": os.path.join(harness.BUILD, "tests", "integration", "site")}

    def crawl(self, *args, path="/", status=0):
        """Returns what it printed, a match of its first line of summary."""
        spider = harness.Program([example("webspider"), *args, self.server.url + path])
        self.addCleanup(spider.kill)
        self.assertEqual(spider.wait(60), status, spider.log())
        spider.check_log()
        found = re.search(r"^(\d+) pages, (\d+) failed, (\d+) bytes in ([\d.]+) s, "
                          r"(\d+) at once$", spider.log(), re.M)
        self.assertTrue(found, spider.log())
        return spider.log(), [float(group) for group in found.groups()]

    def test_it_finds_every_page_and_no_other(self):
        log, (pages, failed, size, _, at_once) = self.crawl("-c", "50", "--verbose")
        self.assertEqual((pages, failed, at_once), (2000, 0, 50))
        self.assertGreater(size, 2000 * 300)
        self.assertIn("\n2000 links to other sites", log)
        urls = set(re.findall(r"^%s(/.*)$" % re.escape(self.server.url), log, re.M))
        self.assertEqual(urls, {"/"} | {"/p/%d" % n for n in range(1, 2000)})

    def test_fifty_at_once_are_many_times_quicker_than_one(self):
        one = self.crawl("--concurrency", "1", "--pages", "100")[1]
        fifty = self.crawl("--concurrency", "50")[1]
        self.assertEqual((one[0], fifty[0]), (100, 2000))
        ratio = (one[3] / one[0]) / (fifty[3] / fifty[0])
        # More than 20 on a machine that is not busy; the wait is 50 times shorter.
        self.assertGreater(ratio, 20 / harness.SLOW / 2, "only %.1f times" % ratio)

    def test_depth_and_number_of_pages_have_limits(self):
        log, found = self.crawl("--depth", "3")
        self.assertEqual(found[0], 1 + 2 + 4 + 8)
        self.assertIn("16 links below depth 3", log)
        self.assertEqual(self.crawl("--depth", "0")[1][0], 1)
        log, found = self.crawl("--pages", "10")
        self.assertEqual(found[0], 10)
        self.assertIn("links beyond 10 pages", log)

    def test_a_broken_link_is_reported_with_the_page_it_is_on(self):
        log, found = self.crawl(path="/broken", status=1)
        self.assertEqual(found[:2], [2, 1])
        self.assertIn("%s/missing: status 404, linked from %s/broken" % (
            self.server.url, self.server.url), log)

    def test_a_redirect_is_followed(self):
        _, found = self.crawl("--depth", "1", path="/old")
        self.assertEqual(found[0], 4)  # /old, and what "/" links to: /p/1, /p/2, /

    def test_a_site_that_is_not_there_is_a_failure(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = "http://127.0.0.1:%d/" % closed.getsockname()[1]
        spider = harness.Program([example("webspider"), url])
        self.addCleanup(spider.kill)
        self.assertEqual(spider.wait(), 1)
        self.assertIn("1 pages, 1 failed", spider.log())
        spider.check_log()

    def test_ctrl_c_stops_it_with_what_was_done(self):
        spider = harness.Program(
            [example("webspider"), "-v", "-c", "5", self.server.url + "/"])
        self.addCleanup(spider.kill)
        spider.wait_log("/p/", count=20)
        spider.signal(signal.SIGINT)
        self.assertEqual(spider.wait(5), 130)
        spider.check_log()
        pages = int(re.search(r"^(\d+) pages, 0 failed", spider.log(), re.M).group(1))
        self.assertTrue(20 <= pages < 2000, pages)
        self.assertRegex(spider.log(), r"interrupted: \d+ pages that are known were not")

    def test_a_terminal_shows_how_far_it_is(self):
        ours, theirs = pty.openpty()
        with subprocess.Popen([example("webspider"), "-c", "10", "-p", "200",
                               self.server.url + "/"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=theirs) as spider:
            os.close(theirs)
            shown = b""
            try:
                while True:
                    shown += os.read(ours, 65536)
            except OSError:
                pass  # it has ended
            os.close(ours)
            said = spider.stdout.read().decode()
        self.assertEqual(spider.returncode, 0)
        self.assertRegex(shown.decode(), r"\r\d+ pages, \d+ waiting, 0 failed, "
                                         r"\d+ pages/s\x1b\[K")
        self.assertTrue(shown.endswith(b"\r\x1b[K"))  # the line is gone at the end
        self.assertTrue(said.startswith("200 pages, 0 failed"), said)

    def test_wrong_options_are_refused(self):
        for words in ([], ["a", "b"], ["ftp://a/"], ["-c", "0", "http://a/"],
                      ["-c", "1001", "http://a/"], ["-c", "1x", "http://a/"],
                      ["--depth=-1", "http://a/"], ["--pages=0", "http://a/"],
                      ["--no-such-option", "http://a/"]):
            done = harness.command(example("webspider"), *words, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr)
        for words in (["-c", "1"], ["-c", "1000"]):
            self.crawl("--pages", "3", *words)
        self.assertIn("--concurrency N",
                      harness.command(example("webspider"), "--help").stdout)


class FetchAllTest(harness.TestCase):
    def test_it_prints_each_and_fails_if_one_does(self):
        server = self.start("--processes", "1")
        urls = [server.url + path for path in ("/sleep?ms=200", "/plaintext", "/nothing")]
        done = harness.command(example("fetch_all"), *urls)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        # In the order of their ends: the slow one, given first, comes last.
        self.assertRegex(
            lines[2], r"^200 +\d+ bytes +\d+\.\d ms  %s$" % re.escape(urls[0]))
        text = "\n".join(lines)
        self.assertRegex(text, r"(?m)^200 +13 bytes .*/plaintext$")
        self.assertRegex(text, r"(?m)^404 .*/nothing$")
        done = harness.command(example("fetch_all"), "http://127.0.0.1:1/", urls[1],
                               check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^failed +http://127.0.0.1:1/: .*connect: ")
        self.assertRegex(done.stdout, r"(?m)^200 .*/plaintext$")

    def test_it_needs_a_url(self):
        done = harness.command(example("fetch_all"), check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage:", done.stderr)


if __name__ == "__main__":
    raise SystemExit("run by tests/integration/run")
