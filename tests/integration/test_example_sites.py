# SPDX-License-Identifier: MIT
"""The web applications of src/examples, used with curl as their users would."""
import hashlib
import os
import re

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
