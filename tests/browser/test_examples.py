# SPDX-License-Identifier: MIT
"""The examples login and file_upload in a browser."""
import hashlib
import os

import harness
from webdriver import Browser


def example(name):
    return os.path.join(harness.BUILD, "src", "examples", name)


class Page(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, *args, **options):
        server = self.start("--processes", "1", *args, **options)
        self.addCleanup(self.browser.open, "about:blank")  # before the server stops
        self.browser.console()  # what an earlier test has left there
        self.browser.open(server.url + "/")
        return server

    def shows(self, text):
        harness.until(lambda: self.browser.run(
            "return document.readyState === 'complete' && document.body.innerText"
            ".includes(arguments[0])", text), 15, "the page shows %r" % text)


class Login(Page):
    def setUp(self):
        super().setUp()
        self.open(program=example("login"),
                  env={"SPOUT_COOKIE_SECRET": "a-secret-of-the-tests"})

    def log_in(self, password):
        self.browser.run("document.querySelector('[name=name]').value = 'ann'")
        self.browser.type("[name=password]", password)
        self.browser.click("button")

    def test_a_user_logs_in_and_out(self):
        self.log_in("wrong")
        self.shows("Wrong name or password.")
        self.browser.screenshot("login")
        self.log_in("waterspout")
        self.shows("Hello, ann")
        self.assertEqual(self.browser.run("return document.cookie.includes('login')"),
                         False)
        self.browser.click("button")
        self.shows("Log in")

    def test_a_forged_token_is_refused(self):
        self.browser.run("document.querySelector('[name=_xsrf]').value = '2|0|0|0'")
        self.log_in("waterspout")
        self.shows("do not go together")


class Upload(Page):
    def test_files_are_sent_both_ways(self):
        kept, folder = self.folder(), self.folder()
        self.open("--folder", kept, program=example("file_upload"))
        digests = []
        for name, size in (("a <b>.txt", 5), ("large.bin", 3000000)):
            data = os.urandom(size)
            digests.append(hashlib.sha256(data).hexdigest())
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        files = "\n".join(os.path.join(folder, name)
                          for name in ("a <b>.txt", "large.bin"))
        self.browser.screenshot("upload")
        for way in ("/memory", "/disk"):
            form = "form[action='%s'] " % way
            self.browser.type(form + "input", files)
            self.browser.click(form + "button")
            self.shows("What has come")
            self.assertEqual(self.browser.run(
                "return [...document.querySelectorAll('dt, code')]"
                ".map(e => e.textContent)"),
                ["a <b>.txt", digests[0], "large.bin", digests[1]])
            self.browser.screenshot("upload-done")
            self.browser.click("a")
            self.shows("To disk")
        self.assertEqual(len(os.listdir(kept)), 2)
        self.assertEqual(self.browser.console(), [])
