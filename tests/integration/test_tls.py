# SPDX-License-Identifier: MIT
"""
HTTPS on real programs: curl, `openssl s_client` and nginx as clients, certificates that
`openssl` made, tickets that another worker takes.
"""
import json
import os
import re
import socket
import ssl
import subprocess
import time

import harness
import proxies
from rawhttp import Connection

WHOAMI = os.path.join(harness.BUILD, "src", "examples", "whoami")


def openssl(*args, stdin=""):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, text=True,
                          timeout=60 * harness.SLOW)


def make(folder, name, names=None, signer=None, days=2):
    """name.pem and name.key: an authority, or what `signer` has signed."""
    pem, key = "%s/%s.pem" % (folder, name), "%s/%s.key" % (folder, name)
    args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/O=Spout/CN=" + name, "-days", str(days),
            "-keyout", key, "-out", pem]
    if signer:
        args += ["-CA", "%s/%s.pem" % (folder, signer),
                 "-CAkey", "%s/%s.key" % (folder, signer),
                 "-addext", "basicConstraints=CA:FALSE"]
    if names:
        args += ["-addext", "subjectAltName=" + names]
    done = openssl(*args)
    if done.returncode != 0:
        raise harness.Broken("openssl: " + done.stderr)
    os.chmod(key, 0o644)  # workers may be somebody else


class TlsCase(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = harness.tempfile.mkdtemp(prefix="spout-tls-")
        os.chmod(cls.keys, 0o755)
        cls.addClassCleanup(harness.shutil.rmtree, cls.keys)
        make(cls.keys, "ca")
        make(cls.keys, "localhost", "DNS:localhost,IP:127.0.0.1", "ca")
        make(cls.keys, "wild", "DNS:*.c.example,DNS:www.c.example", "ca")
        make(cls.keys, "exact", "DNS:a.c.example", "ca")
        make(cls.keys, "alice", None, "ca")
        make(cls.keys, "other-ca")
        make(cls.keys, "mallory", None, "other-ca")

    def file(self, name):
        return "%s/%s" % (self.keys, name)

    def certificates(self, *names):
        args = []
        for name in names:
            args += ["--tls-cert", self.file(name + ".pem"),
                     "--tls-key", self.file(name + ".key")]
        return args

    def serve(self, *args, program=harness.DEMO, names=("localhost",), **options):
        return self.start(*self.certificates(*names), *args, program=program,
                          listen=("127.0.0.1:0,tls",), **options)

    def curl(self, server, path="/plaintext", *args, host="localhost"):
        return subprocess.run(
            ["curl", "-sS", "--cacert", self.file("ca.pem"), "--max-time", "30",
             "--connect-to", "%s:443:127.0.0.1:%d" % (host, server.port), *args,
             "https://%s%s" % (host, path)],
            capture_output=True, timeout=60 * harness.SLOW)

    def s_client(self, server, *args, stdin=""):
        done = openssl("s_client", "-connect", "127.0.0.1:%d" % server.port,
                       "-CAfile", self.file("ca.pem"), *args, stdin=stdin)
        return done.stdout + done.stderr

    def secure(self, server, context=None):
        """A raw connection over TLS; input that ends without close_notify raises."""
        context = context or ssl.create_default_context(cafile=self.file("ca.pem"))
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        connection = server.connect()
        connection.socket = context.wrap_socket(
            connection.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        self.addCleanup(connection.close)
        return connection


class ClientsTest(TlsCase):
    def test_curl_is_served_and_the_announcement_says_https(self):
        server = self.serve()
        server.wait_log(r"^listening on https://127\.0\.0\.1:\d+$")
        done = self.curl(server, "/plaintext", "-v")
        self.assertEqual(done.stdout, b"Hello, World!", done.stderr)
        self.assertIn(b"TLSv1.3", done.stderr)
        self.assertIn(b"ALPN: server accepted http/1.1", done.stderr)

    def test_large_bodies_go_both_ways(self):
        server = self.serve("--max-body", "64m")
        body = os.urandom(1 << 20) * 24
        path = self.folder() + "/body"
        with open(path, "wb") as file:
            file.write(body)
        done = self.curl(server, "/echo", "--data-binary", "@" + path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == body)

    def test_http_1_0_and_close_end_with_a_farewell(self):
        server = self.serve()
        for version in "--http1.0", "--http1.1":
            done = self.curl(server, "/json", version, "-H", "Connection: close")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        connection = self.secure(server)
        connection.send(b"GET /plaintext HTTP/1.0\r\n\r\n")
        data = b""
        while True:  # an end without close_notify would raise SSLError
            piece = connection.socket.recv(65536)
            if not piece:
                break
            data += piece
        self.assertTrue(data.endswith(b"Hello, World!"))

    def test_a_response_that_is_cut_has_no_farewell(self):
        connection = self.secure(self.serve())
        piece = b"x" * 200000
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nno size\r\n" % (
                            len(piece), piece))
        connection.read_head()
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            while connection.socket.recv(65536):
                pass

    def test_pipelined_requests_are_answered_in_order(self):
        connection = self.secure(self.serve())
        connection.send(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        for _ in range(50):
            self.assertEqual(connection.read_response().body, b"Hello, World!")

    def test_plain_http_on_the_port_is_sent_off(self):
        server = self.serve()
        with server.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertNotIn(b"HTTP", connection.socket.recv(1000))
        self.assertEqual(self.curl(server).stdout, b"Hello, World!")

    def test_nginx_forwards_to_it_and_verifies(self):
        server = self.serve()
        trusted = "proxy_ssl_trusted_certificate %s;" % self.file("ca.pem")
        for name, status in ("localhost", 200), ("elsewhere", 502):
            nginx = proxies.start_nginx(self, (server.host, server.port), {
                "proxy_pass http:": "proxy_ssl_verify on; proxy_ssl_server_name on; "
                                    "proxy_ssl_name %s; %s proxy_pass https:" % (
                                        name, trusted)})
            with nginx.connect() as connection:
                for _ in range(3):
                    answer = connection.request("GET", "/plaintext")
                    self.assertEqual(answer.status, status, nginx.log())

    def test_a_unix_socket_and_the_admin_address_can_be_secure(self):
        path = self.folder() + "/socket"
        server = self.start(*self.certificates("localhost"), "--admin", "127.0.0.1:0,tls",
                            listen=("unix:%s,tls" % path,))
        server.wait_log(r"admin listening on https://")
        for address, target in (path, "/plaintext"), (server.admin, "/metrics"):
            context = ssl.create_default_context(cafile=self.file("ca.pem"))
            with Connection(address) as connection:
                connection.socket = context.wrap_socket(connection.socket,
                                                        server_hostname="localhost")
                self.assertEqual(connection.request("GET", target).status, 200)

    def test_a_header_of_the_proxy_protocol_comes_before_the_handshake(self):
        for listen in "127.0.0.1:0,proxy,tls", "127.0.0.1:0,tls,proxy":
            path = self.folder() + "/access.log"
            server = self.start(*self.certificates("localhost"), "--access-log", path,
                                "--trusted-proxy", "127.0.0.1", listen=(listen,))
            connection = server.connect()
            connection.send(b"PROXY TCP6 2001:db8::1 ::1 1234 443\r\n")
            context = ssl.create_default_context(cafile=self.file("ca.pem"))
            with connection:
                connection.socket = context.wrap_socket(connection.socket,
                                                        server_hostname="localhost")
                answer = connection.request("GET", "/session")
                self.assertEqual(answer.status, 200)
                self.assertIn("; Secure;", answer.header("set-cookie"))
            server.stop()
            with open(path) as file:
                self.assertEqual(file.read().split()[0], "2001:db8::1")

    def test_a_stop_ends_secure_connections_properly(self):
        server = self.serve()
        connection = self.secure(server)
        self.assertEqual(connection.request("GET", "/plaintext").status, 200)
        server.stop()
        self.assertEqual(connection.socket.recv(100), b"")  # raises when cut off


class RulesTest(TlsCase):
    def test_old_versions_and_weak_ciphers_are_refused(self):
        server = self.serve()
        for args in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                     ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                     ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"]):
            self.assertRegex(self.s_client(server, *args),
                             r"alert|no protocols|Cipher is \(NONE\)")
        self.assertIn("Cipher is ECDHE-ECDSA", self.s_client(server, "-tls1_2"))
        strict = self.serve("--tls-min-version", "1.3")
        self.assertIn("alert protocol version", self.s_client(strict, "-tls1_2"))
        self.assertIn("TLSv1.3", self.s_client(strict))

    def test_renegotiation_is_refused(self):
        out = self.s_client(self.serve(), "-tls1_2", stdin="R\nGET / HTTP/1.1\r\n\r\n")
        self.assertIn("no renegotiation", out)

    def test_alpn_without_http_1_1_is_refused(self):
        out = self.s_client(self.serve(), "-alpn", "h2")
        self.assertIn("no application protocol", out)

    def test_the_name_chooses_the_certificate(self):
        server = self.serve(names=("localhost", "wild", "exact"))
        for name, subject in (("localhost", "localhost"), ("b.c.example", "wild"),
                              ("A.c.example", "exact"), ("x.y.c.example", "localhost")):
            out = self.s_client(server, "-servername", name)
            self.assertRegex(out, r"subject=O = Spout, CN = %s\n" % subject)
        self.assertIn("CN = localhost", self.s_client(server, "-noservername"))
        self.assertEqual(self.curl(server, host="b.c.example").stdout, b"Hello, World!")
        done = self.curl(server, host="x.y.c.example")
        self.assertEqual(done.returncode, 60, done.stderr)

    def test_clients_show_certificates(self):
        server = self.serve("--tls-client-ca", self.file("ca.pem"), program=WHOAMI)
        alice = ["--cert", self.file("alice.pem"), "--key", self.file("alice.key")]
        mallory = ["--cert", self.file("mallory.pem"), "--key", self.file("mallory.key")]
        answer = json.loads(self.curl(server, "/", *alice).stdout)
        self.assertEqual((answer["secure"], answer["name"]), (True, "CN=alice,O=Spout"))
        for args in [], mallory:
            done = self.curl(server, "/", *args)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(b"alert", done.stderr)
        optional = self.serve("--tls-client-ca", self.file("ca.pem"), "--tls-client",
                              "optional", program=WHOAMI)
        self.assertEqual(json.loads(self.curl(optional, "/").stdout)["name"], "")
        self.assertEqual(json.loads(self.curl(optional, "/", *alice).stdout)["name"],
                         "CN=alice,O=Spout")
        self.assertNotEqual(self.curl(optional, "/", *mallory).returncode, 0)

    def test_a_request_in_the_clear_knows_it(self):
        server = self.start(program=WHOAMI)
        self.assertEqual(json.loads(server.get("/").text)["secure"], False)


class TicketsTest(TlsCase):
    def session(self, server, path, *args):
        """One request over s_client; returns whether it resumed, and the worker."""
        out = self.s_client(server, "-servername", "localhost", "-ign_eof", *args, stdin=
                            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        worker = re.search(r'"worker": ?(\d+)', out)
        if not worker:
            raise harness.Broken("no answer: " + out)
        return "Reused, " in out, int(worker.group(1))

    def resume_until_both(self, server, version):
        path = self.folder() + "/session"
        resumed, worker = self.session(server, path, version, "-sess_out", path)
        self.assertFalse(resumed)
        seen = set()
        for _ in range(60):
            resumed, worker = self.session(server, path, version, "-sess_in", path)
            self.assertTrue(resumed)
            seen.add(worker)
            if len(seen) == 2:
                return
        self.fail("all of 60 connections went to worker %s" % seen)

    def test_a_ticket_is_good_for_all_workers(self):
        server = self.serve("--processes", "2", program=WHOAMI)
        for version in "-tls1_3", "-tls1_2":
            self.resume_until_both(server, version)

    def test_a_ticket_outlives_the_worker(self):
        server = self.serve("--processes", "1", program=WHOAMI)
        path = self.folder() + "/session"
        self.session(server, path, "-sess_out", path)
        old = server.workers()[0]
        os.kill(old, 9)
        harness.until(lambda: [pid for pid in server.workers() if pid != old])
        resumed, _ = self.session(server, path, "-sess_in", path)
        self.assertTrue(resumed)

    def test_a_ticket_is_no_way_around_client_certificates(self):
        server = self.serve("--processes", "1", program=WHOAMI)
        path = self.folder() + "/session"
        self.session(server, path, "-sess_out", path)
        strict = self.serve("--processes", "1", "--tls-client-ca", self.file("ca.pem"),
                            program=WHOAMI)
        out = self.s_client(strict, "-sess_in", path, "-servername", "localhost",
                            "-ign_eof", stdin="GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertNotIn("200 OK", out)


class FilesTest(TlsCase):
    def check(self, *args):
        return subprocess.run([harness.DEMO, "--listen", "127.0.0.1:1,tls", *args],
                              capture_output=True, text=True, timeout=60 * harness.SLOW,
                              env=harness.clean_environment({}))

    def test_wrong_files_are_one_line_and_status_2(self):
        good = self.certificates("localhost")
        for args, text in (
                (["--tls-cert", "/nonexistent"],
                 "certificate /nonexistent: No such file"),
                (["--tls-cert", self.file("ca.pem"), "--tls-key", self.file("wild.key")],
                 "key values mismatch"),
                (["--tls-cert", self.file("ca.key")], "no start line"),
                (good + ["--tls-client-ca", "/dev/null"], "authorities /dev/null")):
            for more in [], ["--check"]:
                done = self.check(*args, *more)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, r"\Aspout-demo: TLS: [^\n]+\n\Z")
                self.assertIn(text, done.stderr)
        done = self.check(*good, "--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_new_files_are_taken_without_a_restart(self):
        folder = self.folder()
        make(folder, "site", "DNS:localhost")
        server = self.start("--processes", "1", "--tls-cert", folder + "/site.pem",
                            "--tls-key", folder + "/site.key",
                            listen=("127.0.0.1:0,tls",))
        context = ssl.create_default_context(cafile=folder + "/site.pem")
        kept = self.secure(server, context)
        self.assertEqual(kept.request("GET", "/plaintext").status, 200)
        with open(folder + "/site.pem") as file:
            before = file.read()
        make(folder, "site", "DNS:localhost,DNS:renewed")
        server.wait_log("certificates were read again|old certificates stay", seconds=30)
        server.wait_log("certificates were read again", seconds=30)
        out = self.s_client(server, "-showcerts")
        with open(folder + "/site.pem") as file:
            self.assertIn(file.read().strip(), out)
        self.assertNotIn(before.strip(), out)
        self.assertEqual(kept.request("GET", "/plaintext").status, 200)


class FileTest(TlsCase):
    """Files over TLS, where the kernel cannot send them by itself."""

    def setUp(self):
        self.root = self.folder()
        self.big = os.urandom(1 << 20) * 24 + os.urandom(12345)
        with open(self.root + "/big.bin", "wb") as file:
            file.write(self.big)
        self.server = self.serve("--processes", "1", "--static-path", self.root)

    def test_a_large_file_arrives_whole_and_in_parts(self):
        self.assertTrue(self.curl(self.server, "/static/big.bin").stdout == self.big)
        size = len(self.big)
        for first, last in ((0, 0), (16383, 16385), (5000000, 20000000),
                            (size - 70000, size - 1)):
            done = self.curl(self.server, "/static/big.bin", "-r",
                             "%d-%d" % (first, last))
            self.assertTrue(done.stdout == self.big[first:last + 1], (first, last))
        connection = self.secure(self.server)
        connection.send(b"GET /static/big.bin HTTP/1.1\r\nHost: a\r\n"
                        b"Range: bytes=1000000-1999999\r\n\r\n"
                        b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
        part = connection.read_response()
        self.assert_status(part, 206)
        self.assertTrue(part.body == self.big[1000000:2000000])
        self.assertEqual(connection.read_response().body, b"Hello, World!")

    def test_clients_that_go_away_leave_nothing_behind(self):
        worker, = self.server.workers()
        self.curl(self.server, "/static/big.bin", "-r", "0-99999")
        before = harness.descriptors(worker)
        memory = harness.resident_kib(worker)
        for i in range(12):
            connection = self.secure(self.server)
            connection.send(b"GET /static/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(connection.socket.recv(1000).startswith(b"HTTP/1.1 200 "))
            if i % 2:
                connection.reset()
            else:
                connection.close()
        harness.until(lambda: harness.descriptors(worker) <= before, 30,
                      "the descriptors are closed")
        if not harness.SANITIZED:
            self.assertLess(harness.resident_kib(worker) - memory, 65536)
        done = self.curl(self.server, "/static/big.bin")
        self.assertTrue(done.stdout == self.big)
        self.assertEqual(self.server.workers(), [worker])


class IdleTest(TlsCase):
    def test_idle_connections_hold_little(self):
        server = self.serve("--processes", "1")
        worker = server.workers()[0]
        context = ssl.create_default_context(cafile=self.file("ca.pem"))

        def hold(n):
            held = []
            for _ in range(n):
                held.append(self.secure(server, context))
                self.assertEqual(held[-1].request("GET", "/plaintext").status, 200)
            return harness.resident_kib(worker)
        hold(50)
        before = hold(1)
        each = (hold(300) - before) / 300
        print("idle TLS connection: %.1f KiB" % each)
        if not harness.SANITIZED:
            self.assertLess(each, 24)

    def test_silent_clients_are_cut_off_after_ten_seconds(self):
        server = self.serve()
        with socket.create_connection(server.address) as silent:
            began = time.monotonic()
            silent.settimeout(30 * harness.SLOW)
            self.assertEqual(silent.recv(1), b"")
            self.assertGreater(time.monotonic() - began, 9)
