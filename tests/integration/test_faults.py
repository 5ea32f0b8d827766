# SPDX-License-Identifier: MIT
"""
What a server has to live through: workers that die or hang, a supervisor that dies, a
stop under load, clients that vanish or dawdle, too little of everything.
"""
import contextlib
import os
import re
import select
import signal
import socket
import threading
import time
import unittest

import harness
from harness import until
from load import Load, raise_descriptor_limit, scaled

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


def figure(text, *values):
    """A measured figure for the log of the run."""
    print("        " + text % values)


def now_ms():
    return time.monotonic() * 1000


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True


class Clients:
    """Many raw connections, each with one request on its way, watched together."""

    def __init__(self, address):
        self.address = address
        self.waiting = {}  # by descriptor: socket and what it has received
        self.answered = []  # (the answer as far as it was read, when in ms)
        self.broken = []
        self.poll = select.epoll()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client, _ in self.waiting.values():
            client.close()
        self.poll.close()

    def open(self, request):
        family = socket.AF_INET if isinstance(self.address, tuple) else socket.AF_UNIX
        client = socket.socket(family)
        client.settimeout(20)
        client.connect(self.address)
        client.sendall(request)
        client.setblocking(False)
        self.waiting[client.fileno()] = (client, bytearray())
        self.poll.register(client, select.EPOLLIN)

    def _take(self, number):
        client, data = self.waiting[number]
        try:
            piece = client.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            piece, data = b"", bytearray(repr(error).encode())
        data += piece
        if b"\r\n\r\n" in data:
            self.answered.append((bytes(data), now_ms()))
        elif piece:
            return
        else:
            self.broken.append("closed after %r" % bytes(data))
        del self.waiting[number]
        client.close()

    def turn(self, seconds):
        """Take what arrives within that time; is somebody still waiting?"""
        for number, _ in self.poll.poll(seconds):
            self._take(number)
        return bool(self.waiting)

    def finish(self, seconds=20):
        end = time.monotonic() + seconds * harness.SLOW
        while self.turn(0.1) and time.monotonic() < end:
            continue

    def statuses(self):
        return sorted({answer.split(b" ")[1].decode() for answer, _ in self.answered})


class Death(harness.TestCase):
    """Workers and supervisors that die."""

    def queue_on(self, clients, count):
        """Open connections until so many wait on the socket of the stopped worker."""
        def enough():
            for _ in range(20):
                clients.open(GET % b"/plaintext")
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                clients.turn(0.01)
            return len(clients.waiting) >= count
        until(enough, 20, "%d connections are queued" % count)

    def test_what_is_queued_on_a_killed_worker_is_served_by_its_replacement(self):
        server = self.start("--processes", "2")
        count = scaled(200)
        with Load(server, "/plaintext", connections=16, seconds=4) as load, \
                Clients(server.address) as clients:
            victim = server.workers()[0]
            os.kill(victim, signal.SIGSTOP)
            self.queue_on(clients, count)
            before, queued, killed = len(clients.answered), len(clients.waiting), now_ms()
            os.kill(victim, signal.SIGKILL)
            clients.finish()
            times = [at - killed for _, at in clients.answered[before:]]
            self.assertEqual(clients.broken, [])
            self.assertEqual(len(clients.waiting), 0)
            self.assertEqual(clients.statuses(), ["200"])
            self.assertEqual(len(times), queued)
        figure("%d queued: first served %.0f ms after the kill, last %.0f ms", queued,
               times[0], times[-1])
        self.assertLess(times[0], 1000 * harness.SLOW)
        # Only what the dead worker had accepted is lost.
        self.assertLessEqual(load.result["resets"], 16)
        self.assertEqual(load.result["bad_status"], 0)
        self.assertEqual(load.result["refused"], 0)

    def test_a_crash_takes_no_other_worker_with_it(self):
        server = self.start("--processes", "2", "--fault-routes")
        before = server.workers()
        with server.connect() as client:
            client.send(GET % b"/fault/crash")
            self.assertEqual(client.read_to_end(), b"")
        server.wait_log(r"worker \d \(pid \d+\) .*signal 11")
        until(lambda: len(server.workers()) == 2)
        self.assertEqual(len(set(before) & set(server.workers())), 1)
        self.assertEqual(server.get("/plaintext").status, 200)

    def test_a_route_that_ends_workers_is_held_off_and_the_rest_is_served(self):
        server = self.start("--processes", "2", "--fault-routes")
        for death in range(3):
            with server.connect() as client:
                client.send(GET % b"/fault/crash")
                self.assertEqual(client.read_to_end(), b"")
            server.wait_log(r"was at: GET /fault/crash \(request .*\), which ran",
                            count=death + 1)
            until(lambda: len(server.workers()) == 2)
        server.wait_log("GET /fault/crash has ended 3 workers: it is answered 503")
        workers = server.workers()
        for _ in range(4):
            answer = server.get("/fault/crash")
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.header("retry-after"))
            self.assertEqual(server.get("/plaintext").status, 200)
        self.assertEqual(server.workers(), workers)

    def test_a_crash_leaves_its_stack_and_every_request_in_flight(self):
        server = self.start("--processes", "1", "--fault-routes")
        with contextlib.ExitStack() as stack:
            for _ in range(30):
                stack.enter_context(server.connect()).send(GET % b"/sleep?ms=30000")
            crash = stack.enter_context(server.connect())
            crash.send(GET % b"/fault/crash")
            self.assertEqual(crash.read_to_end(), b"")
            server.wait_log(r"was at: GET /sleep \(request", count=30)
        server.wait_log("stack of the running thread")
        server.wait_log(", which ran")

    def test_a_handler_that_holds_up_the_loop_is_named_once(self):
        server = self.start("--processes", "1", "--fault-routes", "--admin",
                            "127.0.0.1:0")
        for _ in range(500):
            self.assertEqual(server.get("/plaintext").status, 200)
        self.assertNotIn("stands still", server.log())
        self.assertEqual(server.get("/fault/spin?ms=800", timeout=30).status, 200)
        server.wait_log("the loop turns again")
        said = re.findall(r"the loop stands still for (\d+) ms, in (.*?) "
                          r"\(request \S+\): (.*)", server.log())
        self.assertEqual(len(said), 1, server.log())
        after, what, stack = said[0]
        self.assertEqual(what, "GET /fault/spin")
        if "(faults.c:" in stack or not harness.SANITIZED:
            self.assertIn("fault_spin_get", stack)
        self.assertEqual(server.metric("spout_loop_stalls_total"), 1)
        figure("named after %s ms", after)

    def test_nobody_watches_with_a_threshold_of_0(self):
        server = self.start("--processes", "1", "--fault-routes", "--stall-threshold",
                            "0")
        server.get("/fault/spin?ms=600", timeout=30)
        self.assertNotIn("stands still", server.log())

    def test_a_hung_worker_is_dumped_and_replaced(self):
        server = self.start("--processes", "1", "--fault-routes")
        hung = server.workers()
        with server.connect(timeout=40) as client:
            client.send(GET % b"/fault/spin?ms=300000")
            began = now_ms()
            self.assertEqual(client.read_to_end(), b"")
        server.wait_log(r"hangs, its loop has not turned for \d+ ms: aborting it")
        server.wait_log(r"signal 6")
        self.assertEqual(server.get("/plaintext", timeout=20).status, 200)
        figure("hung worker aborted after %.1f s", (now_ms() - began) / 1000)
        self.assertNotEqual(server.workers(), hung)

    def test_a_crash_loop_ends_the_program_and_says_why(self):
        server = self.start("--processes", "8", expect_status=1)
        end = time.monotonic() + 50 * harness.SLOW
        # Not after that: at the end a child of the program may be LeakSanitizer's tracer,
        # for which it waits for ever.
        while "giving up" not in server.log() and time.monotonic() < end:
            for pid in server.workers():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)
        self.assertEqual(server.wait(20), 1)
        self.assertRegex(server.log(), r"giving up: \d+ workers died young within "
                         r"\d+ ms; the last one, worker \d, .*signal 9")

    def test_workers_end_with_a_killed_supervisor(self):
        server = self.start("--processes", "2")
        workers = server.workers()
        with Load(server, "/sleep?ms=5", connections=8, seconds=0.5):
            began = now_ms()
            server.signal(signal.SIGKILL)
            until(lambda: all(map(gone, workers)), 1, "no worker is left")
            figure("workers gone %.0f ms after their supervisor", now_ms() - began)
        server.wait()


class Stop(harness.TestCase):
    """SIGTERM in the middle of everything."""

    def stop_under(self, once):
        server = self.start("--processes", "2")
        with Load(server, "/plaintext", connections=32, seconds=3, once=once) as load:
            workers = server.workers()
            until(lambda: sum(harness.descriptors(pid) for pid in workers) >= 32 or once)
            time.sleep(0.5)  # load, not an event: what it does meanwhile is the test
            began = now_ms()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            took = now_ms() - began
        figure("stop took %.0f ms: %d answered, %d reset, %d refused", took,
               load.result["ok"], load.result["resets"], load.result["refused"])
        self.assertEqual(load.result["resets"], 0)
        self.assertEqual(load.result["bad_status"], 0)
        self.assertGreater(load.result["ok"], 100 // harness.SLOW)
        self.assertGreater(load.result["refused"], 0)
        self.assertLess(took, 10000 * harness.SLOW)

    def test_every_request_on_kept_connections_is_answered(self):
        self.stop_under(once=False)

    def test_every_request_on_new_connections_is_answered(self):
        self.stop_under(once=True)

    def test_a_worker_that_has_to_be_killed_makes_the_status_1(self):
        server = self.start("--processes", "1", "--fault-routes", "--drain-timeout", "1s",
                            expect_status=1)
        with server.connect() as client:
            client.send(GET % b"/fault/spin?ms=60000")
            until(lambda: cpu_time(server.workers()[0]) > 0.1, 10, "it spins")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(15), 1)
        server.wait_log("is killed: it did not end when told")

    def test_the_queue_of_a_worker_that_dies_while_stopping_is_answered(self):
        server = self.start("--processes", "1", "--fault-routes", expect_status=1)
        worker, = server.workers()
        with server.connect() as spinner, contextlib.ExitStack() as stack:
            spinner.send(GET % b"/fault/spin?ms=60000")
            until(lambda: cpu_time(worker) > 0.1, 10, "it spins")
            queued = [stack.enter_context(server.connect()) for _ in range(5)]
            for client in queued:
                client.send(GET % b"/plaintext")
            server.signal(signal.SIGTERM)
            server.wait_log("stopping")
            os.kill(worker, signal.SIGKILL)
            for client in queued:
                self.assert_status(client.read_response(), 200)
        self.assertEqual(server.wait(20), 1)

    def test_a_second_sigterm_is_quick(self):
        server = self.start("--processes", "1", expect_status=1)
        with server.connect() as client:
            client.send(GET % b"/sleep?ms=60000")
            self.assertEqual(server.get("/plaintext").status, 200)
            server.signal(signal.SIGTERM)
            server.wait_log("stopping")
            began = now_ms()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(10), 1)
        figure("second SIGTERM took %.0f ms", now_ms() - began)
        self.assertLess(now_ms() - began, 5000 * harness.SLOW)


def cpu_time(pid):
    """Seconds of processor time that a process has used."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class SecondInstance(harness.TestCase):
    def refused(self, address):
        done = harness.command(harness.DEMO, "--listen", address, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("address in use", done.stderr.lower().replace("already ", ""))
        self.assertNotIn("listening on", done.stderr)

    def test_the_same_port_is_in_use(self):
        server = self.start("--processes", "2")
        self.refused("127.0.0.1:%d" % server.port)
        self.assertEqual(server.get("/plaintext").status, 200)

    def test_the_same_unix_socket_is_in_use(self):
        path = self.folder() + "/socket"
        server = self.start(listen=["unix:" + path])
        self.refused("unix:" + path)
        self.assertEqual(server.get("/plaintext").status, 200)

    def test_an_address_that_gets_free_in_time_is_taken(self):
        holder = socket.create_server(("127.0.0.1", 0))
        timer = threading.Timer(0.3, holder.close)
        timer.start()
        server = self.start(listen=["127.0.0.1:%d" % holder.getsockname()[1]])
        timer.join()
        self.assertEqual(server.get("/plaintext").status, 200)

    def test_a_start_right_after_the_kill_of_the_supervisor_succeeds(self):
        for _ in range(scaled(10)):
            server = self.start("--processes", "2")
            address = "127.0.0.1:%d" % server.port
            server.kill()
            again = self.start("--processes", "2", listen=[address])
            self.assertEqual(again.get("/plaintext").status, 200)
            again.stop()

    def test_a_unix_socket_left_by_a_killed_program_is_taken_over(self):
        path = self.folder() + "/socket"
        server = self.start(listen=["unix:" + path])
        workers = server.workers()
        server.kill()
        until(lambda: all(map(gone, workers)))
        self.assertTrue(os.path.exists(path))
        server = self.start(listen=["unix:" + path])
        self.assertEqual(server.get("/plaintext").status, 200)


class Scarcity(harness.TestCase):
    """Too little memory, too few descriptors, too many requests."""

    def limited(self, limits, *args):
        """A server under `ulimit`, with one worker."""
        script = self.folder() + "/limited"
        with open(script, "w") as file:
            file.write("#!/bin/sh\n%s\nexec %s \"$@\"\n" % (limits, harness.DEMO))
        os.chmod(script, 0o755)
        server = self.start("--processes", "1", *args, program=script)
        return server, server.workers()

    def test_ten_thousand_wait_at_once(self):
        count = scaled(10000)
        server = self.start("--processes", "1", "--max-connections", "12000")
        worker = server.workers()[0]
        server.get("/sleep?ms=1")
        before = peak = harness.resident_kib(worker)
        with Load(server, "/sleep?ms=1000", connections=count, seconds=0.01) as load:
            while load.process.poll() is None:
                peak = max(peak, harness.resident_kib(worker))
                time.sleep(0.1)
        result = load.result
        each = (peak - before) / count
        figure("%d waited: p50 %.0f ms, longest %.0f ms, %.1f KiB each", count,
               result["p50"], result["max"], each)
        self.assertEqual((result["sent"], result["ok"]), (count, count))
        self.assertLess(result["max"], 4000 * harness.SLOW)
        if harness.SLOW == 1 and count >= 1000:
            self.assertLessEqual(each, 16)

    def test_too_few_descriptors_are_survived(self):
        server, workers = self.limited("ulimit -n 64")
        with Clients(server.address) as clients:
            for _ in range(200):
                clients.open(GET % b"/sleep?ms=500")
            server.wait_log("accepting pauses")
            clients.finish()
            self.assertEqual(clients.broken, [])
            self.assertEqual(clients.statuses(), ["200"])
        until(lambda: server.get("/plaintext").status == 200)
        self.assertEqual(server.workers(), workers)

    def test_idle_connections_make_room_for_new_ones(self):
        server, workers = self.limited("ulimit -n 64")
        idle = []
        for _ in range(200):
            connection = server.connect()
            self.addCleanup(connection.close)
            self.assertEqual(connection.get("/plaintext").status, 200)
            idle.append(connection)
        self.assertLess(harness.descriptors(workers[0]), 65)
        self.assertEqual(server.workers(), workers)

    def test_a_full_queue_is_503_with_retry_after(self):
        raise_descriptor_limit()
        server = self.start("--processes", "1", "--cpu-threads", "1")
        with Clients(server.address) as clients:
            for _ in range(1500):
                clients.open(GET % b"/cpu?ms=2")
            clients.finish()
            self.assertEqual(clients.broken, [])
            self.assertEqual(clients.statuses(), ["200", "503"])
            refused = [answer for answer, _ in clients.answered
                       if b" 503 " in answer[:20]]
        figure("%d of 1500 jobs refused", len(refused))
        for answer in refused:
            self.assertRegex(answer, rb"\r\nRetry-After: \d+\r\n")
        self.assertEqual(server.get("/cpu?ms=1").status, 200)

    @unittest.skipIf(harness.SLOW > 1, "a sanitizer needs more memory than the limit")
    def test_no_memory_for_more_requests_costs_only_those(self):
        server, workers = self.limited("ulimit -v 1500000", "--fault-routes")
        with Clients(server.address) as clients:
            for _ in range(6000):
                clients.open(GET % b"/sleep?ms=1000")
                if len(clients.waiting) % 500 == 0:
                    clients.turn(0)
            clients.finish()
            figure("%d answered, %d closed for want of memory", len(clients.answered),
                   len(clients.broken))
            self.assertGreater(len(clients.answered), 100)
            self.assertGreater(len(clients.broken) + clients.statuses().count("503"), 0)
            self.assertLessEqual(set(clients.statuses()), {"200", "503"})
        self.assertEqual(server.get("/fault/leak?kib=1048576").status, 503)
        self.assertEqual(server.get("/plaintext").status, 200)
        self.assertEqual(server.workers(), workers)

    def test_a_body_over_the_limit_is_413_and_costs_no_memory(self):
        server = self.start("--processes", "1", "--max-body", "64k")
        worker = server.workers()[0]
        server.get("/plaintext")
        before = harness.resident_kib(worker)
        for target in ("/echo", "/login", "/nothing-here"):
            with server.connect() as client:
                client.send(b"POST %s HTTP/1.1\r\nHost: x\r\n"
                            b"Content-Length: 1000000000\r\n\r\n" % target.encode())
                self.assertIn(client.read_response("POST").status, (404, 413))
        with server.connect() as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: 65537\r\n\r\n")
            self.assertEqual(client.read_response("POST").status, 413)
        if harness.SLOW == 1:
            self.assertLess(harness.resident_kib(worker) - before, 4096)
        self.assertEqual(server.workers(), [worker])


class Clientele(harness.TestCase):
    """Clients that vanish and clients that dawdle."""

    def vanish(self, server, head, body, read):
        with server.connect() as client:
            client.send(head)
            try:
                client.send(body)
                if read:
                    client.receive()
            except OSError:
                pass
            client.reset()

    def test_clients_that_vanish_leave_nothing_behind(self):
        server = self.start("--processes", "1", "--admin", "127.0.0.1:0",
                            "--max-body", "100m")
        worker = server.workers()[0]
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
        ways = [(head % b"/upload", b"u" * 300000, False),
                (head % b"/echo", b"e" * 300000, True),
                (head % b"/echo", b"e" * 10, False),
                (GET % b"/sleep?ms=50000", b"", False),
                (GET % b"/cpu?ms=50", b"", False),
                (b"GET /pla", b"", False)]
        for way in ways:
            self.vanish(server, *way)
        settled = lambda: (server.metric("spout_requests_running") == 1 and
                           server.metric("spout_connections_open") <= 2)
        until(settled, 20, "the first are gone")
        before, kib = harness.descriptors(worker), harness.resident_kib(worker)
        for i in range(scaled(300)):
            self.vanish(server, *ways[i % len(ways)])
        until(settled, 20, "all are gone")
        until(lambda: server.metric("spout_coroutines_alive") <= 3, 20,
              "no coroutine is left")
        self.assertLessEqual(harness.descriptors(worker), before + 1)
        if harness.SLOW == 1:
            self.assertLess(harness.resident_kib(worker) - kib, 8192)
        self.assertEqual(server.workers(), [worker])

    def test_slow_heads_cost_little_and_end_in_408(self):
        server = self.start("--processes", "1")
        worker = server.workers()[0]
        server.get("/plaintext")
        count = scaled(1000)
        before = harness.resident_kib(worker)
        with Clients(server.address) as clients:
            for _ in range(count):
                clients.open(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"z" * 1500)
            self.assertEqual(server.get("/plaintext").status, 200)
            each = (harness.resident_kib(worker) - before) / count
            figure("%d half heads of 1.5 KiB: %.1f KiB each", count, each)
            clients.finish(30)
            self.assertEqual(clients.broken, [])
            self.assertEqual(clients.statuses(), ["408"])
            self.assertEqual(len(clients.answered), count)
        if harness.SLOW == 1 and count >= 1000:
            self.assertLess(each, 16)
