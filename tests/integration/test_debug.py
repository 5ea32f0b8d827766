# SPDX-License-Identifier: MIT
"""
Debug mode: what its error pages say, and nobody else's; the program built anew.
"""
import os
import shutil
import stat

import harness
from harness import until

EXAMPLES = os.path.join(harness.BUILD, "src", "examples")
SITE = os.path.join(harness.BUILD, "tests", "integration", "site")


class ErrorPages(harness.TestCase):

    def test_only_debug_mode_shows_where_it_failed(self):
        fields = {"Cookie": "hidden=1", "Authorization": "Basic hidden"}
        for args in ((), ("--debug",)):
            server = self.start("--processes", "1", *args, program=SITE)
            page = server.request("GET", "/p/x?token=hidden", headers=fields.items())
            self.assert_status(page, 400)
            self.assertNotIn("hidden", page.text)
            for word in ("Functions", "spout_path_int", "masked"):
                self.assertEqual(word in page.text, bool(args), word)
            self.assertEqual("debug mode: error pages show" in server.log(), bool(args))


class Rebuilt(harness.TestCase):
    """The file of a program that runs is replaced, as a linker does it."""

    def install(self, source):
        beside = self.program + ".new"
        shutil.copy(source, beside)
        os.rename(beside, self.program)

    def begin(self, *args):
        self.program = os.path.join(self.folder(), "program")
        shutil.copy(os.path.join(EXAMPLES, "hello"), self.program)
        server = self.start("--processes", "2", *args, program=self.program)
        self.assertEqual(server.get("/").text, "Hello, World!\n")
        return server

    def listening_again(self, server, count):
        """The n-th time that it listens; it takes another port each time."""
        match = server.wait_log(harness.LISTENING, 30, count)[count - 1]
        server.address = (match.group(3), int(match.group(4)))

    def test_a_new_build_is_started_in_place_of_the_old_one(self):
        server = self.begin("--debug")
        pid, workers = server.pid, server.workers()
        self.install(SITE)
        self.listening_again(server, 2)
        self.assertIn("<title>0</title>", server.get("/").text)
        self.assertEqual(server.pid, pid)
        self.assertTrue(server.alive())
        until(lambda: not any(map(harness.exists, workers)))
        self.install(os.path.join(EXAMPLES, "hello"))
        self.listening_again(server, 3)
        self.assertEqual(server.get("/").text, "Hello, World!\n")

    def test_a_build_that_does_not_work_leaves_the_old_one_running(self):
        server = self.begin("--debug")
        broken = self.program + ".broken"
        with open(broken, "w") as script:
            script.write("#!/bin/sh\necho it is broken >&2\nexit 2\n")
        os.chmod(broken, stat.S_IRWXU)
        self.install(broken)
        server.wait_log("it is broken")
        server.wait_log("does not work, the old one goes on")
        self.assertEqual(server.get("/").text, "Hello, World!\n")
        self.install(SITE)
        self.listening_again(server, 2)
        self.assertIn("<title>0</title>", server.get("/").text)

    def test_without_debug_mode_nobody_looks(self):
        server = self.begin()
        self.assertEqual(len(server.workers()), 2)  # and no child beside them
        debug = self.begin("--debug")
        self.assertEqual(len(debug.workers()), 3)
