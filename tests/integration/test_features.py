# SPDX-License-Identifier: MIT
"""/features of spout-demo: each live part answers, and its source is that of the file."""
import html
import json
import os
import re

import harness

SOURCES = os.path.join(harness.TOP, "src", "demo")


class Features(harness.ServerTestCase):
    def test_the_page_shows_the_very_sources(self):
        answer = self.server.get("/features")
        self.assert_status(answer, 200)
        shown = re.findall(r"<figcaption>src/demo/([^<]*)</figcaption>"
                           r"<pre[^>]*>(.*?)</pre>", answer.text, re.S)
        self.assertGreaterEqual(len(shown), 25)
        for name, text in shown:
            with self.subTest(name=name):
                with open(os.path.join(SOURCES, name)) as file:
                    source = file.read()
                text = html.unescape(re.sub(r"</?i[^>]*>", "", text))
                if name.startswith("features/"):
                    self.assertTrue(source.endswith(text))
                    self.assertIn("features_" + name[9:-2] + "[]", text)
                for function in re.split(r"(?m)^}\n\n?", text):
                    self.assertIn(function, source)
        missing = {"features/" + name for name in os.listdir(SOURCES + "/features")
                   if name.endswith(".c")} - {name for name, _ in shown}
        self.assertEqual(missing, set())

    def test_nothing_inline_nothing_from_elsewhere(self):
        answer = self.server.get("/features")
        self.assertIn("script-src 'self'; style-src 'self'",
                      answer.header("content-security-policy"))
        self.assertNotRegex(answer.text, r"<style|<script>| on\w+=| style=|=\"https?:")
        for path, kind in (("/features/page.css", "text/css"),
                           ("/features/page.js", "text/javascript")):
            self.assertIn(path, answer.text)
            self.assertTrue(self.server.get(path).header("content-type").startswith(kind))

    def expect(self, target, status=200, text="", method="GET", headers=(), body=None):
        answer = self.server.request(method, target, headers=headers, body=body)
        self.assert_status(answer, status)
        self.assertIn(text, answer.text)
        return answer

    def test_requests(self):
        self.expect("/features/arguments?price=2&count=3&size=large", text='"total":6.0')
        self.expect("/features/arguments", 400, "price")
        for wrong in ("count=21", "count=x", "size=huge", "gift=perhaps", "day=never"):
            self.expect("/features/arguments?price=1&" + wrong, 400, wrong.split("=")[0])
        self.expect("/features/shelves/99/AB-1", text="/features/shelves/1/AB-1")
        for wrong in ("/features/shelves/100/AB-1", "/features/shelves/1/ab-1",
                      "/features/orders/7"):
            self.expect(wrong, 404)
        answer = self.expect("/features/shelf/9", 301)
        self.assertEqual(answer.header("location"), "/features/shelves/9/AA-1")
        self.expect("/features/form", 403, method="POST", body=b"name=x&colour=teal",
                    headers=[("Content-Type", "application/x-www-form-urlencoded")])

    def test_the_language_is_that_of_the_reader(self):
        for accept, locale, files in (("de-AT", "de", "3 Dateien"), ("fr", "fr",
                                      "3 fichiers"), ("it", "en_US", "3 files")):
            answer = json.loads(self.expect("/features/languages", headers=[
                ("Accept-Language", accept)]).body)
            self.assertEqual((answer["locale"], answer["files"]), (locale, files))
        self.expect("/features/languages?lang=de&n=1", text="1 Datei\"")

    def test_cross_origin_rules_are_for_their_paths_only(self):
        origin = [("Origin", "https://a.example")]
        answer = self.expect("/features/cors", method="PUT", headers=origin, body=b"")
        self.assertEqual(answer.header("access-control-allow-origin"), "*")
        answer = self.expect("/features/cors", 204, method="OPTIONS", headers=origin + [
            ("Access-Control-Request-Method", "PUT")])
        self.assertIn("PUT", answer.header("access-control-allow-methods"))
        for path in ("/json", "/features/arguments?price=1", "/plaintext"):
            answer = self.expect(path, headers=origin)
            self.assertIsNone(answer.header("access-control-allow-origin"))

    def test_who_asks_too_often_waits(self):
        answers = [self.server.get("/features/rate") for _ in range(30)]
        self.assertEqual({answer.status for answer in answers}, {200, 429})
        self.assertTrue(answers[-1].header("retry-after") or answers[-1].status == 200)

    def test_answers(self):
        self.expect("/features/template?text=%3Cb%3E", text='title="&lt;b&gt;"')
        part = self.expect("/features/files/program", 206, headers=[("Range",
                                                                     "bytes=0-3")])
        self.assertEqual(part.body, b"\x7fELF")
        for _ in range(5):  # until two of them are of the same ten seconds
            tag = self.expect("/features/unchanged").header("etag")
            again = self.server.request("GET", "/features/unchanged",
                                        headers=[("If-None-Match", tag)])
            if again.status == 304:
                break
        self.assert_status(again, 304)
        timed = self.expect("/features/middleware")
        self.assertRegex(timed.header("server-timing"), r"^handler;dur=\d")
        self.expect("/features/errors?status=418", 418, "&lt;such&gt;")
        self.expect("/features/errors?wait=yes", 504)
        self.expect("/features/stream", text="line 5 of 5\n")
        self.assertEqual(json.loads(self.expect("/features/together").body),
                         {"below 100000": 9592, "below 300000": 25997})
