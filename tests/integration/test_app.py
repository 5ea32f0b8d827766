# SPDX-License-Identifier: MIT
"""Programs made with spout_main(): options, start, stop, the admin listener."""
import json
import os
import re
import signal
import subprocess
import threading

import harness
import rawhttp
from harness import DEMO, command, until


def run_demo(*args, env=None):
    return command(DEMO, *args, env=env, check=False)


class Options(harness.TestCase):
    def file(self, text):
        path = os.path.join(self.folder(), "app.conf")
        with open(path, "w") as file:
            file.write(text)
        return path

    def assert_refused(self, done, *texts):
        """One line on stderr, nothing on stdout, status 2."""
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Aspout-demo: [^\n]+\n\Z")
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_a_wrong_option_is_one_line_and_status_2(self):
        for args, text in (
                (["--frobnicate"], "unknown option '--frobnicate'"),
                (["--processes", "0"], "--processes: '0'"),
                (["--processes"], "--processes needs a value"),
                (["--listen", "127.0.0.1:80,tls"], "needs --tls-cert"),
                (["--listen", "nowhere"], "'nowhere'"),
                (["--threads", "8-2"], "'8-2'"),
                (["--log-format", "xml"], "text|json"),
                (["--database", "mysql://x"], "'mysql://x'"),
                (["--trusted-proxy", "10.0.0.1/8"], "'10.0.0.1/8' is no network"),
                (["--forwarded-header", "x"], "x-forwarded|forwarded"),
                (["--listen", "127.0.0.1:0,proxy"], "needs --trusted-proxy"),
                (["--admin", "127.0.0.1:0,proxy"], "is not for the PROXY protocol"),
                (["--user", "no-such-user-here"], "'no-such-user-here'"),
                (["--config", "/nonexistent.conf"], "/nonexistent.conf: No such file"),
                (["stray"], "'stray'")):
            with self.subTest(args=args):
                self.assert_refused(run_demo(*args), text)

    def test_a_wrong_option_binds_nothing(self):
        path = os.path.join(self.folder(), "socket")
        self.assert_refused(run_demo("--listen", "unix:" + path, "--processes", "none"))
        self.assertFalse(os.path.exists(path))

    def test_a_wrong_file_names_file_and_line(self):
        path = self.file("# fine\nprocesses = 1\nfrobnicate = 3\n")
        self.assert_refused(run_demo("--config", path, "--check"),
                            path + ":3: unknown key 'frobnicate'")

    def test_a_wrong_variable_names_it(self):
        self.assert_refused(run_demo(env={"SPOUT_MAX_BODY": "lots"}),
                            "SPOUT_MAX_BODY: 'lots'")

    def test_check_starts_nothing(self):
        path = os.path.join(self.folder(), "socket")
        done = run_demo("--check", "--listen", "unix:" + path)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertFalse(os.path.exists(path))

    def test_help_and_version(self):
        done = run_demo("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Usage: spout-demo", done.stdout)
        self.assertIn("--fault-routes", done.stdout)
        done = run_demo("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout,
                         r"\Aspout-demo \d+\.\d+\.\d+ \(Spout \d+\.\d+\.\d+\)\n\Z")

    def printed(self, *args, env=None):
        done = run_demo("--print-config", *args, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {m[1]: (m[2], m[3]) for m in re.finditer(
            r"(?m)^([a-z-]+) = (.*?)\s+# (.*)$", done.stdout)}

    def test_command_line_wins_over_environment_over_file_over_default(self):
        path = self.file("processes = 2\nthreads = 2-4\nmax-body = 2m\n")
        got = self.printed("--config", path, "--processes", "4",
                           env={"SPOUT_PROCESSES": "3", "SPOUT_THREADS": "3-5"})
        self.assertEqual(got["processes"], ("4", "command line"))
        self.assertEqual(got["threads"], ("3-5", "environment SPOUT_THREADS"))
        self.assertEqual(got["max-body"], ("2m", "file %s:3" % path))
        self.assertEqual(got["log-level"], ("info", "default"))

    def test_the_file_may_come_from_the_environment(self):
        path = self.file("idle-timeout = 9s\n")
        got = self.printed(env={"SPOUT_CONFIG": path})
        self.assertEqual(got["idle-timeout"][0], "9s")

    def test_print_config_hides_the_password(self):
        done = run_demo("--print-config",
                        env={"DATABASE_URL": "postgresql://me:s3cret@db/x"})
        self.assertIn("database = postgresql://me:***@db/x", done.stdout)
        self.assertIn("# environment DATABASE_URL", done.stdout)
        self.assertNotIn("s3cret", done.stdout)

    def test_a_cookie_secret_is_checked_and_never_printed(self):
        secret = "a-secret-for-cookies"
        done = run_demo("--print-config", env={"SPOUT_COOKIE_SECRET": secret})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(secret, done.stdout + done.stderr)
        path = self.file(secret + "\n")
        done = run_demo("--print-config", "--cookie-secret-file", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^cookie-secret-file = /")
        self.assertNotIn(secret, done.stdout)
        self.assert_refused(run_demo("--cookie-secret-file", "/nonexistent/secret"),
                            "'/nonexistent/secret' cannot be read: No such file")
        for text in ("short", "", "1 %s\n1 %s\n" % (secret, secret), "x" * 16384):
            self.assert_refused(run_demo("--cookie-secret-file", self.file(text)),
                                "--cookie-secret-file: ")
            if text:
                self.assert_refused(run_demo(env={"SPOUT_COOKIE_SECRET": text}),
                                    "SPOUT_COOKIE_SECRET ")

    def test_what_print_config_says_can_be_a_file(self):
        first = run_demo("--print-config", "--max-body", "3m", "--listen", "unix:/tmp/x",
                         "--listen", "127.0.0.1:1").stdout
        path = self.file(first)
        done = run_demo("--check", "--config", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        second = run_demo("--print-config", "--config", path).stdout
        self.assertIn("# config = " + path, second)
        path = self.file(second)
        again = self.printed("--config", path)
        self.assertEqual(again["max-body"][0], "3m")

    def test_ports_behind_the_last_one_are_refused(self):
        at_the_end = ("--check", "--listen-mode", "ports", "--listen", "127.0.0.1:65534")
        done = run_demo(*at_the_end, "--processes", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = run_demo(*at_the_end, "--processes", "3")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\A[^\n]*'127.0.0.1:65534' and the ports of 3 "
                         r"workers behind it go past 65535\n\Z")

    def test_what_cannot_be_printed_is_status_1(self):
        for option in ("--help", "--version", "--print-config"):
            with open("/dev/full", "w") as full:
                done = subprocess.run([harness.DEMO, option], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn("standard output: No space left on device", done.stderr)

    def test_settings_reach_the_server(self):
        path = self.file("max-body = 10\nrequest-timeout = 200ms\n")
        server = self.start("--config", path, "--processes", "1")
        self.assert_status(server.request("POST", "/echo", body=b"x" * 10), 200)
        self.assert_status(server.request("POST", "/echo", body=b"x" * 11), 413)


def connected(path):
    """A connection to that unix socket, or None as long as nobody listens there."""
    try:
        return harness.Connection(path)
    except OSError:
        return None


class Start(harness.TestCase):
    def test_a_second_instance_says_address_in_use(self):
        server = self.start("--processes", "2")
        done = run_demo("--listen", "127.0.0.1:%d" % server.port)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertRegex(done.stderr.lower(), "address.* in use")
        self.assertEqual(server.get("/plaintext").body, b"Hello, World!")

    def test_nothing_is_left_of_a_start_that_failed(self):
        server = self.start("--processes", "1")
        path = os.path.join(self.folder(), "socket")
        done = run_demo("--listen", "unix:" + path, "--listen",
                        "127.0.0.1:%d" % server.port)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(os.path.exists(path))

    def test_a_pid_file_holds_the_supervisor_and_goes_away(self):
        path = os.path.join(self.folder(), "demo.pid")
        server = self.start("--processes", "1", "--pid-file", path)
        with open(path) as file:
            self.assertEqual(int(file.read()), server.pid)
        server.stop()
        self.assertFalse(os.path.exists(path))

    def test_a_pid_file_that_cannot_be_written_is_status_1(self):
        done = run_demo("--listen", "127.0.0.1:0", "--pid-file", "/nonexistent/pid")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/pid", done.stderr)

    def test_an_access_log_that_cannot_be_written_is_status_1(self):
        done = run_demo("--listen", "127.0.0.1:0", "--access-log", "/nonexistent/log")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\A[^\n]*/nonexistent/log: No such file[^\n]*\n\Z")

    def test_the_access_log_has_a_line_per_request(self):
        path = os.path.join(self.folder(), "access.log")
        server = self.start("--processes", "1", "--access-log", path,
                            "--log-format", "json")
        server.get("/plaintext")
        server.get("/nope")
        server.stop()
        with open(path) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["status"] for line in lines], [200, 404])

    def test_the_access_log_names_whom_a_trusted_proxy_speaks_for(self):
        path = os.path.join(self.folder(), "access.log")
        server = self.start("--processes", "1", "--access-log", path,
                            "--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "unix",
                            "--forwarded-header", "forwarded")
        server.get("/plaintext", headers=[
            ("X-Forwarded-For", "192.0.2.9"),
            ("Forwarded", 'for=192.0.2.8, for="[2001:db8::7]:80";proto=https')])
        server.get("/plaintext")
        server.stop()
        with open(path) as file:
            self.assertEqual([line.split()[0] for line in file],
                             ["2001:db8::7", "127.0.0.1"])

    def test_it_serves_behind_the_proxy_protocol(self):
        path = os.path.join(self.folder(), "access.log")
        server = self.start("--processes", "1", "--access-log", path,
                            "--trusted-proxy", "127.0.0.1",
                            listen=("127.0.0.1:0,proxy",))
        request = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"
        with server.connect() as connection:
            connection.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n" + request)
            self.assert_status(connection.read_response(), 200)
            connection.send(request)
            self.assert_status(connection.read_response(), 200)
        with server.connect() as connection:
            connection.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" + request)
            self.assert_status(connection.read_response(), 200)
        with server.connect() as connection:
            connection.send(request)
            with self.assertRaises(ConnectionResetError):
                connection.read_to_end()
        done = command("curl", "-s", "--haproxy-protocol", server.url + "/plaintext")
        self.assertEqual(done.stdout, "Hello, World!")
        server.stop()
        with open(path) as file:
            self.assertEqual([line.split()[0] for line in file],
                             ["192.0.2.1", "192.0.2.1", "127.0.0.1", "127.0.0.1"])

    def test_it_serves_on_a_unix_socket_and_removes_it(self):
        path = os.path.join(self.folder(), "socket")
        server = self.start("--processes", "2", listen=("unix:" + path,))
        for _ in range(4):
            self.assertEqual(server.get("/plaintext").body, b"Hello, World!")
        server.stop()
        self.assertFalse(os.path.exists(path))

    def test_it_starts_without_standard_descriptors(self):
        path = os.path.join(self.folder(), "socket")
        with subprocess.Popen(
                ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", DEMO, "--processes", "1",
                 "--access-log", "-", "--listen", "unix:" + path]) as process:
            try:
                with until(lambda: connected(path), what="the server") as connection:
                    self.assertEqual(connection.request("GET", "/plaintext").status, 200)
                for pid in [process.pid] + harness.children(process.pid):
                    for fd in range(3):
                        self.assertEqual(os.readlink("/proc/%d/fd/%d" % (pid, fd)),
                                         "/dev/null")
            finally:
                process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)

    def test_it_serves_on_several_addresses(self):
        path = os.path.join(self.folder(), "socket")
        server = self.start("--processes", "2",
                            listen=("127.0.0.1:0", "127.0.0.1:0", "unix:" + path))
        self.assertEqual(len(server.addresses), 3)
        for address in server.addresses:
            self.assertEqual(server.get("/plaintext", address=address).body,
                             b"Hello, World!")

    def test_shared_mode_serves_with_all_workers(self):
        server = self.start("--processes", "2", "--listen-mode", "shared",
                            "--admin", "127.0.0.1:0")
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            self.assertEqual(connection.request("GET", "/plaintext").status, 200)
        opened = metrics(server)["spout_connections_open"]
        for connection in connections:
            connection.close()
        self.assertGreaterEqual(min(opened.values()), 5, opened)

    def test_ports_mode_serves_each_worker_on_a_port_of_its_own(self):
        server = self.start("--processes", "2", "--listen-mode", "ports",
                            "--admin", "127.0.0.1:0")
        server.wait_log("admin listening")
        ports = [("127.0.0.1", int(m[1])) for m in server.wait_log(
            r"listening on http://127.0.0.1:(\d+)", count=3)]
        server.admin = ports.pop()
        for port in (ports[0], ports[1], ports[1]):
            self.assertEqual(server.get("/plaintext", address=port).status, 200)
        counted = metrics(server)["spout_connections_total"]
        self.assertGreaterEqual(counted["1"], 2, counted)

    def test_it_runs_as_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        server = self.start("--processes", "1", "--user", "nobody")
        worker = server.workers()[0]
        self.assertEqual(os.stat("/proc/%d" % worker).st_uid,
                         int(command("id", "-u", "nobody").stdout))
        self.assertEqual(server.get("/plaintext").status, 200)


def promtool(text):
    """What Prometheus' own tool says of the figures: nothing."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 or done.stdout:
        raise AssertionError("promtool: status %d\n%s" % (done.returncode, done.stdout))


def metrics(server):
    """Figures by name: last label (worker, route; or "") to value."""
    text = server.get("/metrics", address=server.admin).text
    found = {}
    for name, labels, value in re.findall(r"(?m)^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$", text):
        label = re.search(r'(?:worker|route|pool|le)="([^"]*)"', labels)
        found.setdefault(name, {})[label[1] if label else ""] = float(value)
    return found


class Admin(harness.TestCase):
    def test_any_worker_answers_for_all(self):
        server = self.start("--processes", "2", "--admin", "127.0.0.1:0")
        for _ in range(30):
            server.get("/plaintext")
        for _ in range(4):
            found = metrics(server)
            self.assertEqual(found["spout_responses_total"]["GET /plaintext"], 30)
            self.assertEqual(found["spout_worker_up"], {"0": 1, "1": 1})
            self.assertEqual(sorted(found["spout_worker_pid"].values()),
                             sorted(server.workers()))

    def test_the_text_is_what_prometheus_reads(self):
        server = self.start("--processes", "2", "--admin", "127.0.0.1:0")
        answer = server.get("/metrics", address=server.admin)
        self.assertEqual(answer.header("content-type"),
                         "text/plain; version=0.0.4; charset=utf-8")
        families, current = set(), None
        for line in answer.text.splitlines():
            head = re.fullmatch(r"# (HELP|TYPE) ([a-z_0-9]+) .+", line)
            if head:
                if head[1] == "HELP":
                    self.assertNotIn(head[2], families)
                    families.add(head[2])
                current = head[2]
                continue
            sample = re.fullmatch(
                r'([a-z_0-9]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?\d+(\.\d+)?',
                line)
            self.assertTrue(sample, line)
            self.assertIn(re.sub(r"_(bucket|sum|count)$", "", sample[1]),
                          (current, re.sub(r"_(bucket|sum|count)$", "", current)))
        self.assertIn("spout_request_duration_seconds", families)
        promtool(answer.text)

    def test_histograms_end_at_their_count(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        for _ in range(5):
            server.get("/plaintext")
        text = server.get("/metrics", address=server.admin).text
        name = "spout_request_duration_seconds"
        of = 'route="GET /plaintext"'
        buckets = [int(n) for n in re.findall(
            r'(?m)^%s_bucket\{%s,le="[0-9.+Inf]+"\} (\d+)$' % (name, of), text)]
        count = int(re.search(r'(?m)^%s_count\{%s\} (\d+)$' % (name, of), text)[1])
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual((buckets[-1], count), (5, 5))

    def test_health_is_on_both_listeners(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        for address in (server.address, server.admin):
            self.assert_status(server.get("/healthz", address=address), 200)
            self.assert_status(server.get("/readyz", address=address), 200)

    def test_metrics_are_not_for_the_world(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        self.assert_status(server.get("/metrics"), 404)

    def test_the_heart_beats(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        first = metrics(server)["spout_heartbeat_seconds"]["0"]
        until(lambda: metrics(server)["spout_heartbeat_seconds"]["0"] > first)

    def test_the_lag_gauge_shows_a_blocked_loop(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--fault-routes")
        server.get("/fault/spin?ms=200")
        until(lambda: metrics(server)["spout_loop_lag_seconds"]["0"] >= 0.15)
        until(lambda: metrics(server)["spout_loop_lag_seconds"]["0"] < 0.15)

    def test_a_death_is_counted(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log("worker 0 .*killed")
        found = until(lambda: [m for m in [metrics(server)]
                               if m["spout_worker_up"]["0"] == 1])[0]
        self.assertEqual(found["spout_worker_starts_total"]["0"], 2)


class FiguresOverDeaths(harness.TestCase):
    """What was counted stays counted when a worker is killed."""

    clients = 8

    def counted(self, server):
        return metrics(server)["spout_responses_total"].get("GET /plaintext", 0)

    def test_counters_stay_when_a_worker_is_killed_at_rest(self):
        server = self.start("--processes", "2", "--admin", "127.0.0.1:0")
        for round_ in range(1, 4):
            for _ in range(50):
                self.assertEqual(server.get("/plaintext").status, 200)
            os.kill(server.workers()[round_ % 2], signal.SIGKILL)
            until(lambda: sum(metrics(server)["spout_worker_up"].values()) == 2)
            self.assertEqual(self.counted(server), 50 * round_)

    def test_counters_are_right_to_the_requests_in_flight_at_a_kill(self):
        server = self.start("--processes", "2", "--admin", "127.0.0.1:0")
        answered, stop = [0] * self.clients, threading.Event()

        def ask(n):
            while not stop.is_set():
                try:
                    with server.connect() as connection:
                        while not stop.is_set():
                            if connection.get("/plaintext").status == 200:
                                answered[n] += 1
                except (OSError, rawhttp.BadResponse):
                    pass

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            for kill in range(1, 4):
                last = sum(answered)
                until(lambda: sum(answered) > last + 300)
                victim = server.workers()[0]
                os.kill(victim, signal.SIGKILL)
                until(lambda: victim not in server.workers() and
                      len(server.workers()) == 2)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        counted = self.counted(server)
        print("        %d answered, %d counted" % (sum(answered), counted))
        self.assertLessEqual(sum(answered), counted)
        self.assertLessEqual(counted, sum(answered) + 3 * self.clients)


class Stop(harness.TestCase):
    def test_sigterm_ends_with_status_0(self):
        for signo in (signal.SIGTERM, signal.SIGINT):
            server = self.start("--processes", "2")
            server.get("/plaintext")
            server.stop(signo)

    def test_running_requests_are_answered(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        connection = server.connect()
        connection.send(b"GET /sleep?ms=700 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics(server)["spout_requests_running"]["0"] >= 2)
        server.signal(signal.SIGTERM)
        answer = connection.read_response()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("connection"), "close")
        self.assertEqual(server.wait(), 0)

    def test_readyz_says_stopping_while_requests_run(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0")
        connection = server.connect()
        connection.send(b"GET /sleep?ms=1500 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics(server)["spout_requests_running"]["0"] >= 2)
        server.signal(signal.SIGTERM)
        until(lambda: server.get("/readyz", address=server.admin).status == 503)
        self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(server.wait(), 0)

    def test_what_outlives_the_drain_timeout_is_cut_and_told(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--drain-timeout", "200ms", expect_status=1)
        connection = server.connect()
        connection.send(b"GET /sleep?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics(server)["spout_requests_running"]["0"] >= 2)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), 1)
        self.assertIn("1 requests are cut off", server.log())

    def test_a_second_signal_does_not_wait(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0", expect_status=1)
        connection = server.connect()
        connection.send(b"GET /sleep?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics(server)["spout_requests_running"]["0"] >= 2)
        server.signal(signal.SIGTERM)
        server.wait_log("stopping")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), 1)

    def test_a_job_that_runs_on_does_not_hold_the_stop(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--drain-timeout", "200ms", expect_status=1)
        connection = server.connect()
        connection.send(b"GET /cpu?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics(server)["spout_jobs_running"]["0"] >= 1)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), 1)

    def test_idle_connections_do_not_hold_the_stop(self):
        server = self.start("--processes", "1")
        connections = [server.connect() for _ in range(5)]
        for connection in connections:
            self.assertEqual(connection.request("GET", "/plaintext").status, 200)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), 0)

    def test_every_accepted_request_under_load_is_answered(self):
        server = self.start("--processes", "2")
        problems, answered = [], [0]

        def client():
            while True:
                try:
                    with server.connect() as connection:
                        answer = connection.request("GET", "/plaintext", close=True)
                        if answer.status != 200:
                            problems.append(answer.status)
                        answered[0] += 1
                except ConnectionRefusedError:
                    return
                except (OSError, AssertionError) as error:
                    problems.append(repr(error))
                    return

        clients = [threading.Thread(target=client) for _ in range(4)]
        for thread in clients:
            thread.start()
        until(lambda: answered[0] > 200)
        server.signal(signal.SIGTERM)
        for thread in clients:
            thread.join()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(problems, [])

    def test_workers_die_with_the_supervisor(self):
        server = self.start("--processes", "2")
        workers = server.workers()
        server.kill()
        until(lambda: not any(os.path.exists("/proc/%d" % pid) and not zombie(pid)
                              for pid in workers))


def zombie(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


class Examples(harness.TestCase):
    def test_hello_says_hello(self):
        server = self.start(program=os.path.join(harness.BUILD, "src/examples/hello"))
        self.assertEqual(server.get("/").body, b"Hello, World!\n")

    def test_hello_is_under_25_lines(self):
        with open(os.path.join(harness.TOP, "src/examples/hello.c")) as file:
            self.assertLess(len(file.readlines()), 25)

    def test_output_that_nobody_reads_stops_nothing(self):
        with subprocess.Popen([DEMO, "--listen", "127.0.0.1:0", "--processes", "1",
                               "--access-log", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            line = process.stderr.readline()
            port = int(re.search(r":(\d+)\s*$", line)[1])
            process.stdout.close()
            with harness.Connection(("127.0.0.1", port)) as connection:
                for _ in range(3):
                    self.assertEqual(connection.request("GET", "/plaintext").status, 200)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)
