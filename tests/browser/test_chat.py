# SPDX-License-Identifier: MIT
"""The chat in two browsers: a room in two workers, over a reload, by long polls."""
import os
import signal

import harness
from harness import until
from webdriver import Browser

PROGRAM = os.path.join(harness.BUILD, "src", "examples", "chat", "chat")


class Chat(harness.TestCase):
    limit_seconds = 120

    @classmethod
    def setUpClass(cls):
        cls.browsers = []
        for _ in range(2):
            cls.browsers.append(Browser())
            cls.addClassCleanup(cls.browsers[-1].close)

    def setUp(self):
        super().setUp()
        self.server = self.start(
            "--processes", "2", "--drain-timeout", "1s", program=PROGRAM,
            env={"SPOUT_COOKIE_SECRET": "a-secret-of-the-tests"})
        for browser in self.browsers:
            self.addCleanup(browser.open, "about:blank")  # before the server stops

    def enter(self, browser, name):
        browser.open(self.server.url + "/login")
        browser.type("[name=name]", name)
        browser.type("[name=password]", "waterspout")
        browser.click("main button")
        self.connected(browser)

    def connected(self, browser):
        until(lambda: browser.run(
            "return document.getElementById('status')?.className") == "on", 30,
            "the page to be connected")

    def say(self, browser, text):
        browser.type("#text", text)
        browser.click("footer button")

    def texts(self, browser):
        """What stands in the room, but for what waits to be sent."""
        return browser.run("return [...document.querySelectorAll('#messages li:not("
                           ".pending) .text')].map(e => e.textContent)")

    def people(self, browser):
        return browser.run("return [...document.querySelectorAll('#people li')]"
                           ".map(e => e.lastChild.textContent)")

    def both_have(self, *texts):
        for browser in self.browsers:
            until(lambda: self.texts(browser) == list(texts), 30, "both to read it all")

    def test_two_people_talk_over_a_reload(self):
        ann, bob = self.browsers
        self.enter(ann, "ann")
        self.enter(bob, "<bob>")
        for browser in self.browsers:
            until(lambda: self.people(browser) == ["<bob>", "ann"], 30, "both people")
        self.say(ann, "Hello <b>there</b>")
        self.say(bob, "Hello, ann")
        self.both_have("Hello <b>there</b>", "Hello, ann")
        self.server.signal(signal.SIGHUP)
        self.say(ann, "Are you there?")
        self.server.wait_log("reload: done", 40)
        self.say(bob, "Still here")
        self.both_have("Hello <b>there</b>", "Hello, ann", "Are you there?", "Still here")
        for browser in self.browsers:
            self.connected(browser)
            until(lambda: self.people(browser) == ["<bob>", "ann"], 30, "both people")
            self.assertEqual(browser.run(
                "return document.querySelectorAll('.note').length"), 0)
        ann.size(1100, 720)
        ann.screenshot("chat")

    def test_one_polls(self):
        ann, bob = self.browsers
        self.enter(ann, "cy")
        self.enter(bob, "dee")
        bob.run("const mode = document.getElementById('mode'); mode.value = 'poll';"
                "mode.onchange();")
        self.connected(bob)
        self.say(ann, "one")
        self.both_have("one")
        self.say(bob, "two")
        self.both_have("one", "two")
