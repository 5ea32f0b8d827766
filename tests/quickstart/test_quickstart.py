# SPDX-License-Identifier: MIT
"""
deploy/quickstart as a user runs it: in a fresh copy of the tree, on a terminal.
"""
import os
import pty
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import harness
import proxies

COPY = os.path.join(harness.TOP, "build", "quickstart")


def copy_tree():
    """What a clone would hold; what was built there before stays and makes it quick."""
    listed = subprocess.run(
        ["git", "-C", harness.TOP, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    names = os.fsdecode(listed.stdout).split("\0")[:-1]
    if listed.returncode != 0:  # no repository: a distributed tree
        names = []
        for folder, folders, files in os.walk(harness.TOP):
            if folder == harness.TOP:
                folders[:] = [name for name in folders if not name.startswith("build")]
            names += [os.path.relpath(os.path.join(folder, name), harness.TOP)
                      for name in files]
    for name in names:
        source, target = os.path.join(harness.TOP, name), os.path.join(COPY, name)
        if os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=True)


class Quickstart(harness.TestCase):
    limit_seconds = 600

    @classmethod
    def setUpClass(cls):
        copy_tree()

    def run_it(self, *args, env=None):
        """Start it on a terminal of its own; returns the Program and the terminal."""
        terminal, inside = pty.openpty()
        self.port = proxies.free_port()
        program = harness.Program(
            [COPY + "/deploy/quickstart", "--port", str(self.port)] + list(args),
            env=harness.clean_environment(env or {}), controlling_terminal=inside)
        os.close(inside)
        self.addCleanup(os.close, terminal)
        self.addCleanup(lambda: program.kill() if program in harness.running else None)
        program.wait_log(r"listening on http://127.0.0.1:%d" % self.port, 500)
        return program, terminal

    def get(self, path):
        url = "http://127.0.0.1:%d%s" % (self.port, path)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def cluster_pid(self):
        done = harness.command(COPY + "/deploy/pg-cluster", "pid",
                               COPY + "/build/postgres", check=False)
        return int(done.stdout) if done.returncode == 0 else None

    def test_ctrl_c_stops_all_that_one_command_started(self):
        program, terminal = self.run_it()
        self.assertEqual(self.get("/plaintext"), (200, "Hello, World!"))
        harness.until(lambda: self.get("/db")[0] == 200, 20, "the tables")
        server = self.cluster_pid()
        self.assertTrue(harness.exists(server))
        os.write(terminal, b"\x03")
        self.assertEqual(program.wait(60), 0)
        harness.until(lambda: not harness.exists(server), 5, "PostgreSQL ends")
        self.assertFalse(proxies.accepts(("127.0.0.1", self.port)))

    def test_second_run_is_fast_and_says_nothing_of_installing(self):
        first, _ = self.run_it("--no-database")
        first.signal(signal.SIGTERM)
        first.wait(60)
        started = time.monotonic()
        program, _ = self.run_it()
        self.assertLess(time.monotonic() - started, 20)
        self.assertNotRegex(program.log(), "Installing|Configuring")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(60), 0)

    def test_without_a_database_the_other_routes_work(self):
        program, _ = self.run_it("--no-database", "--", "--processes", "1")
        self.assertEqual(self.get("/plaintext")[0], 200)
        status, text = self.get("/db")
        self.assertEqual(status, 503)
        self.assertRegex(text, "(?i)database")
        self.assertIsNone(self.cluster_pid())
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(60), 0)

    def test_a_taken_port_is_one_clear_line(self):
        server = self.start("--processes", "1")
        done = harness.command(COPY + "/deploy/quickstart", "--port", str(server.port),
                               check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^quickstart: port %d is taken.*\n$" % server.port)

    def test_wrong_usage_starts_nothing(self):
        done = harness.command(COPY + "/deploy/quickstart", "--databse", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(re.match(r"quickstart: no option --databse", done.stderr))
