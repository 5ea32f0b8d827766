# SPDX-License-Identifier: MIT
"""The page /features of spout-demo: each of its live parts is used."""
import re

import harness
from webdriver import Browser


class Features(harness.TestCase):
    limit_seconds = 180

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.server = self.start("--processes", "1", "--fetch-allow")
        self.addCleanup(self.browser.open, "about:blank")  # before the server stops
        self.browser.open(self.server.url + "/")
        self.browser.console()  # what an earlier test has left there
        self.browser.click("a.tour")
        harness.until(lambda: self.browser.run(
            "return location.pathname === '/features' && "
            "document.readyState === 'complete'"), 15)

    def press(self, part, nth=1):
        """Press the nth button of a part as a user does, from where it can be seen."""
        self.browser.run("""
            const part = document.getElementById(arguments[0]);
            part.querySelector('output')?.replaceChildren();
            part.scrollIntoView({ behavior: 'instant' });""", part)
        self.browser.click("#%s button:nth-of-type(%d)" % (part, nth))

    def shows(self, part, pattern):
        last = [""]

        def matches():
            last[0] = self.browser.text("#%s output" % part)
            return re.search(pattern, last[0])

        try:
            harness.until(matches, 20)
        except harness.Broken:
            self.fail("%s shows %r, not %r" % (part, last[0], pattern))

    def test_each_part_shows_what_the_server_answers(self):
        for part, nth, pattern in (
                ("arguments", 1, r'(?s)^200 OK.*"total": 7.5'),
                ("routes", 1, r'(?s)^200 OK.*"next": "/features/shelves/8/AB-12"'),
                ("routes", 2, r"^404 Not Found"),
                ("routes", 3, r"came from /features/shelves/9/AA-1"),
                ("form", 1, r'(?s)^200 OK.*"colour": "teal"'),
                ("form", 2, r"(?s)^403 Forbidden.*do not go together"),
                ("upload", 1, r'(?s)^200 OK.*"field": "note".*"bytes": 18'),
                ("json", 1, r'(?s)^200 OK.*"sum": 6.5'),
                ("json", 2, r"(?s)^400 Bad Request.*numbers\[1\]"),
                ("cookies", 1, r'(?s)^200 OK.*"encrypted": "e1\|.*'
                               r'"encrypted": "rain at noon"'),
                ("session", 1, r'"visits": 1'),
                ("session", 1, r'"visits": 2'),
                ("auth", 1, r'"hello": "ann"'),
                ("auth", 2, r"(?s)^401 .*www-authenticate: Bearer"),
                ("rate", 1, r"(?s)× 429.*retry-after: \d"),
                ("cors", 1, r'(?s)^200 OK.*"origin": "http://127'),
                ("cors", 2, r"^no answer"),
                ("template", 1, r"You wrote: Tom &amp; &quot;Jerry&quot; &lt;script"),
                ("languages", 2, r"(?s)3 Dateien.*Wind, Wasser und Licht"),
                ("languages", 3, r"(?s)3 fichiers.*vent, eau et lumière"),
                ("files", 1, r"(?s)^206 .*bytes 0-15/\d+.*\n16 bytes"),
                ("files", 3, r"(?s)^200 .*etag"),
                ("files", 4, r"^304 "),
                ("compression", 1, r"(?s)content-encoding: br.*39000 bytes, sent as"),
                ("middleware", 1, r"server-timing: handler;dur="),
                ("errors", 1, r"(?s)^404 .*there is no <such> thing"),
                ("errors", 3, r"^504 "),
                ("stream", 1, r"(?s)line 1 of 5.*line 5 of 5"),
                ("events", 1, r"(?s)1: {.*3: {"),
                ("events", 2, r"closed"),
                ("websocket", 1, r"← Does it come back\? ✓"),
                ("websocket", 2, r"closed: 1000"),
                ("sleep", 1, r"^20 × 200"),
                ("together", 1, r'"below 300000": 25997'),
                ("database", 1, r"(?s)^503 .*DATABASE_URL"),
                ("fetch", 1, r'(?s)^200 OK.*"message": "Hello, World!"'),
                ("fetch", 2, r"^403 ")):
            with self.subTest(part=part, nth=nth):
                self.press(part, nth)
                self.shows(part, pattern)
        # The rules of the Content-Security-Policy let everything of its own through.
        self.assertEqual([line for line in self.browser.console()
                          if "status of 4" not in line and "status of 5" not in line and
                          "/json" not in line], [])
        self.browser.run("scrollTo({ top: 0, behavior: 'instant' })")
        self.browser.screenshot("features")
        self.browser.dark(True)
        self.browser.screenshot("features-dark")

    def test_the_links_of_the_page_lead_to_its_parts(self):
        parts = self.browser.run("""
            return [...document.querySelectorAll('nav a')].map(a => [
                a.hash.slice(1), document.querySelector(a.hash + ' pre').textContent])""")
        self.assertGreaterEqual(len(parts), 25)
        for part, source in parts:
            self.assertGreater(len(source), 100, part)
        self.assertEqual(len(parts), self.browser.run(
            "return document.querySelectorAll('section').length"))
        self.press("login")
        harness.until(lambda: self.browser.run("return location.pathname") == "/login",
                      15)

    def test_it_fits_a_telephone(self):
        self.browser.size(390, 844)
        self.addCleanup(self.browser.size, 1200, 1600)
        wide = self.browser.run("""
            const page = document.documentElement;
            return page.scrollWidth - page.clientWidth""")
        self.assertLessEqual(wide, 0)
        self.browser.screenshot("features-narrow")
