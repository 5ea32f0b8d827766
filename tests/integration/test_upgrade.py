# SPDX-License-Identifier: MIT
"""
SIGUSR2: another program takes over the sockets of the one that runs. No client notices,
and a program that does not work changes nothing.
"""
import os
import signal

import harness
import proxies
import upgraded
from harness import until
from load import Load

DRAIN = ("--drain-timeout", "2s")


class Upgrade(harness.TestCase):

    def start_one(self, *args, **options):
        return upgraded.Server(self, "--processes", "2", *DRAIN, *args, **options)

    def assert_unharmed(self, result):
        self.assertGreater(result["ok"], 0)
        for name in ("bad_status", "resets", "refused"):
            self.assertEqual(result[name], 0, result)

    def test_nobody_notices_two_upgrades(self):
        folder = self.folder()
        server = self.start_one("--admin", "127.0.0.1:0", "--pid-file", folder + "/pid",
                                listen=("127.0.0.1:0", "unix:%s/s" % folder))
        seconds = 6 * harness.SLOW
        with Load(server, "/plaintext", connections=8, seconds=seconds,
                  once=True) as one_shot, \
                Load(server, "/plaintext", connections=40, seconds=seconds,
                     rate=100) as thinking:
            until(lambda: server.metric("spout_requests_total") > 50)
            for _ in range(2):
                server.upgrade()
                with open(folder + "/pid") as file:
                    self.assertEqual(int(file.read()), server.main)
                self.assert_status(
                    server.get("/plaintext", address=server.addresses[1]), 200)
        self.assert_unharmed(one_shot.result)
        self.assert_unharmed(thinking.result)
        self.assertEqual(server.complaints(), [])
        server.stop()
        self.assertEqual(os.listdir(folder), [])  # the last one removes what they made

    def test_program_that_does_not_start_changes_nothing(self):
        folder = self.folder()
        server = self.start_one("--pid-file", folder + "/pid",
                                listen=("unix:%s/s" % folder, "127.0.0.1:0"))
        before = server.workers()
        for text, why in (
                ("#!/bin/sh\necho broken build; exit 3\n", "ended with status 3"),
                ("#!/bin/sh\nkill -9 $$\n", r"was killed \(signal 9"),
                ("", "ended with status 127: Permission denied"),
                ("#!/bin/sh\nexec %s \"$@\" --listen nonsense\n" % harness.DEMO,
                 "ended with status 2"),
                ("#!/bin/sh\nexec %s \"$@\" --database postgresql://127.0.0.1:1/x "
                 "--user nobody-has-this-name\n" % harness.DEMO, "ended with status 2")):
            with self.subTest(text=text):
                server.replace_by(text, 0o755 if text else 0o644)
                start = len(server.lines)
                server.begin_upgrade()
                server.wait_log("upgrade: the old program goes on: the new one " + why,
                                60, start=start)
                self.assertEqual(server.workers(), before)
                self.assert_status(server.get("/plaintext"), 200)
        self.assertIn("broken build", server.log())
        with open(folder + "/pid") as file:
            self.assertEqual(int(file.read()), server.main)
        server.restore()
        server.upgrade()
        self.assert_status(server.get("/plaintext"), 200)
        self.assertFalse(set(server.workers()) & set(before))

    def test_workers_that_cannot_start_are_no_upgrade(self):
        site = os.path.join(harness.BUILD, "tests", "integration", "site")
        told = self.folder() + "/fail"
        server = self.start_one("--fail-when", told, program=site)
        before = server.workers()
        with Load(server, "/", connections=4, seconds=2 * harness.SLOW,
                  once=True) as running:
            with open(told, "w"):
                server.begin_upgrade()
                server.wait_log("upgrade: the old program goes on: the new one ended "
                                "with status 1", 60)
        self.assert_unharmed(running.result)
        self.assertIn("on_worker_start: told to fail", server.log())
        self.assertEqual(server.workers(), before)

    def test_scaled_program_stays_as_large(self):
        server = self.start_one()
        server.signal(signal.SIGTTIN)
        server.wait_log("scale: 3 workers now")
        server.upgrade()
        self.assertEqual(len(server.workers()), 3)
        for _ in range(20):
            self.assert_status(server.get("/plaintext"), 200)
        server.replace_by("#!/bin/sh\nexec %s \"$@\" --processes 1\n" % harness.DEMO)
        start = len(server.lines)
        server.upgrade()
        server.wait_log("scale: 1 workers now", 60, start=start)
        for _ in range(20):
            self.assert_status(server.get("/plaintext"), 200)

    def test_stop_during_an_upgrade_ends_both(self):
        server = self.start_one()
        server.replace_by("#!/bin/sh\nexec sleep 1000\n")
        heir = server.begin_upgrade()
        server.stop()
        until(lambda: not harness.exists(heir))

    def test_secret_of_the_cookies_goes_along(self):
        server = self.start_one(env={"SPOUT_COOKIE_SECRET": "0123456789abcdef0123"})
        server.upgrade()
        with open("/proc/%d/environ" % server.main, "rb") as environment:
            self.assertIn(b"SPOUT_COOKIE_SECRET=0123456789abcdef0123\0",
                          environment.read())

    def test_clients_behind_nginx(self):
        server = self.start_one("--admin", "127.0.0.1:0")
        nginx = proxies.start_nginx(self, server.address)
        nginx.port = nginx.address[1]
        with Load(nginx, "/plaintext", connections=8,
                  seconds=3 * harness.SLOW) as running:
            until(lambda: server.metric("spout_requests_total") > 50)
            server.upgrade()
        self.assert_unharmed(running.result)
