# SPDX-License-Identifier: MIT
"""The files of deploy/, run by the programs that they are for."""
import os
import shutil
import signal
import threading

import harness
import proxies


class UnitFile(harness.TestCase):
    """deploy/spout-demo.service and spout-demo.conf."""

    def installed(self):
        """The unit with the path of the program that was built."""
        folder = self.folder()
        text = proxies.configuration("spout-demo.service", {
            "/usr/local/bin/spout-demo": harness.DEMO})
        with open(folder + "/spout-demo.service", "w") as file:
            file.write(text)
        return folder + "/spout-demo.service", text

    def test_systemd_has_nothing_to_say_about_the_unit(self):
        path, _ = self.installed()
        done = harness.command("systemd-analyze", "verify", "--man=no", path)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_the_unit_is_exposed_to_little(self):
        path, _ = self.installed()
        harness.command("systemd-analyze", "security", "--offline=yes", "--threshold=20",
                        "--no-pager", path)

    def test_the_time_to_stop_is_longer_than_the_drain(self):
        _, unit = self.installed()
        self.assertIn("TimeoutStopSec=45\n", unit)
        config = proxies.configuration("spout-demo.conf", {})
        self.assertIn("\ndrain-timeout = 30s\n", config)

    def test_the_configuration_file_is_valid(self):
        path = os.path.join(harness.TOP, "deploy", "spout-demo.conf")
        harness.command(harness.DEMO, "--config", path, "--check")


class Proxied(harness.TestCase):
    """What holds behind either proxy; `front` starts it."""

    front = None

    def behind(self, *args, **replace):
        server = self.start(*args)
        return server, self.front(self, server.address, replace)

    def pass_requests(self):
        _, proxy = self.behind("--processes", "2")
        with proxy.connect() as client:
            self.assertEqual(client.get("/plaintext").body, b"Hello, World!")
            echoed = client.request("POST", "/echo", [("Content-Type", "text/plain")],
                                    b"x" * 200000)
            self.assertEqual(echoed.status, 200)
            self.assertEqual(echoed.body, b"x" * 200000)
            self.assertEqual(echoed.header("content-type"), "text/plain")
            self.assertEqual(client.get("/nothing-here").status, 404)

    def reuse_connections(self):
        server, proxy = self.behind("--processes", "1", "--admin", "127.0.0.1:0")
        before = server.metric("spout_connections_total")
        with proxy.connect() as client:
            for _ in range(200):
                self.assertEqual(client.get("/plaintext").status, 200)
        after = server.metric("spout_connections_total")
        self.assertLess(after - before, 10)

    def answer_early(self, times, **replace):
        """An upload past the limit is answered before it came: never a 502."""
        _, proxy = self.behind("--processes", "1", "--max-body", "64k", **replace)
        seen = {}
        for _ in range(times):
            with proxy.connect() as client:
                client.send_request("POST", "/echo", [("Content-Length", str(3 << 20))])
                sender = threading.Thread(
                    target=send_ignoring_errors, args=(client, 3 << 20))
                sender.start()
                try:
                    status = client.read_response("POST").status
                finally:
                    client.socket.shutdown(2)
                    sender.join()
            seen[status] = seen.get(status, 0) + 1
        self.assertEqual(seen, {413: times})

    def lose_a_worker(self):
        """kill -9 of a worker under load: nobody who sent a GET sees it."""
        server, proxy = self.behind("--processes", "2")
        bad, done, stop = [], [0] * 8, threading.Event()

        def client_loop(number):
            try:
                with proxy.connect() as client:
                    while not stop.is_set():
                        answer = client.get("/sleep?ms=1")
                        if answer.status != 200:
                            bad.append(answer.status)
                        done[number] += 1
            except Exception as error:  # pylint: disable=broad-except
                bad.append(repr(error))

        def serve():
            """Every client gets answers: whatever a death hit was asked again by now."""
            before = list(done)
            harness.until(lambda: bad or all(
                now >= then + 10 for now, then in zip(done, before)), 20, "requests")

        clients = [threading.Thread(target=client_loop, args=(n,)) for n in range(8)]
        for thread in clients:
            thread.start()
        try:
            for _ in range(3):
                victim = server.workers()[0]
                serve()
                os.kill(victim, signal.SIGKILL)
                harness.until(lambda: victim not in server.workers() and
                              len(server.workers()) == 2, 20, "a replacement")
            serve()
        finally:
            stop.set()
            for thread in clients:
                thread.join()
        self.assertEqual(bad, [])


def send_ignoring_errors(client, count):
    """The peer may stop reading at any time: that is what is being tested."""
    try:
        while count > 0:
            client.send(b"x" * min(count, 65536))
            count -= 65536
    except OSError:
        pass


class BehindNginx(Proxied):
    front = staticmethod(proxies.start_nginx)

    def test_requests_pass_nginx(self):
        self.pass_requests()

    def test_nginx_reuses_its_connections(self):
        self.reuse_connections()

    def test_an_early_413_is_seen_through_nginx(self):
        self.answer_early(40)

    def test_an_early_413_is_seen_through_nginx_that_buffers(self):
        self.answer_early(40, **{"proxy_request_buffering off;": ""})

    def test_a_worker_dies_unseen_behind_nginx(self):
        self.lose_a_worker()


class BehindHaproxy(Proxied):
    front = staticmethod(proxies.start_haproxy)

    def test_haproxy_takes_the_file_without_a_warning(self):
        path = os.path.join(harness.TOP, "deploy", "haproxy.cfg")
        program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        done = harness.command(program, "-c", "-f", path)
        self.assertNotRegex(done.stdout + done.stderr, "(?i)warning|alert")

    def test_requests_pass_haproxy(self):
        self.pass_requests()

    def test_haproxy_reuses_its_connections(self):
        self.reuse_connections()

    def test_an_early_413_is_seen_through_haproxy(self):
        self.answer_early(40)

    def test_a_worker_dies_unseen_behind_haproxy(self):
        self.lose_a_worker()
