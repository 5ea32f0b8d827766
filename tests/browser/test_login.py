# SPDX-License-Identifier: MIT
"""Logging in to the demo in a browser."""
import harness
from webdriver import Browser


class Login(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.server = self.start("--processes", "1")
        self.addCleanup(self.browser.open, "about:blank")  # before the server stops
        self.browser.open(self.server.url + "/account")

    def at(self, path):
        harness.until(lambda: self.browser.run("return location.pathname") == path, 15)

    def fill_in(self, name, password):
        self.at("/login")
        self.browser.run("""
            document.querySelector('[name=name]').value = arguments[0];
            document.querySelector('[name=password]').value = arguments[1];""",
                         name, password)
        self.browser.click("button")

    def test_a_user_logs_in_and_out(self):
        self.fill_in("<Ann>", "waterspout")
        self.at("/account")
        self.assertEqual(self.browser.text("h1"), "Hello, <Ann>")
        self.assertNotIn("spout_demo_user", self.browser.run("return document.cookie"))
        self.browser.click("button")
        self.at("/login")
        self.browser.open(self.server.url + "/account")
        self.at("/login")

    def test_a_wrong_password_is_told_so(self):
        self.fill_in("ann", "wrong")
        harness.until(lambda: self.browser.run(
            "return document.querySelector('[role=alert]') !== null"), 15)
        self.assertEqual(self.browser.text("[role=alert]"), "Wrong name or password.")

    def test_a_forged_token_is_refused(self):
        self.at("/login")
        self.browser.run("document.querySelector('[name=_xsrf]').value = '2|0|0|0'")
        self.fill_in("ann", "waterspout")
        harness.until(lambda: "do not go together" in self.browser.run(
            "return document.body.textContent"), 15)
