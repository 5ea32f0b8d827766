# SPDX-License-Identifier: MIT
"""spoutc, and templates that are compiled into a program or read from a folder."""
import os
import re
import subprocess
import tempfile

import harness

SPOUTC = os.path.join(harness.BUILD, "src/spoutc/spoutc")


class Templates(harness.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def spoutc(self, *args):
        return subprocess.run((SPOUTC,) + args, capture_output=True, text=True,
                              timeout=60)

    def test_a_folder_becomes_a_c_file(self):
        self.write("in/page.html", "{{ x }}")
        self.write("in/sub/other.html", "{% include ../_part.html %}")
        self.write("in/_part.html", "part")
        self.write("in/page.html~", "{{ broken")
        output = os.path.join(self.folder, "out.c")
        run = self.spoutc("--output", output, "--name", "pages", self.folder + "/in")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        with open(output) as file:
            text = file.read()
        self.assertEqual(re.findall(r'^\t\{ "(\S+)", pages_\d, \d+ \},$', text, re.M),
                         ["page.html", "sub/other.html"])
        self.assertEqual(self.spoutc("--name", "pages", self.folder + "/in").stdout, text)
        compiled = subprocess.run(
            ("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
             "-I", harness.TOP + "/lib/include", output), capture_output=True, text=True,
            timeout=60)
        self.assertEqual((compiled.returncode, compiled.stderr), (0, ""))

    def test_a_mistake_is_told_with_its_line_and_writes_nothing(self):
        self.write("page.html", "\n{% if x %}")
        output = os.path.join(self.folder, "out.c")
        run = self.spoutc("--output", output, self.folder)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr,
                         self.folder + "/page.html:2: {% if %} without {% end %}\n")
        self.assertEqual(os.listdir(self.folder), ["page.html"])

    def test_what_cannot_be_read_or_written_is_told(self):
        self.write("page.html", "x")
        for args, words in ((("/nonexistent",), "No such file"),
                            (("--output", "/nonexistent/x", self.folder),
                             "No such file")):
            run = self.spoutc(*args)
            self.assertEqual(run.returncode, 1)
            self.assertIn(words, run.stderr)

    def test_wrong_options_are_refused(self):
        for args in ((), ("a", "b"), ("--name", "1x", "."), ("--nope", "."),
                     ("--output",)):
            run = self.spoutc(*args)
            self.assertEqual(run.returncode, 2, args)
            self.assertEqual(run.stdout, "")
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)

    def test_the_manual_names_the_options_that_exist(self):
        text = self.spoutc("--help").stdout
        exist = set(re.findall(r"^\s+--([a-z-]+)", text, re.M))
        with open(os.path.join(harness.TOP, "src/spoutc/spoutc.1")) as file:
            documented = set(re.findall(r"^\.It Fl -([a-z-]+)", file.read(), re.M))
        self.assertEqual(documented, exist)
        self.assertRegex(self.spoutc("--version").stdout, r"^spoutc \d+\.\d+")

    def test_a_folder_is_checked_before_the_start(self):
        self.write("page.html", "{{ x }}")
        run = harness.command(harness.DEMO, "--check", "--template-path", self.folder,
                              check=False)
        self.assertEqual(run.returncode, 0)
        self.write("page.html", "\n\n<a href={{ x }}>")
        run = harness.command(harness.DEMO, "--check", "--template-path", self.folder,
                              check=False)
        self.assertEqual(run.returncode, 2)
        self.assertIn("templates: page.html:3: an expression in an attribute without "
                      "quotes", run.stderr)
