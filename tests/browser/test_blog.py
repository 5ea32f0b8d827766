# SPDX-License-Identifier: MIT
"""The example blog in a browser: begin, write, edit, log out."""
import itertools
import os
import re

import database
import harness
from webdriver import Browser

PROGRAM = os.path.join(harness.BUILD, "src", "examples", "blog", "blog")


class Blog(harness.TestCase):
    numbers = itertools.count()

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        shared = database.shared()
        name = "blog_%d" % next(self.numbers)
        shared.query("CREATE DATABASE " + name)
        url = re.sub(r"(//[^/]*/)[^?]*", r"\1" + name, shared.url, count=1)
        self.server = self.start("--processes", "2", program=PROGRAM, env={
            "DATABASE_URL": url, "SPOUT_COOKIE_SECRET": "a-secret-of-the-tests"})
        self.addCleanup(self.browser.open, "about:blank")  # before the server stops
        self.browser.open(self.server.url + "/")

    def send(self, path, **fields):
        """Fill in the form of the page, send it, and wait for the page it leads to."""
        for name, value in fields.items():
            self.browser.run("document.querySelector('main [name=' + arguments[0] + ']')"
                             ".value = arguments[1]", name, value)
        self.follow("main button", path)

    def follow(self, selector, path):
        """Click, and wait for the page that this leads to, even if it is the same."""
        self.browser.run("window.isOld = true")
        self.browser.click(selector)
        harness.until(lambda: self.browser.run(
            "return location.pathname === arguments[0] && !window.isOld && "
            "document.readyState === 'complete'", path), 15)

    def test_an_author_begins_writes_and_edits(self):
        self.follow(".empty a", "/login")
        self.assertEqual(self.browser.text("h1"), "Begin")
        self.browser.screenshot("blog-login")
        self.send("/", name="<Ann>", password="correct horse")
        self.follow(".empty a", "/compose")
        body = "A < B & C\n\n<script>document.title = 'ran'</script>"
        self.send("/entry/it-is-tom-s-i", title="It is \"Tom's\" <i>", body=body)
        self.assertEqual(self.browser.text("h1"), "It is \"Tom's\" <i>")
        self.assertEqual(self.browser.text(".body"), body)
        self.assertIn("· <Ann> ·", self.browser.text(".about"))
        self.assertEqual(self.browser.title(), "It is \"Tom's\" <i> · A blog on Spout")
        self.browser.screenshot("blog")
        self.follow(".about a", "/compose")
        self.assertEqual(self.browser.run(
            "return document.querySelector('textarea').value"), body)
        self.send("/entry/it-is-tom-s-i", body="\n changed")
        self.assertEqual(self.browser.text(".body").strip(), "changed")
        self.follow("nav button", "/")
        self.assertEqual(self.browser.run(
            "return document.querySelector('nav form') === null"), True)
        # The style was loaded, by the rules of the Content-Security-Policy.
        self.assertEqual(self.browser.run(
            "return getComputedStyle(document.querySelector('header')).display"), "flex")
        self.assertEqual([line for line in self.browser.console()
                          if "favicon" not in line], [])

    def test_others_do_not_get_in(self):
        self.browser.open(self.server.url + "/login")
        self.send("/", name="Ann", password="correct horse")
        self.follow("nav button", "/")
        self.browser.open(self.server.url + "/compose")
        self.assertEqual(self.browser.text("h1"), "Log in")
        self.send("/login", name="Ann", password="wrong horse")
        self.assertEqual(self.browser.text("[role=alert]"), "Wrong name or password.")
        self.send("/compose", name="Ann", password="correct horse")
        self.send("/compose", _xsrf="2|0|0|0", title="Forged", body="text")
        self.assertIn("do not go together", self.browser.text("body"))
        self.browser.open(self.server.url + "/archive")
        self.assertNotIn("Forged", self.browser.text("main"))
