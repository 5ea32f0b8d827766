# SPDX-License-Identifier: MIT
"""The page of spout-demo, used in a browser."""
import re

import database
import harness
from webdriver import Browser


class Page(harness.TestCase):
    """Each test loads the page anew; the browser is shared."""

    @classmethod
    def setUpClass(cls):
        cls.database = database.shared()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def load(self, with_database=True):
        env = {"DATABASE_URL": self.database.url} if with_database else {}
        server = self.start("--processes", "1", "--fetch-allow", env=env)
        self.addCleanup(self.browser.open, "about:blank")  # before the server stops
        self.browser.console()  # what an earlier test has left there
        self.browser.open(server.url + "/")
        return server

    def reads(self, selector, pattern):
        """Wait until the text of an element matches; returns the text."""
        last = [None]

        def matches():
            last[0] = self.browser.text(selector)
            return re.search(pattern, last[0])

        try:
            harness.until(matches, 15)
        except harness.Broken:
            self.fail("%s reads %r, not %r" % (selector, last[0], pattern))
        return last[0]

    def test_the_page_loads_without_an_error(self):
        self.load()
        self.assertIn("Spout", self.browser.title())
        self.reads("#b-rtt", r"^\d+\.\d ms$")
        self.reads("#b-db", "^connected$")
        self.reads("#b-ready", "^ready$")
        self.assertEqual(self.browser.console(), [])

    def test_buttons_show_what_the_server_answers(self):
        self.load()
        self.browser.click("#echo")
        self.reads("#o-echo", r"^200 in [\d.]+ ms\n.*Water goes up")
        self.browser.click("#upload")
        self.reads("#o-upload", r"^200 in [\d.]+ ms\n(?s:.*)524288")
        self.browser.click("[data-get='/db']")
        self.reads("#o-db", r"^200 in [\d.]+ ms\n(?s:.*)randomNumber")
        self.browser.click("#sleep")
        answer = self.reads("#o-sleep", r"all: \d+ ms")
        self.assertLess(int(re.search(r"all: (\d+) ms", answer).group(1)),
                        2500 * harness.SLOW)

    def test_requests_go_on_while_the_cpu_burns(self):
        self.load()
        self.browser.click("#burn")
        self.reads("#f-cpu", "^[1-3]$")
        self.browser.run("samples.length = 0")
        harness.until(lambda: self.browser.run("return samples.length") > 3, 15)
        self.reads("#f-cpu", "^0$")
        self.assertEqual(self.browser.console(), [])

    def test_without_a_database_the_page_says_so(self):
        self.load(with_database=False)
        self.reads("#b-db", "^not available$")
        self.browser.click("[data-get='/db']")
        self.reads("#o-db", r"^503 in [\d.]+ ms\n(?s:.*)(?i:database)")

    def test_every_link_of_the_page_answers(self):
        server = self.load()
        links = self.browser.run("""
            return [...document.querySelectorAll('a[href]')]
                .map(a => a.getAttribute('href'))
            """)
        self.assertGreater(len(links), 5)
        for link in sorted(set(links)):
            with self.subTest(link=link):
                self.assertEqual(server.get(link).status, 200)
