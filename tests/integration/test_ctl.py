# SPDX-License-Identifier: MIT
"""spoutctl: looks into a running server, and gives it orders."""
import json
import os
import re
import subprocess
import threading

import harness
from harness import until

CTL = os.path.join(os.path.dirname(harness.DEMO), "spoutctl")


class Ctl(harness.TestCase):
    def run_ctl(self, server, *args, status=0):
        admin = server if isinstance(server, str) else "%s:%d" % server.admin
        done = subprocess.run([CTL, "--admin", admin, *args], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def begin(self, *args, processes=2):
        return self.start("--processes", str(processes), "--admin", "127.0.0.1:0", *args)

    # --- looking ------------------------------------------------------------------------

    def test_status_shows_the_server_and_its_workers(self):
        server = self.begin()
        for _ in range(7):
            server.get("/plaintext")
        server.get("/no-such-page")
        text = self.run_ctl(server, "status")
        self.assertIn("spout-demo (spout", text)
        self.assertIn("pid %d," % server.pid, text)
        self.assertIn("2 of 2 workers run", text)
        self.assertIn("4xx 1,", text)
        rows = re.findall(r"(?m)^ +[01] +(\d+) running ", text)
        self.assertEqual(sorted(map(int, rows)), sorted(server.workers()))

    def test_json_is_what_the_server_said(self):
        server = self.begin()
        status = json.loads(self.run_ctl(server, "--json", "status"))
        self.assertEqual(status["pid"], server.pid)
        self.assertEqual([w["pid"] for w in status["workers"]],
                         sorted(server.workers()))
        figures = status["workers"][0]["figures"]
        self.assertIn("requests_total", figures)
        self.assertIn("loop_busy_ratio", figures)
        pools = json.loads(self.run_ctl(server, "--json", "pools"))
        self.assertEqual({p["pool"] for p in pools}, {"cpu", "blocking"})

    def test_routes_show_answers_and_times(self):
        server = self.begin(processes=1)
        for _ in range(5):
            server.get("/sleep?ms=20")
        text = self.run_ctl(server, "routes")
        row = re.search(r"(?m)^ +5 +0 +(\d+) ms +(\d+) ms +(\d+) ms  GET /sleep$", text)
        self.assertTrue(row, text)
        self.assertGreaterEqual(int(row[1]), 20)

    def test_requests_shows_what_runs(self):
        server = self.begin(processes=1)
        thread = threading.Thread(target=lambda: server.get("/sleep?ms=1500"))
        thread.start()
        try:
            until(lambda: "GET /sleep" in self.run_ctl(server, "requests"))
        finally:
            thread.join()

    def test_top_shows_rates(self):
        server = self.begin(processes=1)
        text = self.run_ctl(server, "--count", "2", "--interval", "0.2", "top")
        self.assertEqual(len(re.findall("REQ/S", text)), 2)
        lines = self.run_ctl(server, "--json", "--count", "3", "--interval", "0.1", "top")
        self.assertEqual(len([json.loads(line) for line in lines.splitlines()]), 3)

    def test_config_is_the_configuration_in_use(self):
        server = self.begin("--idle-timeout", "33s")
        self.assertRegex(self.run_ctl(server, "config"),
                         r"(?m)^idle-timeout = 33s +# command line$")

    def test_it_talks_to_a_unix_socket(self):
        path = self.folder() + "/admin.sock"
        server = self.start("--processes", "1", "--admin", "unix:" + path)
        self.assertIn("pid %d," % server.pid, self.run_ctl("unix:" + path, "status"))

    # --- orders -------------------------------------------------------------------------

    def test_scale_adds_and_takes_away(self):
        server = self.begin()
        self.assertEqual(self.run_ctl(server, "scale", "3"), "3 workers\n")
        self.assertEqual(len(server.workers()), 3)
        self.assertEqual(self.run_ctl(server, "scale", "1"), "1 workers\n")
        self.assertEqual(len(server.workers()), 1)
        self.assertIn("400", self.run_ctl(server, "scale", "100000", status=1))

    def test_reload_replaces_the_workers_or_says_that_it_failed(self):
        folder = self.folder()
        with open(folder + "/demo.conf", "w") as file:
            file.write("max-body = 1m\n")
        server = self.begin("--config", folder + "/demo.conf")
        before = set(server.workers())
        self.assertEqual(self.run_ctl(server, "reload"), "reloaded\n")
        until(lambda: not before & set(server.workers()))
        with open(folder + "/demo.conf", "w") as file:
            file.write("max-body = much\n")
        self.assertIn("the reload failed", self.run_ctl(server, "reload", status=1))
        self.assertEqual(server.get("/plaintext").status, 200)
        server.wait_log("reload: refused.*max-body")

    def test_drain_takes_the_server_out_of_the_rotation_and_back(self):
        server = self.begin()
        self.run_ctl(server, "drain")
        for address in (server.address, server.admin):
            ready = server.get("/readyz", address=address)
            self.assertEqual((ready.status, json.loads(ready.body)["reasons"]),
                             (503, {"operator": "set aside by order"}))
        self.assertEqual(server.get("/plaintext").status, 200)
        self.run_ctl(server, "drain", "off")
        self.assertEqual(server.get("/readyz").status, 200)

    def test_the_log_level_changes_everywhere_and_back(self):
        server = self.begin()
        self.run_ctl(server, "log-level", "debug")
        until(lambda: server.get("/no-such-page") and "DEBUG worker" in server.log())
        self.run_ctl(server, "log-level", "configured")
        self.assertIn("must be one of",
                      self.run_ctl(server, "log-level", "loud", status=1))

    def test_stop_ends_the_server(self):
        server = self.begin()
        self.run_ctl(server, "stop")
        self.assertEqual(server.wait(20), 0)

    def test_orders_are_not_taken_from_a_browser(self):
        server = self.begin()
        before = server.workers()
        for field in (("Origin", "http://127.0.0.1"), ("Sec-Fetch-Site", "same-origin")):
            with server.connect(server.admin) as connection:
                answer = connection.request("POST", "/reload", [field], b"")
            self.assertEqual(answer.status, 403)
        with server.connect(server.admin) as connection:
            self.assertEqual(connection.get("/reload").status, 405)
        self.assertEqual(server.workers(), before)

    # --- the command line ---------------------------------------------------------------

    def test_wrong_words_are_status_2_and_no_server_is_status_1(self):
        for args in ((), ("nothing",), ("scale",), ("scale", "x"), ("status", "more"),
                     ("--count", "0", "top"), ("--nonsense",), ("drain", "perhaps")):
            with self.subTest(args=args):
                self.assertTrue(self.run_ctl("127.0.0.1:1", *args, status=2))
        self.assertIn("127.0.0.1:1: ", self.run_ctl("127.0.0.1:1", "status", status=1))

    def test_the_manual_names_what_help_does(self):
        shown = harness.command(CTL, "--help").stdout
        with open(os.path.join(harness.TOP, "src/ctl/spoutctl.1")) as file:
            manual = file.read()
        self.assertEqual(set(re.findall(r"(?m)^ +--([a-z-]+)", shown)),
                         set(re.findall(r"(?m)^\.It Fl -([a-z-]+)", manual)))
        self.assertEqual(set(re.findall(r"(?m)^  ([a-z][a-z-]*) ", shown)),
                         set(re.findall(r"(?m)^\.It Cm ([a-z-]+)", manual)))

    def test_bash_completes_commands_and_options(self):
        script = ("PATH=%s:$PATH; . %s; COMP_WORDS=(spoutctl re); COMP_CWORD=1; "
                  "_spoutctl; echo ${COMPREPLY[*]}" % (
                      os.path.dirname(CTL),
                      os.path.join(harness.TOP, "src/ctl/spoutctl.bash")))
        found = harness.command("bash", "-c", script).stdout.split()
        self.assertEqual(sorted(found), ["reload", "reopen-logs", "requests"])
