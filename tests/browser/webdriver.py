# SPDX-License-Identifier: MIT
"""
Headless Chromium through chromedriver: the little of WebDriver (W3C) that the tests need.
"""
import base64
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request

import harness

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element, W3C WebDriver 11


class Browser:
    """A browser with a profile of its own; close() ends it."""

    def __init__(self):
        program = shutil.which("chromedriver")
        if program is None:
            raise harness.Broken("chromedriver is not there (Debian: chromium-driver)")
        self.profile = tempfile.mkdtemp(prefix="spout-browser-")
        env = harness.clean_environment({"HOME": self.profile})
        self.driver = harness.Program([program, "--port=0"], env=env)
        self.session = None
        try:
            port = self.driver.wait_log(r"started successfully on port (\d+)", 30)
            self.base = "http://127.0.0.1:%s/session" % port[0].group(1)
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self):
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--window-size=1200,1600",
                     "--user-data-dir=" + self.profile]
        if os.getuid() == 0:
            arguments.append("--no-sandbox")
        self.session = self._call("POST", "", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def _call(self, method, path, body=None):
        where = self.base + ("/" + self.session if self.session else "") + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(where, data, method=method, headers={
            "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise harness.Broken("WebDriver %s: %s" % (
                path, error.read()[:1500])) from None

    def open(self, url):
        """Load a page; returns when its load event has fired."""
        self._call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value that a script returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": arguments})

    def title(self):
        return self._call("GET", "/title")

    def find(self, selector):
        """The first element of a CSS selector; fails if there is none."""
        return self._call("POST", "/element", {
            "using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        """Click as a user does: an element that is hidden or covered fails."""
        self._call("POST", "/element/%s/click" % self.find(selector), {})

    def type(self, selector, text):
        """Type into an element; into a field of files, the path of one."""
        self._call("POST", "/element/%s/value" % self.find(selector), {"text": text})

    def text(self, selector):
        """What a user reads there."""
        return self._call("GET", "/element/%s/text" % self.find(selector))

    def console(self):
        """What the page has written to its console since the last call, errors too."""
        return ["%s: %s" % (entry["level"], entry["message"])
                for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def _devtools(self, command, **parameters):
        """A command of the Chrome DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {
            "cmd": command, "params": parameters})

    def size(self, width, height):
        """Show pages in a window of that size."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=1, mobile=False)

    def dark(self, on):
        """Whether the user likes dark colours."""
        self._devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def screenshot(self, name):
        """What is to be seen, for people: build/logs/NAME.png."""
        folder = os.path.join(harness.TOP, "build", "logs")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".png"), "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self):
        try:
            if self.session:
                self._call("DELETE", "")
        finally:
            self.driver.signal(15)
            self.driver.wait(20)
            shutil.rmtree(self.profile, ignore_errors=True)
