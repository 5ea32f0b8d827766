# SPDX-License-Identifier: MIT
"""Topics over several workers: order, coming again, presence, kills and reloads."""
import asyncio
import http.client
import json
import os
import signal
import socket
import threading
import time
import urllib.parse

import websockets

import database
import harness
from harness import until

TOPICS = os.path.join(harness.BUILD, "tests", "integration", "topics")


def numbers_of(position):
    """The position as a dictionary: how far it is in each origin."""
    return dict(mark.rsplit("-", 1) for mark in position.split(",") if mark != "-")


class Client:
    """A connection to one certain worker, or to any."""

    def __init__(self, server, pid=None):
        others = []  # kept until we are there: who accepts sends the next one elsewhere

        def connected():
            self.http = http.client.HTTPConnection(
                *server.address, timeout=30 * harness.SLOW)
            self.pid = int(self.get("/pid"))
            if pid in (None, self.pid):
                return True
            others.append(self.http)
            return False

        until(connected, 20, "a connection to worker %s" % pid)
        for other in others:
            other.close()

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
                                 "--admin", "127.0.0.1:0",
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
        client = Client(self.server, pid)
        client.get("/publish", topic="room", text=text, n=n)
        client.close()

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


class SocketsTest(TopicsTest):
    """Subscribers that are WebSockets."""

    test_each_gets_each_message_once_and_in_order = None
    test_who_comes_again_to_another_worker_misses_nothing = None
    test_polls_get_what_streams_get = None
    test_a_reload_loses_no_message_and_no_client = None

    def url(self, **arguments):
        return "ws://%s:%d/socket?%s" % (
            *self.server.address, urllib.parse.urlencode(dict(arguments, topic="room")))

    def run_clients(self, clients):
        asyncio.run(asyncio.wait_for(clients, 50 * harness.SLOW))

    def test_sockets_in_all_workers_get_each_message_once(self):
        n, sockets = 250, 8
        texts = ["%s %d" % (letter, i) for letter in "ab" for i in range(n)]

        async def read(socket):
            hello = json.loads(await socket.recv())
            self.assertEqual(hello["present"], [])
            came = []
            while len(came) < 2 * n:
                event = json.loads(await socket.recv())
                self.assertIn("id", event)
                came.append(event["data"])
            self.assertEqual(sorted(came), sorted(texts))
            for letter in "ab":
                own = [int(text[2:]) for text in came if text[0] == letter]
                self.assertEqual(own, list(range(n)))

        async def clients():
            opened = [await websockets.connect(self.url()) for _ in range(sockets)]
            readers = [asyncio.ensure_future(read(socket)) for socket in opened]
            loop = asyncio.get_running_loop()
            until_open = loop.run_in_executor(None, until, lambda: self.server.metric(
                "spout_topic_subscribers") == sockets, 20, "all sockets")
            await until_open
            await asyncio.gather(
                loop.run_in_executor(None, self.publish, "a", self.first, n),
                loop.run_in_executor(None, self.publish, "b", self.second, n))
            await asyncio.gather(*readers)
            for socket in opened:
                await socket.close()
        self.run_clients(clients())

    def test_a_socket_comes_again_and_people_are_told_of(self):
        async def clients():
            async with websockets.connect(self.url(person="ann")) as ann:
                hello = json.loads(await ann.recv())
                self.assertEqual(hello["present"], ["ann"])
                async with websockets.connect(self.url(person="bob")) as bob:
                    self.assertEqual(json.loads(await ann.recv())["join"], "bob")
                    position = json.loads(await bob.recv())["position"]
                self.assertEqual(json.loads(await ann.recv())["leave"], "bob")
                loop = asyncio.get_running_loop()
                for text, pid in (("one", self.first), ("two", self.second)):
                    await loop.run_in_executor(None, self.publish, text, pid)
                    self.assertEqual(json.loads(await ann.recv())["data"], text)
                async with websockets.connect(
                        self.url(since=position, bare=1)) as again:
                    self.assertEqual({await again.recv(), await again.recv()},
                                     {"one", "two"})
        self.run_clients(clients())

    def test_a_client_that_does_not_read_costs_its_cap_and_delays_nobody(self):
        stopped = self.server.connect(receive_buffer=4096)
        self.addCleanup(stopped.close)
        stopped.send(("GET /socket?topic=room&bare=1 HTTP/1.1\r\nHost: a\r\n"
                      "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        stopped.take_until(b"\r\n\r\n")
        watch = self.stream(self.first)
        before = max(map(harness.resident_kib, self.server.workers()))
        big, n = "x" * 4000, 1500
        for pid in (self.first, self.second):
            self.publish(big, pid, n)
        until(lambda: len(watch.texts()) + 1024 * watch.gaps() >= 2 * n, 30,
              "all messages, or a gap")
        until(lambda: self.server.metric("spout_topic_subscribers") == 1, 20,
              "the end of the slow one")
        after = max(map(harness.resident_kib, self.server.workers()))
        if not harness.SANITIZED:
            self.assertLess(after - before, 16 * 1024)


class ChatTest(harness.TestCase):
    """The example, as far as no browser is needed."""

    def visitor(self, server, name):
        """A connection of somebody who has logged in; returns a function that asks."""
        cookies = {}

        def ask(method, target, **fields):
            connection = http.client.HTTPConnection(*server.address, timeout=60)
            body = urllib.parse.urlencode(dict(fields, _xsrf=cookies.get("_xsrf", "")))
            connection.request(method, target, body if method == "POST" else None, {
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": "; ".join("%s=%s" % pair for pair in cookies.items())})
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                key, _, value = cookie.partition(";")[0].partition("=")
                cookies[key] = value
            text = answer.read().decode()
            connection.close()
            return answer.status, text
        ask("GET", "/login")
        self.assertEqual(ask("POST", "/login", name=name, password="wrong")[0], 403)
        self.assertEqual(ask("POST", "/login", name=name, password="waterspout")[0], 303)
        return ask

    def chat(self, **env):
        return self.start("--processes", "2", env=dict(
            env, SPOUT_COOKIE_SECRET="a-secret-of-the-tests"),
            program=os.path.join(harness.BUILD, "src", "examples", "chat", "chat"))

    def test_without_a_database_a_room_remembers(self):
        ann = self.visitor(self.chat(), "ann")
        status = ann("POST", "/chat/say?room=library", key="1", text="Hi")[0]
        self.assertEqual(status, 204)
        self.assertEqual(ann("GET", "/chat/history?room=library")[1], "[]")
        self.assertEqual(ann("GET", "/chat?room=attic")[0], 404)
        answer = json.loads(ann("GET", "/chat/poll?room=library")[1])
        self.assertEqual([json.loads(e["data"])["text"] for e in answer["events"]
                          if "data" in e], ["Hi"])

    def test_with_a_database_what_was_said_is_kept_once(self):
        shared = database.shared()
        shared.query("DROP TABLE IF EXISTS chat_messages")
        server = self.chat(DATABASE_URL=shared.url)
        ann = self.visitor(server, "ann")
        for text in ("Hi", "there", "there"):
            status = ann("POST", "/chat/say", key="key of " + text, text=text)[0]
            self.assertEqual(status, 204)
        server.stop()
        kept = json.loads(self.visitor(self.chat(DATABASE_URL=shared.url), "bob")(
            "GET", "/chat/history")[1])
        self.assertEqual([(m["author"], m["text"]) for m in kept],
                         [("ann", "Hi"), ("ann", "there")])


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


class BridgeTest(harness.TestCase):
    """Two programs with two workers each, joined by a database."""

    def setUp(self):
        self.find_way()
        self.servers = [self.instance(), self.instance()]

    def find_way(self):
        self.way, self.env = "database", {"DATABASE_URL": database.shared().url}

    def instance(self):
        return self.start("--processes", "2", "--drain-timeout", "1s",
                          "--topic-url", self.way, program=TOPICS, env=self.env)

    def stream(self, server, pid=None, **arguments):
        stream = Stream(server, pid, topic="room", **arguments)
        self.addCleanup(stream.close)
        return stream

    def publish(self, server, text, pid=None, **arguments):
        client = Client(server, pid)
        client.get("/publish", topic="room", text=text, **arguments)
        client.close()

    def joined(self, *streams):
        """Wait until each stream hears each server."""
        for i, server in enumerate(self.servers):
            def heard():
                self.publish(server, "hello %d" % i)
                return all("hello %d" % i in s.texts() for s in streams)
            until(heard, 30, "all to hear server %d" % i)

    def test_each_message_comes_once_to_all_workers_of_both(self):
        n = 150
        streams = [self.stream(server, pid) for server in self.servers
                   for pid in server.workers()]
        self.joined(*streams)
        writers = [threading.Thread(target=self.publish, args=(server, text, pid),
                                    kwargs={"n": n})
                   for server, text, pid in (
                       (self.servers[0], "a", self.servers[0].workers()[0]),
                       (self.servers[0], "b", self.servers[0].workers()[1]),
                       (self.servers[1], "c", self.servers[1].workers()[1]))]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        for stream in streams:
            until(lambda: len([t for t in stream.texts() if t[0] in "abc"]) >= 3 * n, 40,
                  "all messages")
            for letter in "abc":
                self.assertEqual([t for t in stream.texts() if t[0] == letter],
                                 ["%s %d" % (letter, i) for i in range(n)])
            self.assertEqual(stream.gaps(), 0)

    def test_large_messages_and_people_cross(self):
        first = self.stream(self.servers[0], person="ann")
        second = self.stream(self.servers[1], person="bob")
        self.joined(first, second)
        self.publish(self.servers[0], "large", doubled=12)
        self.publish(self.servers[0], "after")
        until(lambda: "after" in second.texts(), 30, "what is behind it")
        self.assertEqual(second.texts().count("large" * 4096), 1)
        client = Client(self.servers[0], first.pid)
        self.addCleanup(client.close)
        until(lambda: client.get("/present", topic="room").split()[1:] == ["ann", "bob"],
              30, "both people")
        second.close()
        until(lambda: client.get("/present", topic="room").split()[1:] == ["ann"], 30,
              "one to be left")

    def test_a_reload_and_the_end_of_another_lose_nothing(self):
        watch = self.stream(self.servers[1])
        self.joined(watch)
        self.servers[0].signal(signal.SIGHUP)
        for i in range(40):
            self.publish(self.servers[0], "a %d" % i)
            time.sleep(0.02)
        self.servers[0].wait_log("reload: done", 30)
        self.publish(self.servers[0], "a 40")
        self.servers[0].stop()
        until(lambda: "a 40" in watch.texts(), 30, "the last message")
        self.assertEqual([t for t in watch.texts() if t[0] == "a"],
                         ["a %d" % i for i in range(41)])


class RedisTest(BridgeTest):
    """The same, joined by Redis."""

    def find_way(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.way, self.env = "redis://:secret@127.0.0.1:%d" % self.port, {}
        self.redis = None
        self.start_redis()
        self.addCleanup(lambda: self.redis.kill())

    def start_redis(self):
        self.redis = harness.Program([
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
            "--requirepass", "secret", "--save", "", "--appendonly", "no",
            "--dir", self.folder()])
        self.redis.wait_log("[Rr]eady to accept connections", 20)

    def test_redis_may_be_gone_for_a_while(self):
        watch = self.stream(self.servers[1])
        self.joined(watch)
        self.redis.kill()
        self.publish(self.servers[0], "meanwhile")
        self.start_redis()
        self.joined(watch)
        until(lambda: "meanwhile" in watch.texts() or watch.gaps() > 0, 30,
              "the message, or a gap")


class BridgeOptionTest(harness.TestCase):
    def test_an_address_that_makes_no_sense_is_refused(self):
        for url in ("redis://", "redis://:x@", "redis://a:0", "redis://a:99999",
                    "redis://a:1x", "redis://a/1", "nats://a", "database"):
            with self.subTest(url=url):
                done = harness.command(TOPICS, "--check", "--topic-url", url, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("topic-url", done.stderr)
        for url in ("redis://a", "redis://a/", "redis://:p%40@[::1]:6380"):
            harness.command(TOPICS, "--check", "--topic-url", url)
