# SPDX-License-Identifier: MIT
"""The manual pages name the options that exist, and no others."""
import os
import re

import harness

PAGES = ("lib/app/spout-options.7", "src/demo/spout-demo.1")


class Manuals(harness.TestCase):
    def documented(self):
        found = set()
        for page in PAGES:
            with open(os.path.join(harness.TOP, page)) as file:
                found |= set(re.findall(r"^\.It Fl -([a-z-]+)", file.read(), re.M))
        return found

    def test_every_option_of_help_is_in_a_manual_and_back(self):
        text = harness.command(harness.DEMO, "--help").stdout
        exist = set(re.findall(r"^\s+--([a-z-]+)", text, re.M))
        self.assertGreater(len(exist), 20)
        self.assertEqual(self.documented(), exist)

    def test_the_defaults_of_the_manual_are_those_of_help(self):
        text = harness.command(harness.DEMO, "--print-config").stdout
        with open(os.path.join(harness.TOP, PAGES[0])) as file:
            manual = file.read()
        stated = re.findall(r"^\.It Fl -([a-z-]+)[^.]*(?:\n(?!\.It|\.El).*)*?"
                            r"\n\.Pq default: (\S+?) ?\.?$", manual, re.M)
        self.assertGreater(len(stated), 8)
        for name, value in stated:
            with self.subTest(option=name):
                self.assertRegex(text, r"(?m)^#?\s*%s\s*=\s*%s(\s|$)" % (
                    name, re.escape(value)))

    def test_every_route_of_the_page_is_in_the_manual(self):
        with open(os.path.join(harness.TOP, PAGES[1])) as file:
            manual = file.read().replace(" Ns Ar N", "")
        server = self.start("--processes", "1")
        page = server.get("/").text
        for path in set(re.findall(r'href="(/[a-z/-]*)', page)):
            with self.subTest(path=path):
                self.assertRegex(manual, r"Pa %s[ ?\n]" % re.escape(path))
