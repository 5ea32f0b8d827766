# SPDX-License-Identifier: MIT
"""
What systemd is told and keeps: a fake of it listens on the notify socket and holds the
descriptors that it is given, as the real one does.
"""
import os
import signal
import socket
import threading
import time

import harness
import upgraded
from harness import until

DRAIN = ("--drain-timeout", "2s")


class Manager:
    """Listens on NOTIFY_SOCKET; `told` is what has come, `store` the descriptors."""

    def __init__(self, test):
        self.path = test.folder() + "/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told, self.store = [], {}
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def _run(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            if not data:
                return
            lines = dict(line.split("=", 1) for line in data.decode().split("\n"))
            with self.changed:
                if "FDSTORE" in lines:
                    self.store[lines["FDNAME"]] = fds[0]
                elif "FDSTOREREMOVE" in lines:
                    os.close(self.store.pop(lines["FDNAME"]))
                else:
                    self.told.append(lines)
                self.changed.notify_all()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self.thread.join()
        self.socket.close()
        for fd in self.store.values():
            os.close(fd)

    def environment(self, **more):
        return dict(more, NOTIFY_SOCKET=self.path)

    def wait(self, name, start=0, seconds=30):
        """The first message from number `start` on that has this name."""
        end = time.monotonic() + seconds * harness.SLOW
        with self.changed:
            while True:
                for lines in self.told[start:]:
                    if name in lines:
                        return lines
                left = end - time.monotonic()
                if left <= 0:
                    raise harness.Broken("systemd was not told %s, but %r" % (
                        name, self.told))
                self.changed.wait(left)

    def count(self):
        with self.changed:
            return len(self.told)


class Notify(harness.TestCase):

    def test_the_life_of_a_service(self):
        manager = Manager(self)
        server = self.start("--processes", "1", *DRAIN, env=manager.environment())
        ready = manager.wait("READY")
        self.assertEqual(ready["STATUS"], "1 worker serves")
        start = manager.count()
        before = time.monotonic_ns() // 1000
        server.signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING", start)
        self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
        manager.wait("READY", start)
        start = manager.count()
        server.signal(signal.SIGTTIN)
        self.assertEqual(manager.wait("READY", start)["STATUS"], "2 workers serve")
        self.assertEqual(len(manager.store), 2)
        start = manager.count()
        server.stop()
        manager.wait("STOPPING", start)

    def test_reload_that_is_refused_ends_too(self):
        manager = Manager(self)
        config = self.folder() + "/app.conf"
        with open(config, "w") as file:
            file.write("processes = 1\n")
        server = self.start("--config", config, *DRAIN, env=manager.environment())
        manager.wait("READY")
        with open(config, "w") as file:
            file.write("bogus = 1\n")
        start = manager.count()
        server.signal(signal.SIGHUP)
        manager.wait("RELOADING", start)
        manager.wait("READY", start)

    def test_watchdog_is_fed(self):
        manager = Manager(self)
        self.start("--processes", "1", env=manager.environment(WATCHDOG_USEC="200000"))
        for _ in range(3):
            start = manager.count()
            manager.wait("WATCHDOG", start)

    def test_upgrade_moves_the_main_process(self):
        manager = Manager(self)
        server = upgraded.Server(self, "--processes", "1", *DRAIN,
                                 env=manager.environment(WATCHDOG_USEC="200000"))
        manager.wait("READY")
        start = manager.count()
        server.upgrade()
        self.assertEqual(manager.wait("MAINPID", start)["MAINPID"], str(server.main))
        manager.wait("READY", start)
        start = manager.count()
        manager.wait("WATCHDOG", start)  # the new one knows that it is meant
        self.assertFalse([lines for lines in manager.told if "STOPPING" in lines])

    def test_workers_do_not_speak_for_the_service(self):
        manager = Manager(self)
        server = self.start("--processes", "1", env=manager.environment())
        manager.wait("READY")
        with open("/proc/%d/cmdline" % server.workers()[0], "rb") as line:
            self.assertIn(b"spout-demo", line.read())
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log("starts again")
        until(lambda: server.get("/plaintext").status == 200)


class Store(harness.TestCase):
    """kill -9 of the supervisor; another one is started with what the store holds."""

    def start_again(self, manager, address):
        """As systemd does: descriptors from 3 on, their names, the pid."""
        names, fds = list(manager.store), list(manager.store.values())
        # Through numbers that are free, or one would close another.
        moves = ["exec %d<&%d" % (100 + i, fd) for i, fd in enumerate(fds)]
        moves += ["exec %d<&%d" % (3 + i, 100 + i) if i + 3 < 10 else
                  "false" for i in range(len(fds))]
        script = "; ".join(moves) + '; LISTEN_PID=$$ exec "$@"'
        return self.start("--processes", "2", *DRAIN, listen=address,
                          before=("bash", "-c", script, "bash"), pass_fds=fds,
                          env=manager.environment(LISTEN_FDS=str(len(fds)),
                                                  LISTEN_FDNAMES=":".join(names)))

    def test_nothing_queued_is_lost(self):
        manager, folder = Manager(self), self.folder()
        listen = ("127.0.0.1:%d" % self.free_port(), "unix:%s/s" % folder)
        server = self.start("--processes", "2", *DRAIN, listen=listen,
                            env=manager.environment())
        manager.wait("READY")
        self.assertEqual(sorted("-".join(name.split("-")[:3]) for name in manager.store),
                         ["spout-reuseport-0", "spout-reuseport-1", "spout-shared-0"])
        workers = server.workers()
        server.process.kill()
        server.wait()
        until(lambda: not any(map(harness.exists, workers)), 5)
        clients = []
        for address in server.addresses * 10:  # nobody is there, they wait
            client = server.connect(address, timeout=60)
            client.send_request("GET", "/plaintext")
            clients.append(client)
        again = self.start_again(manager, listen)
        self.assertEqual(again.addresses, server.addresses)
        for client in clients:
            self.assert_status(client.read_response("GET"), 200)
            client.close()
        for _ in range(20):
            self.assert_status(again.get("/plaintext"), 200)
        again.stop()
        self.assertEqual(os.listdir(folder), [])

    def test_address_that_is_gone_is_not_kept(self):
        manager, folder = Manager(self), self.folder()
        listen = ("127.0.0.1:%d" % self.free_port(), "unix:%s/s" % folder)
        server = self.start("--processes", "2", *DRAIN, listen=listen,
                            env=manager.environment())
        manager.wait("READY")
        server.process.kill()
        server.wait()
        start = manager.count()
        self.start_again(manager, listen[:1])
        manager.wait("READY", start)
        until(lambda: len(manager.store) == 2)

    def free_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]
