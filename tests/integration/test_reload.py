# SPDX-License-Identifier: MIT
"""
A reload (SIGHUP) under load: no client may notice. Log files opened anew (SIGUSR1).

The clients are those of tests/bench/load: one-shot ones, busy ones, and ones that keep
their connection and think between requests.
"""
import os
import signal
import threading

import harness
import proxies
from harness import until
from load import Load

SITE = os.path.join(harness.BUILD, "tests", "integration", "site")

# With 2 s to drain, idle clients have 1 s to come back; these think for 0.4 s.
DRAIN = ("--drain-timeout", "2s")
THINKING = {"connections": 40, "rate": 100}


def reload(server, seconds=60):
    """One reload from its signal to its end."""
    start = len(server.lines)
    server.signal(signal.SIGHUP)
    server.wait_log("reload: (done|ended|refused)", seconds, start=start)
    return "\n".join(server.lines[start:])


class UnixClients:
    """One-shot clients of a unix socket, one after another, until told to stop."""

    def __init__(self, server):
        self.server, self.ok, self.broken = server, 0, []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopped.is_set():
            try:
                answer = self.server.get("/plaintext")
                self.ok += answer.status == 200
                if answer.status != 200:
                    self.broken.append(answer.status)
            except Exception as error:  # whatever it is, a client has seen it
                self.broken.append(repr(error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


class UnderLoad(harness.TestCase):
    """Five reloads in a row, and nobody has noticed."""

    limit_seconds = 150

    def assert_unharmed(self, result):
        self.assertGreater(result["ok"], 0)
        for name in ("bad_status", "resets", "refused"):
            self.assertEqual(result[name], 0, result)

    def reload_under(self, server, target, **clients):
        before = set(server.workers())
        with Load(target, "/plaintext", seconds=8 * harness.SLOW, **clients) as running:
            until(lambda: server.metric("spout_requests_total") > 20)
            count = 0
            while count < 5 and running.process.poll() is None:
                self.assertIn("reload: done", reload(server))
                count += 1
            self.assertGreaterEqual(count, 2)  # 5, where nothing slows us down
            self.assert_unharmed(running.wait())
            counted = server.metric("spout_requests_total")
            self.assertGreaterEqual(counted, running.result["ok"])
        after = set(server.workers())
        self.assertEqual(len(after), len(before))
        self.assertFalse(before & after)
        self.assertEqual(server.complaints(), [])

    def start_two(self, *args, **options):
        return self.start("--processes", "2", "--admin", "127.0.0.1:0", *DRAIN, *args,
                          **options)

    def test_one_shot_clients(self):
        server = self.start_two()
        self.reload_under(server, server, connections=8, once=True)

    def test_one_shot_clients_of_a_shared_socket(self):
        server = self.start_two("--listen-mode", "shared")
        self.reload_under(server, server, connections=8, once=True)

    def test_keep_alive_clients_that_think(self):
        server = self.start_two()
        self.reload_under(server, server, **THINKING)

    def test_keep_alive_clients_of_a_shared_socket(self):
        server = self.start_two("--listen-mode", "shared")
        self.reload_under(server, server, **THINKING)

    def test_clients_behind_nginx(self):
        server = self.start_two()
        nginx = proxies.start_nginx(self, server.address)
        nginx.port = nginx.address[1]
        self.reload_under(server, nginx, connections=8)

    def test_clients_of_a_unix_socket(self):
        server = self.start_two(listen=("unix:%s/s" % self.folder(),))
        with UnixClients(server) as clients:
            for _ in range(5):
                self.assertIn("reload: done", reload(server))
        self.assertEqual(clients.broken, [])
        self.assertGreater(clients.ok, 0)

    def test_readiness_does_not_flap(self):
        server = self.start("--processes", "2", "--admin", "127.0.0.1:0")
        with server.connect() as direct, server.connect(server.admin) as admin:
            for watcher in (direct, admin):
                self.assert_status(watcher.request("GET", "/readyz"), 200)
            server.signal(signal.SIGHUP)
            server.wait_log("worker 0 is now")
            for watcher in (direct, admin):  # told to move by one of the two workers
                self.assert_status(watcher.request("GET", "/readyz"), 200)
            self.assert_status(server.get("/readyz", address=server.admin), 200)
        server.wait_log("reload: done")


class Outcome(harness.TestCase):
    """What a reload takes over, and what ends it."""

    def write(self, path, text):
        with open(path, "w") as file:
            file.write(text)

    def start_with(self, text, *args, **options):
        self.config = self.folder() + "/app.conf"
        self.write(self.config, text)
        return self.start("--config", self.config, *DRAIN, *args, **options)

    def upload(self, server, size):
        return server.request("POST", "/echo", body=b"x" * size).status

    def test_new_workers_have_the_new_configuration(self):
        server = self.start_with("max-body = 1k\nprocesses = 2\n")
        self.assertEqual(self.upload(server, 2000), 413)
        self.write(self.config, "max-body = 4k\nprocesses = 2\nlog-level = debug\n")
        self.assertIn("reload: done", reload(server))
        self.assertEqual(self.upload(server, 2000), 200)
        os.kill(server.workers()[0], signal.SIGKILL)  # nor is it lost with a worker
        server.wait_log("starts again")
        until(lambda: len(server.workers()) == 2)
        for _ in range(4):
            self.assertEqual(self.upload(server, 2000), 200)

    def test_broken_file_is_refused_in_one_line(self):
        server = self.start_with("max-body = 1k\nprocesses = 2\n")
        before = server.workers()
        for text, why in (("max-body = many\n", "max-body|many"),
                          ("bogus = 1\n", "app.conf:1: unknown key 'bogus'"),
                          ("processes = 3\n", "'processes' has changed"),
                          ("max-body = 4k\nprocesses = 2\ncookie-secret-file = /no\n",
                           "'/no'")):
            with self.subTest(text=text):
                self.write(self.config, text)
                log = reload(server)
                self.assertRegex(log, "refused, the workers go on as they are: .*" + why)
                self.assertEqual(len(log.splitlines()), 1)
                self.assertEqual(server.workers(), before)
                self.assertEqual(self.upload(server, 2000), 413)

    def test_options_of_the_application_take_a_restart(self):
        server = self.start_with("delay = 1ms\nprocesses = 1\n", program=SITE)
        self.write(self.config, "delay = 2ms\nprocesses = 1\n")
        self.assertIn("'delay' has changed", reload(server))
        self.write(self.config, "delay = 1ms\nprocesses = 1\nmax-body = 2k\n")
        self.assertIn("reload: done", reload(server))
        self.assert_status(server.get("/"), 200)

    def test_program_that_does_not_start_again_goes_on(self):
        told = self.folder() + "/fail"
        server = self.start_with("processes = 2\nmax-body = 1k\nfail-when = %s\n" % told,
                                 program=SITE)
        before = server.workers()
        self.write(told, "")
        self.write(self.config, "processes = 2\nmax-body = 4k\nfail-when = %s\n" % told)
        self.assertRegex(reload(server), "the old worker 0 goes on: the new one could "
                                         "not start: on_worker_start: told to fail")
        self.assertEqual(server.workers(), before)
        self.assert_status(server.get("/"), 200)
        os.unlink(told)
        self.assertIn("reload: done", reload(server))
        self.assertFalse(set(server.workers()) & set(before))

    def test_second_signal_is_queued_once(self):
        server = self.start("--processes", "2", *DRAIN)
        with server.connect() as idle:  # the drain of its worker takes a second
            self.assert_status(idle.request("GET", "/plaintext"), 200)
            for _ in range(4):
                server.signal(signal.SIGHUP)
                server.wait_log("reload: replacing|another one follows")
            server.wait_log("reload: done", 60)
        server.wait_log("reload: (replacing|done)", 60, count=2)
        until(lambda: server.log().count("reload: done") ==
              server.log().count("reload: replacing"), 60)
        self.assertLessEqual(server.log().count("reload: done"), 4)

    def test_stop_during_a_reload(self):
        server = self.start("--processes", "2", *DRAIN)
        with server.connect() as idle:
            self.assert_status(idle.request("GET", "/plaintext"), 200)
            server.signal(signal.SIGHUP)
            server.wait_log("is now pid")
            server.stop()
        self.assertNotIn("ERROR", server.log())

    def test_log_file_is_opened_anew(self):
        path = self.folder() + "/access.log"
        server = self.start("--processes", "2", "--access-log", path)

        def lines(name):
            with open(name) as file:
                return len(file.readlines())

        self.assert_status(server.get("/plaintext"), 200)
        until(lambda: lines(path) == 1)
        os.rename(path, path + ".1")
        server.signal(signal.SIGUSR1)
        server.wait_log("opened anew")
        # Workers take the new file at once, but each in its own time.
        until(lambda: server.get("/plaintext").status == 200 and lines(path) >= 3)
        until(lambda: [os.readlink(link) for link in self.open_logs(server)] ==
              [path] * 3)
        reload(server)
        count = lines(path)
        self.assert_status(server.get("/plaintext"), 200)
        until(lambda: lines(path) == count + 1)

    def open_logs(self, server):
        """Links to the access log in /proc, of the supervisor and its workers."""
        return [link for pid in [server.pid] + server.workers()
                for number in os.listdir("/proc/%d/fd" % pid)
                for link in ["/proc/%d/fd/%s" % (pid, number)]
                if "access.log" in os.readlink(link)]
