# SPDX-License-Identifier: MIT
"""Hostile texts in every place of a page: none of them runs in a real browser."""
import json
import os
import subprocess
import tempfile
import unittest

import harness
import webdriver

RENDER = os.path.join(harness.BUILD, "tests/bench/render")
CORPUS = os.path.join(harness.TOP, "tests/conformance/xss.json")

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{{ x }}</title>
<script>var ran = 0; window.alert = () => { ran++; };</script>
<style>#styled { color: {{ x }}; } #quoted::after { content: '{{ x }}'; }
#pictured { background: url({{ x }}); }</style></head>
<body><!-- {{ x }} -->
<p id="text">{{ x }}</p>
<p id="double" title="{{ x }}"></p>
<p id="single" title='{{ x }}'></p>
<textarea id="area">{{ x }}</textarea>
<input id="input" value="{{ x }}" autofocus>
<a class="go" href="{{ x }}">a</a>
<a class="go" href=" {{ x }}">a</a>
<a class="go" href="java{{ x }}">a</a>
<a class="go" href="{{ 'java' }}{{ x }}">a</a>
<a class="go" href="#{{ x }}">a</a>
<a class="go" href="?q={{ x }}&amp;r={{ x }}">a</a>
<iframe id="frame" src="{{ x }}"></iframe>
<img src="{{ x }}"><img srcset="{{ x }} 2x"><object data="{{ x }}"></object>
<form action="{{ x }}"><button formaction="{{ x }}" type="button">b</button></form>
<svg><a class="go" xlink:href="{{ x }}"><text>a</text></a></svg>
<p id="styled" style="color: {{ x }}; background: url('{{ x }}')">s</p>
<p id="quoted">q</p><p id="pictured">p</p>
<b id="click" onclick="got.push({{ x }}, '{{ x }}', &quot;{{ x }}&quot;)">c</b>
<script>
var got = [{{ x }}, '{{ x }}', "{{ x }}", `{{ x }}`, `${ {{ x }} }`];
var o = {{ [x] }};
</script>
<p id="end">end</p></body></html>
"""

SCRIPT = """
for (const id of ["click", "double", "single", "text"])
  document.getElementById(id).click();
for (const e of document.querySelectorAll("*"))
  for (const type of ["mouseover", "focus", "animationstart", "toggle"])
    e.dispatchEvent(new Event(type));
for (const a of document.querySelectorAll("a.go")) {
  a.setAttribute("target", "frame");
  let scheme = "";
  try {
    scheme = new URL(a.href.baseVal ?? a.href, document.baseURI).protocol;
  } catch (e) { /* no URL leads nowhere */ }
  if (!["", "file:", "about:"].includes(scheme)) ran += 100;
}
const at = (id, name) => document.getElementById(id).getAttribute(name);
return {
  ran: ran, elements: document.querySelectorAll("*").length,
  attributes: [...document.querySelectorAll("*")].map(e => e.attributes.length).join(),
  texts: [document.getElementById("text").textContent, at("double", "title"),
          at("single", "title"), document.getElementById("area").textContent,
          at("input", "value"), ...got, ...o],
  end: document.getElementById("end").textContent,
};
"""


class Escaping(unittest.TestCase):
    limit_seconds = 300

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "page.html"), "w") as file:
            file.write(PAGE)
        self.browser = webdriver.Browser()
        self.addCleanup(self.browser.close)

    def show(self, text):
        values = os.path.join(self.folder, "values.json")
        with open(values, "w") as file:
            json.dump({"x": text}, file)
        page = subprocess.run((RENDER, self.folder, "page.html", values, "0"), check=True,
                              capture_output=True, timeout=60).stdout
        path = os.path.join(self.folder, "shown.html")
        with open(path, "wb") as file:
            file.write(page)
        self.browser.open("file://" + path)
        return self.browser.run(SCRIPT)

    def test_no_text_runs_or_changes_the_page(self):
        tame = self.show("harmless")
        self.assertEqual(tame["ran"], 0)
        self.assertEqual(set(tame["texts"]), {"harmless"})
        self.assertEqual(len(tame["texts"]), 14)
        with open(CORPUS) as file:
            corpus = json.load(file)
        self.assertGreater(len(corpus), 50)
        for text in corpus:
            with self.subTest(text=text):
                page = self.show(text)
                self.assertEqual(page["ran"], 0)
                self.assertEqual(page["end"], "end")
                self.assertEqual(page["elements"], tame["elements"])
                self.assertEqual(page["attributes"], tame["attributes"])
                # A browser makes line feeds of carriage returns in a page.
                expected = {text, text.replace("\r\n", "\n").replace("\r", "\n")}
                if text[:1] in ("\n", "\r"):
                    expected.add(text[1:])  # the first one of a textarea
                self.assertLessEqual(set(page["texts"]), expected)
