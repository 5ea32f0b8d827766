# SPDX-License-Identifier: MIT
"""The web applications of src/examples, used with curl as their users would."""
import copy
import hashlib
import itertools
import os
import re
import urllib.parse
import xml.etree.ElementTree

import database
import harness
from harness import command


def example(name):
    return os.path.join(harness.BUILD, "src", "examples", name)


class CurlTest(harness.TestCase):
    """curl, with a jar of cookies."""

    def setUp(self):
        super().setUp()
        self.jar = os.path.join(self.folder(), "jar")
        self.server = None

    def curl(self, path, *args, status=200):
        """Returns (head, body) of the last answer."""
        done = command("curl", "--silent", "--show-error", "--include", "--http1.1",
                       "--header", "Expect:", "--cookie", self.jar,
                       "--cookie-jar", self.jar, *args, self.server.url + path)
        head, _, body = done.stdout.partition("\n\n")
        found = re.match(r"HTTP/1\.1 (\d+)", head)
        self.assertEqual(int(found.group(1)), status, done.stdout[:2000])
        return head, body

    def token(self, path):
        _, body = self.curl(path)
        return re.search(r'name="_xsrf" value="([^"]+)"', body).group(1)


class FileUpload(CurlTest):
    def setUp(self):
        super().setUp()
        self.kept = self.folder()
        self.server = self.start("--processes", "1", "--folder", self.kept,
                                 "--max-file-size", "20m",
                                 program=example("file_upload"))
        self.path = os.path.join(self.folder(), "a file.bin")

    def write(self, size):
        data = os.urandom(min(size, 1 << 20)) * (size // (1 << 20) + 1)
        with open(self.path, "wb") as file:
            file.write(data[:size])
        return hashlib.sha256(data[:size]).hexdigest()

    def field(self, name="files"):
        return "%s=@%s" % (name, self.path)

    def expect(self, path, files, *more):
        """files: (size, digest) of self.path, sent so often."""
        args = [word for _ in files for word in ("-F", self.field())]
        _, body = self.curl(path, *args, *more)
        self.assertEqual(body.splitlines(), [
            "%s %10d  a file.bin" % (digest, size) for size, digest in files])

    def test_the_page_has_both_forms(self):
        _, body = self.curl("/")
        for action in ("/memory", "/disk"):
            self.assertIn('<form action="%s" method="post" enctype="multipart/form-data">'
                          % action, body)

    def test_one_and_many_files_of_every_size(self):
        for path in ("/memory", "/disk"):
            for size in (0, 1, 65536, 3000001):
                self.expect(path, [(size, self.write(size))])
            digest = self.write(1000)
            self.expect(path, [(1000, digest)] * 100)
            self.curl(path, *["-F", self.field()] * 101, status=400)

    def test_what_is_kept_is_what_was_sent_under_a_name_of_ours(self):
        digest = self.write(5000000)
        self.curl("/disk", "-F", self.field() + ";filename=../../etc/passwd", "-F", "a=b",
                  "-F", self.field())
        names = os.listdir(self.kept)
        self.assertEqual(len(names), 2)
        for name in names:
            self.assertRegex(name, r"^upload-[0-9a-f]{16}$")
            with open(os.path.join(self.kept, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest)

    def test_what_is_too_large_is_413_and_leaves_nothing(self):
        limit = 20 << 20
        self.expect("/disk", [(limit, self.write(limit))])
        self.assertEqual(len(os.listdir(self.kept)), 1)
        self.write(limit + 1)
        self.curl("/disk", "-F", "files=@" + __file__, "-F", self.field(), status=413)
        harness.until(lambda: len(os.listdir(self.kept)) == 1)
        self.write((16 << 20) - 1000)  # the limit is that of the whole form
        self.curl("/memory", "-F", self.field())
        self.write(16 << 20)
        self.curl("/memory", "-F", self.field(), status=413)

    def test_a_form_without_a_file(self):
        self.curl("/memory", "-F", "a=b", status=400)
        self.assertEqual(self.curl("/disk", "-F", "a=b")[1], "")
        self.curl("/memory", "-d", "files=x", status=400)
        self.curl("/disk", "-d", "files=x", status=415)

    def test_a_malformed_form_is_400(self):
        kind = "Content-Type: multipart/form-data; boundary=b"
        part = ('--b\r\nContent-Disposition: form-data; name="files"; filename="x"'
                '\r\n\r\nabc')
        whole = part + "\r\n--b--\r\n"
        for path in ("/memory", "/disk"):
            _, body = self.curl(path, "-H", kind, "--data-binary", whole)
            self.assertEqual(body, "%s          3  x\n"
                             % hashlib.sha256(b"abc").hexdigest())
            for bad in (part, whole.replace("--b--", "--b"), "nothing",
                        whole.replace("form-data", "\x01")):
                self.curl(path, "-H", kind, "--data-binary", bad, status=400)
            self.curl(path, "-H", "Content-Type: multipart/form-data",
                      "--data-binary", whole, status=400)
        harness.until(lambda: len(os.listdir(self.kept)) == 1)

    def test_a_folder_that_cannot_be_written_is_a_500(self):
        os.rmdir(self.kept)
        self.write(10)
        self.curl("/disk", "-F", self.field(), status=500)


class Login(CurlTest):
    def setUp(self):
        super().setUp()
        self.server = self.start("--processes", "2", program=example("login"),
                                 env={"SPOUT_COOKIE_SECRET": "a-secret-of-the-tests"})

    def log_in(self, name="ann", password="waterspout", status=303, **form):
        form = {"_xsrf": self.token("/login"), "name": name, "password": password, **form}
        args = [word for pair in form.items()
                for word in ("--data-urlencode", "%s=%s" % pair)]
        return self.curl("/login", *args, status=status)

    def test_a_user_logs_in_and_out(self):
        head, _ = self.curl("/", status=302)
        self.assertIn("Location: /login?next=%2F", head)
        head, _ = self.log_in(next="/?x=1")
        self.assertIn("Location: /?x=1", head)
        self.assertIn("HttpOnly", head)
        self.assertIn("<h1>Hello, ann</h1>", self.curl("/")[1])
        self.curl("/logout", "--data-urlencode", "_xsrf=" + self.token("/"), status=303)
        self.curl("/", status=302)

    def test_a_wrong_password_is_told_so(self):
        for name, password in (("ann", "wrong"), ("<bob>", "waterspout")):
            _, body = self.log_in(name, password, status=403)
            self.assertIn('<p role="alert">Wrong name or password.</p>', body)
            self.assertIn('value="%s"' % name.replace("<", "&lt;").replace(">", "&gt;"),
                          body)
        self.curl("/", status=302)

    def test_a_forged_token_is_refused(self):
        self.log_in()
        token = self.token("/")
        self.curl("/logout", "-d", "", status=403)
        self.curl("/logout", "-d", "_xsrf=2|0|0|0", status=403)
        self.curl("/logout", "--data-urlencode", "_xsrf=x" + token, status=403)
        self.assertIn("Hello, ann", self.curl("/")[1])

    def test_a_forged_cookie_is_nobody(self):
        self.log_in()
        with open(self.jar) as file:
            cookies = file.read()
        forged = re.sub(r"(login_user\t2\|1:0\|10:\d+\|10:login_user\|\d:)....",
                        r"\1Ym9i", cookies)
        self.assertNotEqual(forged, cookies)
        with open(self.jar, "w") as file:
            file.write(forged)
        self.curl("/", status=302)

    def test_nobody_is_sent_to_another_host(self):
        head, _ = self.log_in(next="//evil.example/")
        self.assertRegex(head, r"(?m)^Location: /$")

    def test_who_guesses_is_slowed_down(self):
        """20 at once are let through by each of two workers."""
        done = command("curl", "--silent", "--output", os.devnull,
                       "--write-out", "%{http_code}\n", "--cookie-jar", self.jar,
                       "--cookie", self.jar, "-d", "name=x", "--data-urlencode",
                       "_xsrf=" + self.token("/login"),
                       self.server.url + "/login?n=[1-60]")
        statuses = done.stdout.split()
        self.assertGreaterEqual(statuses.count("400"), 20)
        self.assertGreaterEqual(statuses.count("429"), 10)
        self.assertEqual(len(statuses), 60)


class Blog(CurlTest):
    numbers = itertools.count()

    def setUp(self):
        super().setUp()
        shared = database.shared()
        name = "blog_%d" % next(self.numbers)
        shared.query("CREATE DATABASE " + name)
        self.db = copy.copy(shared)
        self.db.url = re.sub(r"(//[^/]*/)[^?]*", r"\1" + name, shared.url, count=1)
        self.server = self.blog()

    def blog(self):
        return self.start("--processes", "2", program=example("blog/blog"),
                          env={"SPOUT_COOKIE_SECRET": "a-secret-of-the-tests",
                               "DATABASE_URL": self.db.url})

    def post(self, path, page, status=303, **form):
        with open(self.jar + ".form", "w") as file:  # too long for a command line
            file.write(urllib.parse.urlencode({"_xsrf": self.token(page), **form}))
        head, body = self.curl(path, "--data", "@" + file.name, status=status)
        found = re.search(r"(?m)^Location: (.*)$", head)
        return (found.group(1) if found else None), body

    def log_in(self, name="Ann", password="correct horse", status=303):
        return self.post("/login", "/login", status, name=name, password=password)

    def write(self, title, body, **more):
        return self.post("/compose", "/compose", title=title, body=body, **more)[0]

    def test_all_workers_migrate_and_again_is_harmless(self):
        self.assertEqual(self.db.query("SELECT name FROM spout_migrations ORDER BY 1"),
                         [["0001_authors.sql"], ["0002_entries.sql"]])
        # The workers may have shared them out between them.
        found = re.findall(r"blog: (\d) migrations have run", self.server.log())
        self.assertEqual(sum(map(int, found)), 2)
        self.server.stop()
        self.server = self.blog()
        self.assertNotIn("migrations have run", self.server.log())
        self.assertIn("Nothing has been written yet.", self.curl("/")[1])

    def test_who_comes_first_is_the_author_and_nobody_else(self):
        self.assertIn("This blog has no author yet", self.curl("/login")[1])
        self.log_in(password="short", status=400)
        self.log_in()
        self.assertIn("Log out", self.curl("/")[1])
        self.assertTrue(self.db.value("SELECT password_hash FROM authors")
                        .startswith("$y$"))
        self.post("/logout", "/")
        self.assertNotIn("Log out", self.curl("/")[1])
        for name, password in (("Ann", "wrong"), ("Bob", "correct horse")):
            _, body = self.log_in(name, password, status=403)
            self.assertIn("Wrong name or password.", body)
        self.log_in()
        self.assertEqual(self.db.value("SELECT count(*) FROM authors"), "1")

    def test_entries_are_written_listed_edited(self):
        self.log_in()
        self.assertEqual(self.write("Hello, World!", "First <b>line</b>\n\nGrüße & more"),
                         "/entry/hello-world")
        self.assertEqual(self.write("Hello -- World", "x"), "/entry/hello-world-2")
        self.assertEqual(self.write("ÄÖÜ", "y"), "/entry/entry")
        for path in ("/entry/hello-world", "/"):
            _, body = self.curl(path)
            self.assertIn("First &lt;b&gt;line&lt;/b&gt;\n\nGrüße &amp; more", body)
            self.assertIn('href="/compose?slug=hello-world"', body)
        page = "/compose?slug=hello-world"
        self.assertIn("First &lt;b&gt;line", self.curl(page)[1])
        self.post("/compose", page, slug="hello-world", title="Changed", body="new")
        self.assertIn(">Changed</a></h1>", self.curl("/entry/hello-world")[1])
        for n in range(4):
            self.write("More %d" % n, "text")
        _, body = self.curl("/")
        self.assertEqual(body.count("<article>"), 5)
        self.assertLess(body.index("More 3"), body.index("More 2"))
        _, body = self.curl("/archive")
        self.assertEqual(body.count("<li>"), 7)

    def test_the_feed_is_atom(self):
        self.log_in()
        self.write("Tom & 'Jerry' <1>", "a < b && c\n\n]]>")
        head, body = self.curl("/feed")
        self.assertIn("Content-Type: application/atom+xml", head)
        atom = "{http://www.w3.org/2005/Atom}"
        feed = xml.etree.ElementTree.fromstring(body)
        self.assertEqual(feed.tag, atom + "feed")
        entry = feed.find(atom + "entry")
        self.assertEqual(entry.find(atom + "title").text, "Tom & 'Jerry' <1>")
        self.assertEqual(entry.find(atom + "content").text, "a < b && c\n\n]]>")
        self.assertEqual(entry.find(atom + "link").get("href"),
                         self.server.url + "/entry/tom-jerry-1")
        self.assertEqual(entry.find(atom + "author/" + atom + "name").text, "Ann")
        self.assertRegex(feed.find(atom + "updated").text, r"^20\d\d-\d\d-\d\dT[\d:]+Z$")

    def test_what_others_may_not_do(self):
        head, _ = self.curl("/compose", status=302)
        self.assertIn("Location: /login?next=%2Fcompose", head)
        token = "_xsrf=" + self.token("/login")
        self.curl("/compose", "--data-urlencode", token, "-d", "title=a", "-d", "body=b",
                  status=403)
        self.log_in()
        self.curl("/compose", "-d", "title=a", "-d", "body=b", status=403)  # no token
        self.assertEqual(self.db.value("SELECT count(*) FROM entries"), "0")

    def test_limits_of_an_entry(self):
        self.log_in()
        self.write("ü" * 200, "ü" * 100000)
        for title, body in (("ü" * 201, "x"), ("x", "ü" * 100001), ("", "x"), ("x", "")):
            self.post("/compose", "/compose", 400, title=title, body=body)
        self.post("/compose", "/compose", 404, title="x", body="x", slug="nothing")
        self.curl("/entry/nothing", status=404)
        self.curl("/compose?slug=nothing", status=404)

    def test_the_style_is_served_and_allowed(self):
        head, _ = self.curl("/static/blog.css")
        self.assertIn("Content-Type: text/css", head)
        head, body = self.curl("/")
        self.assertIn("Content-Security-Policy: default-src 'self'", head)
        self.assertNotIn("<style", body)
