# SPDX-License-Identifier: MIT
"""Logging in to the demo: form, token, password, signed cookie, logout."""
import hashlib
import http.cookies
import json
import os
import re
import urllib.parse

import tornado.web

import database
import harness

SECRET = "a-secret-for-the-login-tests"
PASSWORD = "waterspout"


class Browser:
    """A client that keeps cookies, as a browser does."""

    def __init__(self, server):
        self.server = server
        self.cookies = {}

    def request(self, method, target, form=None, headers=()):
        headers = list(headers)
        if self.cookies:
            pairs = ["%s=%s" % pair for pair in self.cookies.items()]
            headers.append(("Cookie", "; ".join(pairs)))
        body = None
        if form is not None:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            body = urllib.parse.urlencode(form).encode()
        answer = self.server.request(method, target, headers=headers, body=body)
        for name, value in answer.headers:
            if name.lower() != "set-cookie":
                continue
            for key, morsel in http.cookies.SimpleCookie(value).items():
                if morsel["expires"].endswith("1970 00:00:01 GMT"):
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.coded_value
        return answer

    def token(self, target="/login"):
        return re.search(r'name="_xsrf" value="([^"]+)"',
                         self.request("GET", target).text).group(1)

    def log_in(self, name="ann", password=PASSWORD, **more):
        form = {"_xsrf": self.token(), "name": name, "password": password, **more}
        return self.request("POST", "/login", form)


class Login(harness.TestCase):
    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder(), "secret")
        with open(path, "w") as file:
            file.write("2 %s\n1 another-secret-for-the-login\n" % SECRET)
        self.server = self.start("--processes", "2", "--cookie-secret-file", path)
        self.browser = Browser(self.server)

    def test_a_user_logs_in_and_out(self):
        answer = self.browser.request("GET", "/account")
        self.assert_status(answer, 302)
        self.assertEqual(answer.header("location"), "/login?next=%2Faccount")
        answer = self.browser.log_in("Änn <b>", next="/account?x=1")
        self.assert_status(answer, 303)
        self.assertEqual(answer.header("location"), "/account?x=1")
        answer = self.browser.request("GET", "/account")
        self.assert_status(answer, 200)
        self.assertIn("Hello, Änn &lt;b&gt;", answer.text)
        token = self.browser.token("/account")
        self.assert_status(self.browser.request("POST", "/logout", {"_xsrf": token}), 303)
        self.assert_status(self.browser.request("GET", "/account"), 302)

    def test_a_wrong_password_is_told_so(self):
        answer = self.browser.log_in("ann", "waterspouT")
        self.assert_status(answer, 403)
        self.assertIn("Wrong name or password", answer.text)
        self.assertIn('value="ann"', answer.text)
        self.assert_status(self.browser.request("GET", "/account"), 302)

    def test_a_forged_request_is_refused(self):
        form = {"name": "ann", "password": PASSWORD}
        self.assert_status(self.browser.request("POST", "/login", form), 403)
        token = self.browser.token()
        self.browser.cookies.clear()
        form["_xsrf"] = token
        self.assert_status(self.browser.request("POST", "/login", form), 403)

    def test_nobody_is_sent_to_another_host(self):
        for bad in ("//evil.example", "https://evil.example/", "/\\evil.example"):
            answer = Browser(self.server).log_in(next=bad)
            self.assertEqual(answer.header("location"), "/account")

    def test_a_login_made_by_tornado_counts_and_a_forged_one_does_not(self):
        keys = {2: SECRET, 1: "another-secret-for-the-login"}
        for version in keys:
            self.browser.cookies["spout_demo_user"] = tornado.web.create_signed_value(
                keys, "spout_demo_user", "tornado", key_version=version).decode()
            self.assertIn("Hello, tornado", self.browser.request("GET", "/account").text)
        self.browser.cookies["spout_demo_user"] = tornado.web.create_signed_value(
            {2: "not-the-secret-of-this-server"}, "spout_demo_user", "x",
            key_version=2).decode()
        self.assert_status(self.browser.request("GET", "/account"), 302)

    def test_the_cookies_are_safe(self):
        answer = self.browser.log_in()
        cookie = answer.header("set-cookie")
        self.assertRegex(cookie, r"^spout_demo_user=2\|1:2\|10:\d{10}\|")
        for attribute in ("; HttpOnly", "; SameSite=Lax", "; Max-Age=86400", "; Path=/"):
            self.assertIn(attribute, cookie)


class Session(harness.TestCase):
    def visits(self, browser):
        answer = browser.request("GET", "/session")
        self.assert_status(answer, 200)
        return json.loads(answer.text)["visits"]

    def test_without_a_database_the_cookie_counts(self):
        server = self.start("--processes", "2")
        browser = Browser(server)
        self.assertEqual([self.visits(browser) for _ in range(3)], [1, 2, 3])
        self.assertRegex(browser.cookies["session"], r"^e1\|0\|")
        self.assertEqual(self.visits(Browser(server)), 1)

    def test_in_the_database_workers_and_restarts_share_it(self):
        db = database.shared()
        server = self.start("--processes", "2", env={"DATABASE_URL": db.url})
        browser, other = Browser(server), Browser(server)
        self.assertEqual([self.visits(browser) for _ in range(5)], [1, 2, 3, 4, 5])
        self.assertEqual(self.visits(other), 1)
        self.assertRegex(browser.cookies["session"], r"^[0-9a-f]{64}$")
        key = hashlib.sha256(browser.cookies["session"].encode()).hexdigest()
        where = "FROM spout_sessions WHERE key = '%s'" % key
        self.assertIn('"visits":"5"', db.value("SELECT data " + where))
        server.stop()
        browser.server = self.start("--processes", "1", env={"DATABASE_URL": db.url})
        self.assertEqual(self.visits(browser), 6)
        db.query("UPDATE spout_sessions SET expires = now() - interval '1 s' "
                 "WHERE key = '%s'" % key)
        self.assertEqual(self.visits(browser), 1)
        self.assertNotEqual(
            hashlib.sha256(browser.cookies["session"].encode()).hexdigest(), key)
