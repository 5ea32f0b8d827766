# SPDX-License-Identifier: MIT
"""
What the integration tests stand on: a real program on port 0, its log, its end.

    class EchoTest(harness.TestCase):
        def test_echo_returns_the_body(self):
            server = self.start("--processes", "1")
            answer = server.request("POST", "/echo", body=b"abc")
            self.assertEqual(answer.body, b"abc")

A server started with TestCase.start() is stopped by SIGTERM when the test ends, and
then has to exit with status 0 and to have said nothing that only a sanitizer says.
Nothing here sleeps for a while and hopes: until() asks again until something is so, and
wait_log() wakes when the line comes.

SPOUT_BUILD names the build to test (default build/test).
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from rawhttp import Connection, Response  # noqa: F401 (for the tests)

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.realpath(os.environ.get("SPOUT_BUILD", TOP + "/build/test"))
DEMO = os.path.join(BUILD, "src", "spout-demo")

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: |"
                       r"SUMMARY: \w+Sanitizer")
LISTENING = re.compile(r"(admin )?listening on (https?)://(\[[^]]+\]|[^:\s]+):(\d+)|"
                       r"(admin )?listening on (unix:\S+)")

# Under a sanitizer everything takes longer, and memory is not what it is otherwise.
SANITIZED = os.path.basename(BUILD) in ("asan", "tsan")
SLOW = 4 if SANITIZED else 1  # limits of time are multiplied by this

running = []  # every Program that has not been stopped, for the runner's report


class Broken(AssertionError):
    """A program did not do what the harness needs; counts as a failure of the test."""


def until(condition, seconds=10, what=None):
    """Wait until condition() is true and return it; ask again every few milliseconds."""
    end = time.monotonic() + seconds * SLOW
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Broken("not within %g s: %s" % (seconds * SLOW, what or condition))
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def exists(pid):
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False


def children(pid):
    """The direct children of a process, oldest first, without those that are dead."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stat:
                fields = stat.read().rpartition(b") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] not in (b"Z", b"X"):
            found.append((int(fields[19]), int(name)))
    return [child for _, child in sorted(found)]


def descriptors(pid):
    """How many descriptors a process has open."""
    return len(os.listdir("/proc/%d/fd" % pid))


def resident_kib(pid):
    """Resident memory of a process that it shares with nobody."""
    total = 0
    with open("/proc/%d/smaps_rollup" % pid) as rollup:
        for line in rollup:
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1])
    return total


class Program:
    """A child process whose output is collected line by line."""

    def __init__(self, argv, env=None, controlling_terminal=None, pass_fds=()):
        self.name = os.path.basename(argv[0])
        self.argv = argv
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        # It must not outlive a runner that was killed.
        guard = ["setpriv", "--pdeathsig", "TERM", "--"]
        stdin = subprocess.DEVNULL
        if controlling_terminal is not None:
            guard, stdin = ["setsid", "--ctty"] + guard, controlling_terminal
        self.process = subprocess.Popen(
            guard + argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, pass_fds=pass_fds)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        running.append(self)

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def complaints(self):
        """Lines of warnings and errors, but for those of a machine that stood still."""
        return [line for line in self.log().splitlines()
                if re.search("WARN|ERROR", line) and "was stopped for" not in line]

    def wait_log(self, pattern, seconds=10, count=1, start=0):
        """
        Wait until `count` lines from line number `start` on match; returns the matches.
        """
        pattern = re.compile(pattern)
        end = time.monotonic() + seconds * SLOW
        with self.changed:
            while True:
                found = [m for m in map(pattern.search, self.lines[start:]) if m]
                if len(found) >= count:
                    return found
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    raise Broken("%s %s before saying %r %d times; it said:\n%s" % (
                        self.name, "ended" if self.ended else "did not come",
                        pattern.pattern, count, "\n".join(self.lines[-30:])))
                self.changed.wait(left)

    def alive(self):
        return self.process.poll() is None

    def signal(self, signo):
        self.process.send_signal(signo)

    def wait(self, seconds=20):
        """Wait for its end by itself; returns the exit status (-signal when killed)."""
        try:
            status = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            tail = "\n".join(self.lines[-30:])
            self.kill()
            raise Broken("%s did not end in %g s; it said:\n%s" % (
                self.name, seconds * SLOW, tail)) from None
        self.reader.join(5)
        if self in running:
            running.remove(self)
        return status

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        if self in running:
            running.remove(self)

    def check_log(self):
        """Fail if a sanitizer complained."""
        log = self.log()
        found = SANITIZER.search(log)
        if found:
            raise Broken("%s: a sanitizer complained:\n%s" % (
                self.name, log[max(0, found.start() - 200):][:6000]))


class Server(Program):
    """
    A program made with spout_main(), listening. `listen` are the values of --listen;
    address, (host, port) or a path, is the first of them; admin is that of --admin, or
    None. url is None for a unix socket.
    """

    def __init__(self, *args, program=DEMO, listen=("127.0.0.1:0",), env=None, ready=30,
                 expect_status=0, before=(), pass_fds=()):
        argv = [*before, program]
        for address in listen:
            argv += ["--listen", address]
        self.expect_status = expect_status
        super().__init__(argv + list(args), env=clean_environment(env or {}),
                         pass_fds=pass_fds)
        try:
            self._find_addresses(len(listen) + ("--admin" in args), ready)
        except Broken:
            self.kill()
            raise

    def _find_addresses(self, count, seconds):
        matches = self.wait_log(LISTENING, seconds, count)
        self.addresses = []
        self.admin = None
        for match in matches:
            admin, scheme, host, port, unix_admin, unix = match.groups()
            address = unix[5:] if unix else (host.strip("[]"), int(port))
            if admin or unix_admin:
                self.admin = address
            else:
                self.addresses.append(address)
        self.address = self.addresses[0]
        self.url = None
        if isinstance(self.address, tuple):
            self.host, self.port = self.address
            host = "[%s]" % self.host if ":" in self.host else self.host
            self.url = "http://%s:%d" % (host, self.port)

    def connect(self, address=None, timeout=10, **options):
        """A raw connection to the server; closed by the caller or when dropped."""
        return Connection(address or self.address, timeout=timeout * SLOW, **options)

    def request(self, method, target, headers=(), body=None, address=None, timeout=10):
        """One request on a connection of its own."""
        with self.connect(address, timeout) as connection:
            return connection.request(method, target, headers, body, close=True)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def metric(self, name):
        """A figure of /metrics of the admin listener, the sum over its labels."""
        found = re.findall(r"^%s(?:\{.*\})? (\S+)$" % re.escape(name),
                           self.get("/metrics", address=self.admin).text, re.M)
        if not found:
            raise Broken("no metric named %s" % name)
        return sum(map(float, found))

    def workers(self):
        """The process ids of the workers."""
        return children(self.pid)

    def stop(self, signo=signal.SIGTERM, seconds=20):
        """Stop gracefully; checks the exit status and the log."""
        if self.alive():
            self.signal(signo)
        status = self.wait(seconds)
        self.check_log()
        if status != self.expect_status:
            raise Broken("%s ended with status %d instead of %d; it said:\n%s" % (
                self.name, status, self.expect_status, "\n".join(self.lines[-30:])))

    def finish(self):
        """The end of a test: stop it if the test has not done so."""
        if self in running:
            self.stop()
        else:
            self.check_log()


def clean_environment(extra):
    """Our environment without what would configure a program behind the test's back."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("SPOUT_", "PG")) and key != "DATABASE_URL"}
    env.update(extra)
    return env


class TestCase(unittest.TestCase):
    """A test that starts programs; what it started ends with it."""

    maxDiff = 4000

    def start(self, *args, **options):
        """Start a Server that is stopped, and checked, when the test ends."""
        server = Server(*args, **options)
        self.addCleanup(server.finish)
        return server

    def folder(self):
        """A new folder that goes away with the test; anybody may enter it."""
        path = tempfile.mkdtemp(prefix="spout-test-")
        os.chmod(path, 0o755)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def assert_status(self, response, status):
        self.assertEqual(response.status, status, response.raw[:2000])


class ServerTestCase(TestCase):
    """Tests that share one server; `args` and `options` say how it is started."""

    args = ("--processes", "1")
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.args, **cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.server.finish()


def command(*argv, seconds=60, env=None, check=True):
    """Run a command to its end; returns its CompletedProcess with text output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=seconds * SLOW,
                          env=clean_environment(env or {}), check=False)
    if check and done.returncode != 0:
        raise Broken("%s: status %d\n%s%s" % (
            " ".join(argv), done.returncode, done.stdout[-3000:], done.stderr[-3000:]))
    return done


def need_file(path):
    """The program a test needs, or a failure that says what is missing."""
    if not os.path.exists(path):
        sys.exit("%s is not there: build it first (tests/run integration)" % path)
    return path
