# SPDX-License-Identifier: MIT
"""Topics over several workers: order, coming again, presence, kills and reloads."""
import http.client
import json
import os
import signal
import socket
import threading
import time
import urllib.parse

import harness
from harness import until

TOPICS = os.path.join(harness.BUILD, "tests", "integration", "topics")


def numbers_of(position):
    """The position as a dictionary: how far it is in each origin."""
    return dict(mark.rsplit("-", 1) for mark in position.split(",") if mark != "-")


class Client:
    """A connection to one certain worker, or to any."""

    def __init__(self, server, pid=None):
        def connected():
            self.http = http.client.HTTPConnection(
                *server.address, timeout=30 * harness.SLOW)
            self.pid = int(self.get("/pid"))
            if pid in (None, self.pid):
                return True
            self.http.close()
            return False
        until(connected, 20, "a connection to worker %s" % pid)

    def get(self, target, **arguments):
        self.http.request("GET", target + "?" + urllib.parse.urlencode(arguments))
        return self.http.getresponse().read().decode()

    def close(self):
        self.http.close()


class Stream(Client):
    """Server-sent events, read by a thread of their own."""

    def __init__(self, server, pid=None, **arguments):
        super().__init__(server, pid)
        self.events, self.position, self.ended = [], None, False
        self.http.request("GET", "/events?" + urllib.parse.urlencode(arguments))
        self.socket = self.http.sock
        self.response = self.http.getresponse()
        assert self.response.status == 200, self.response.status
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        until(lambda: self.position is not None, 20, "the first id of a stream")

    def read(self):
        data = None
        try:
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.position = value
                elif name == "data":
                    data = json.loads(value)
                elif name == "" and data is not None:
                    self.events.append(data)
                    data = None
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass  # it was cut
        self.ended = True

    def close(self):
        """Stop; what has been read stays."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
        self.thread.join()
        self.response.close()
        super().close()

    def texts(self):
        return [event["data"] for event in self.events if "data" in event]

    def gaps(self):
        return sum("gap" in event for event in self.events)


class TopicsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start("--processes", "2", "--drain-timeout", "1s",
                                 program=TOPICS, expect_status=self.expect_status)
        self.first, self.second = self.server.workers()

    expect_status = 0

    def stream(self, pid=None, **arguments):
        stream = Stream(self.server, pid, topic="room", **arguments)
        self.addCleanup(stream.close)
        return stream

    def client(self, pid=None):
        client = Client(self.server, pid)
        self.addCleanup(client.close)
        return client

    def publish(self, text, pid=None, n=1):
        self.client(pid).get("/publish", topic="room", text=text, n=n)

    def test_each_gets_each_message_once_and_in_order(self):
        n = 200
        streams = [self.stream(pid) for pid in [self.first, self.second] * 3]
        writers = [threading.Thread(target=self.publish, args=(text, pid, n))
                   for text, pid in (("a", self.first), ("b", self.second))]
        for writer in writers:
            writer.start()
        for stream in streams:
            until(lambda: len(stream.events) >= 2 * n, 30, "all messages")
        for writer in writers:
            writer.join()
        for stream in streams:
            self.assertEqual(len(stream.events), 2 * n)
            for letter in "ab":
                self.assertEqual([t for t in stream.texts() if t[0] == letter],
                                 ["%s %d" % (letter, i) for i in range(n)])

    def test_who_comes_again_to_another_worker_misses_nothing(self):
        first = self.stream(self.first)
        self.publish("a", self.first)
        self.publish("b", self.second)
        until(lambda: len(first.events) == 2, 20, "both messages")
        first.close()
        self.publish("c", self.second)
        self.publish("d", self.first)
        again = self.stream(self.second, since=first.position)
        until(lambda: len(again.events) == 2, 20, "the rest")
        self.assertEqual(sorted(again.texts()), ["c", "d"])
        self.assertEqual(again.gaps(), 0)
        unknown = self.stream(self.second, since="1.2.3-4")
        until(lambda: len(unknown.events) == 5, 20, "all that is kept")
        self.assertEqual(unknown.gaps(), 1)

    def test_polls_get_what_streams_get(self):
        def poll(**arguments):
            return json.loads(self.client().get("/poll", topic="room", **arguments))
        self.publish("a", self.first)
        watch = self.stream(self.first)
        answer = poll()
        self.assertEqual([e["data"] for e in answer["events"]], ["a"])
        timer = threading.Timer(0.2, self.publish, ["b", self.second])
        timer.start()
        answer = poll(since=answer["position"])
        timer.join()
        self.assertEqual([e["data"] for e in answer["events"]], ["b"])
        until(lambda: watch.texts() == ["a", "b"], 20, "both messages")

    def test_a_reload_loses_no_message_and_no_client(self):
        streams, done = [], threading.Event()

        def read():
            position = "-"
            while not done.is_set():
                stream = Stream(self.server, topic="room", since=position)
                streams.append(stream)
                until(lambda: done.is_set() or stream.ended, 50, "the end of a stream")
                stream.close()
                position = stream.position
        self.publish("0", self.first)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for i in range(1, 60):
            if i == 10:
                self.server.signal(signal.SIGHUP)
            self.publish(str(i))
            time.sleep(0.02)
        self.server.wait_log("reload: done", 30)
        until(lambda: not {self.first, self.second} & set(self.server.workers()), 30,
              "the end of the old workers")
        self.publish("60")
        until(lambda: any("60" in s.texts() for s in streams), 20, "the last message")
        done.set()
        reader.join()
        self.assertGreater(len(streams), 1)
        self.assertEqual(sum(s.gaps() for s in streams), 0)
        texts = [text for s in streams for text in s.texts()]
        self.assertEqual(sorted(map(int, texts)), list(range(61)))


class KilledTest(TopicsTest):
    """The program survives the death of a worker, and ends with status 0 still."""

    test_each_gets_each_message_once_and_in_order = None
    test_who_comes_again_to_another_worker_misses_nothing = None
    test_polls_get_what_streams_get = None
    test_a_reload_loses_no_message_and_no_client = None

    def test_presence_is_right_after_a_kill(self):
        self.stream(self.first, person="ann")
        self.stream(self.second, person="bob")
        watch = self.stream(self.first)
        client = self.client(self.first)

        def present():
            return client.get("/present", topic="room").split()[1:]
        until(lambda: present() == ["ann", "bob"], 20, "both to be present")
        os.kill(self.second, signal.SIGKILL)
        until(lambda: present() == ["ann"], 10, "one to be present")
        until(lambda: {"topic": "room", "leave": "bob"} in watch.events, 20, "the leave")
        until(lambda: len(self.server.workers()) == 2, 20, "another worker")
        third = [pid for pid in self.server.workers() if pid != self.first][0]
        self.stream(third, person="eve")
        until(lambda: present() == ["ann", "eve"], 20, "the new one to be heard")
        self.publish("after", third)
        until(lambda: watch.texts() == ["after"], 20, "a message of the new one")
