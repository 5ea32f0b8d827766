# SPDX-License-Identifier: MIT
"""The programs of src/examples that are no web applications."""
import os
import signal
import socket
import threading

import harness


def example(name):
    return os.path.join(harness.BUILD, "src", "examples", name)


class Echo(harness.Program):
    """src/examples/tcp_echo, listening on a free port."""

    def __init__(self):
        super().__init__([example("tcp_echo"), "127.0.0.1:0"])
        found = self.wait_log(r"^listening on port (\d+)$")[0]
        self.address = ("127.0.0.1", int(found.group(1)))

    def connect(self):
        return socket.create_connection(self.address, 20 * harness.SLOW)

    def stop(self, signo=signal.SIGTERM, status=0):
        self.signal(signo)
        if self.wait() != status:
            raise harness.Broken("tcp_echo: not status %d\n%s" % (status, self.log()))
        self.check_log()


def read_all(client):
    parts = []
    while True:
        part = client.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


class TcpEchoTest(harness.TestCase):

    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.kill)

    def in_threads(self, run, n):
        """run(i) in n threads at once; fails with what the first of them failed with."""
        failed = []

        def guarded(i):
            try:
                run(i)
            except Exception as error:  # pylint: disable=broad-except
                failed.append(error)

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def test_many_clients_at_once_get_their_own_lines(self):
        clients = [self.echo.connect() for _ in range(200)]
        for round_number in range(3):
            for i, client in enumerate(clients):
                client.sendall(b"round %d of client %d\n" % (round_number, i))
        for i, client in enumerate(clients):
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), b"".join(
                b"round %d of client %d\n" % (r, i) for r in range(3)))
            client.close()
        self.echo.stop()

    def test_half_close_behind_the_last_line_loses_nothing(self):
        with self.echo.connect() as client:
            lines = b"".join(b"line %d\n" % i for i in range(5000))
            client.sendall(lines)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), lines)
        self.echo.stop(signal.SIGINT)

    def test_a_line_may_have_65536_bytes_and_no_more(self):
        line = b"x" * 65535 + b"\n"
        with self.echo.connect() as client:
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), line)
        with self.echo.connect() as client:
            client.sendall(b"first\n" + b"x" * 65536 + b"\n")
            try:
                self.assertEqual(client.recv(6), b"first\n")
                self.assertEqual(client.recv(1), b"")
            except ConnectionResetError:
                pass  # the rest of its line was unread
        self.echo.stop()

    def test_a_slow_reader_holds_up_itself_alone(self):
        slow, quick = self.echo.connect(), self.echo.connect()
        lines = b"".join(b"%07d\n" % i for i in range(500000))  # 4 MB: more than buffers
        sender = threading.Thread(target=slow.sendall, args=(lines,))
        sender.start()
        for i in range(100):
            quick.sendall(b"quick %d\n" % i)
            self.assertEqual(quick.recv(100), b"quick %d\n" % i)
        self.assertLess(harness.resident_kib(self.echo.pid), 40000 * harness.SLOW)
        got = b""
        while len(got) < len(lines):
            got += slow.recv(1 << 20)
        sender.join()
        self.assertEqual(got, lines)
        slow.close()
        quick.close()
        self.echo.stop()

    def test_sigterm_in_the_middle_loses_nothing_that_was_echoed(self):
        """Whole lines, from the first on, none left out, then the end and no reset."""
        counts = [0] * 20
        go_on = threading.Barrier(21)

        def talk(i):
            client = self.echo.connect()
            got = bytearray()

            def send():
                try:
                    for n in range(1 << 30):
                        client.sendall(b"client %d line %d\n" % (i, n))
                except OSError:
                    pass  # the server has stopped

            sender = threading.Thread(target=send)
            sender.start()
            while got.count(b"\n") < 100:
                got += client.recv(65536)
            go_on.wait()
            while True:
                part = client.recv(65536)
                if not part:
                    break
                got += part
            client.shutdown(socket.SHUT_RDWR)
            sender.join()
            client.close()
            lines = bytes(got).split(b"\n")
            self.assertEqual(lines.pop(), b"")
            for n, line in enumerate(lines):
                self.assertEqual(line, b"client %d line %d" % (i, n))
            counts[i] = len(lines)

        idle = self.echo.connect()
        stopper = threading.Thread(
            target=lambda: (go_on.wait(), self.echo.signal(signal.SIGTERM)))
        stopper.start()
        self.in_threads(talk, 20)
        stopper.join()
        self.assertEqual(idle.recv(1), b"")  # who says nothing is told, too
        idle.close()
        self.assertEqual(self.echo.wait(), 0)
        self.echo.check_log()
        self.assertTrue(all(n >= 100 for n in counts))

    def test_who_does_not_go_is_cut_off(self):
        stays = self.echo.connect()
        stays.sendall(b"hello\n")
        self.assertEqual(stays.recv(10), b"hello\n")
        self.echo.signal(signal.SIGTERM)
        self.assertEqual(stays.recv(10), b"")
        self.assertEqual(self.echo.wait(), 1)
        self.echo.wait_log("1 clients are cut off")
        self.echo.check_log()
        stays.close()


if __name__ == "__main__":
    raise SystemExit("run by tests/integration/run")
