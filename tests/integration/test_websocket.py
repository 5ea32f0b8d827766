# SPDX-License-Identifier: MIT
"""WS /ws/echo of the demo: clients that others wrote, vectors, stopping."""
import asyncio
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
import zlib

import websockets
from websockets.extensions import permessage_deflate as deflate

import harness

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
HANDSHAKE = ("GET /ws/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + KEY + "\r\n")
PACKS = ("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; "
         "server_no_context_takeover\r\n")
HERE = os.path.dirname(os.path.realpath(__file__))
CLIENT = os.path.join(harness.BUILD, "tests/integration/ws_client")
VECTORS = os.path.join(harness.TOP, "tests", "conformance", "websocket")


def unescape(text):
    """The bytes that a line of a vector stands for."""
    names = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}

    def one(match):
        code = match.group(1)
        return bytes([int(code[1:], 16)]) if code[0] == "x" else names[code]
    parts = re.split(r"\\(x[0-9a-f]{2}|.)", text)
    return b"".join(part.encode() if i % 2 == 0 else
                    one(re.match(r"(.*)", part)) for i, part in enumerate(parts))


def vectors():
    """(name, extension, input, expected lines) of every vector of a WebSocket."""
    for path in sorted(glob.glob(VECTORS + "/*.txt")):
        name, data, expected = None, b"", []
        fields = PACKS if "rfc7692" in path else ""
        with open(path, encoding="utf-8") as lines:
            for line in list(lines) + ["= end"]:
                line = line.rstrip("\n")
                if line.startswith("= "):
                    if name is not None:
                        yield name, fields, data, expected
                    name, data, expected = line[2:], b"", []
                elif line.startswith("<"):
                    times, text = re.match(r"<(?:\*(\d+))? (.*)", line).groups()
                    data += unescape(text) * int(times or 1)
                elif line.startswith("> "):
                    expected.append(line[2:])


def frames(data):
    """The frames of a server: (opcode, payload) each, and what is left."""
    found = []
    while len(data) >= 2:
        n, at = data[1], 2
        if n == 126:
            n, at = int.from_bytes(data[2:4], "big"), 4
        elif n == 127:
            n, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + n:
            break
        payload = data[at:at + n]
        if data[0] & 0x40:
            payload = zlib.decompress(payload + b"\0\0\xff\xff\3\0", wbits=-15)
        found.append((data[0] & 15, payload))
        data = data[at + n:]
    return found, data


class WebSocketTest(harness.TestCase):
    def url(self, server):
        return "ws://%s:%d/ws/echo" % server.address

    def run_client(self, client):
        return asyncio.run(asyncio.wait_for(client, 60 * harness.SLOW))

    def test_python_websockets_understands_it(self):
        server = self.start("--processes", "1")

        async def client():
            async with websockets.connect(self.url(server), max_size=None) as ws:
                for message in ("hello", "", "\u20ac\U0001f600", b"\0\xff", b"",
                                "x" * 125, "x" * 126, "x" * 65535, "x" * 65536,
                                b"y" * (1 << 20)):
                    await ws.send(message)
                    self.assertEqual(await ws.recv(), message)
                await ws.send(["in ", "several ", "frames"])
                self.assertEqual(await ws.recv(), "in several frames")
                await (await ws.ping(b"p" * 125))
                for n in range(500):
                    await ws.send(str(n))
                for n in range(500):
                    self.assertEqual(await ws.recv(), str(n))
            self.assertEqual(ws.close_code, 1000)
        self.run_client(client())

    def test_python_websockets_agrees_on_compression(self):
        server = self.start("--processes", "1")
        offers = [deflate.ClientPerMessageDeflateFactory(*offer) for offer in
                  ((False, False, None, None), (True, True, 9, 9),
                   (False, False, 10, True), (False, True, None, 12))]

        async def client():
            for offer in offers:
                async with websockets.connect(self.url(server), compression=None,
                                              extensions=[offer]) as ws:
                    self.assertEqual(len(ws.extensions), 1)
                    for message in ("hello", "x" * 1000, "\u20ac" * 70000, b"\0" * 300,
                                    os.urandom(5000), "again " * 50, ""):
                        await ws.send(message)
                        self.assertEqual(await ws.recv(), message)
                    await ws.send(["in ", "several " * 100, "frames"])
                    self.assertEqual(await ws.recv(),
                                     "in " + "several " * 100 + "frames")
        self.run_client(client())

    def test_many_sockets_at_once(self):
        server = self.start("--processes", "2")

        async def one(n):
            async with websockets.connect(self.url(server)) as ws:
                for k in range(5):
                    await ws.send("%d %d" % (n, k))
                    self.assertEqual(await ws.recv(), "%d %d" % (n, k))

        async def client():
            await asyncio.gather(*(one(n) for n in range(100)))
        self.run_client(client())

    def test_too_big_a_message_is_refused_with_1009(self):
        server = self.start("--processes", "1")

        async def client():
            async with websockets.connect(self.url(server)) as ws:
                with self.assertRaises(websockets.ConnectionClosed):
                    await ws.send("x" * ((1 << 20) + 1))
                    await ws.recv()
                self.assertEqual(ws.close_code, 1009)
        self.run_client(client())

    def test_node_understands_it(self):
        node = shutil.which("node")
        if node is None:
            self.skipTest("no node")
        server = self.start("--processes", "1")
        command = [node, "--experimental-websocket",
                   os.path.join(HERE, "websocket_client.mjs"), self.url(server)]
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=60)
        if "bad option" in done.stderr:
            self.skipTest("this node has no WebSocket")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {
            "got": ["hello", "\u20ac\U0001f600", [0, 255, 128], 200000],
            "code": 3001, "clean": True})

    def test_a_stop_closes_sockets_with_1001(self):
        server = self.start("--processes", "1")

        async def client():
            async with websockets.connect(self.url(server)) as ws:
                await ws.send("a")
                await ws.recv()
                server.signal(signal.SIGTERM)
                with self.assertRaises(websockets.ConnectionClosed):
                    await ws.recv()
                self.assertEqual(ws.close_code, 1001)
        self.run_client(client())
        self.assertEqual(server.wait(), 0)

    def test_a_reload_moves_sockets_one_after_another(self):
        server = self.start("--processes", "1", "--drain-timeout", "2s",
                            "--admin", "127.0.0.1:0")

        async def watch(ws):
            with self.assertRaises(websockets.ConnectionClosed):
                await ws.recv()
            return ws.close_code, time.monotonic()

        async def client():
            sockets = [await websockets.connect(self.url(server)) for _ in range(30)]
            for ws in sockets:
                await ws.send("hello")
                await ws.recv()
            server.signal(signal.SIGHUP)
            ended = await asyncio.gather(*(watch(ws) for ws in sockets))
            self.assertEqual({code for code, _ in ended}, {1012})
            times = [at for _, at in ended]
            self.assertGreater(max(times) - min(times), 0.05)
            async with websockets.connect(self.url(server)) as ws:
                await ws.send("again")
                self.assertEqual(await ws.recv(), "again")
        self.run_client(client())
        for name, value in (("spout_websockets_open", 0), ("spout_websockets_total", 31),
                            ("spout_websocket_messages_received_total", 31),
                            ("spout_websocket_messages_sent_total", 31),
                            ("spout_websocket_bytes_received_total", 155),
                            ("spout_websockets_closed_1012_total", 30),
                            ("spout_websockets_closed_1000_total", 1)):
            self.await_figure(server, name, value)

    def await_figure(self, server, name, value):
        """Wait until all workers together have that figure."""
        end = time.monotonic() + 30 * harness.SLOW
        while True:
            text = server.get("/metrics", address=server.admin).text
            total = sum(int(n) for n in re.findall(
                r"^%s\{[^}]*\} (\d+)$" % name, text, re.M))
            if total == value:
                return
            self.assertLess(time.monotonic(), end, "%s is %d" % (name, total))
            time.sleep(0.05)

    def check_client(self, url):
        for how in ("off", "shared", "own"):
            done = subprocess.run([CLIENT, url, how, "v1.chat"], capture_output=True,
                                  text=True, check=False, timeout=60 * harness.SLOW)
            self.assertEqual((done.returncode, done.stderr, done.stdout),
                             (0, "", "v1.chat 3001\n"), how)

    def test_our_client_understands_python_websockets(self):
        async def echo(ws, _path=None):
            try:
                async for message in ws:
                    await ws.send(message)
            except websockets.ConnectionClosed:
                pass

        async def main():
            factory = deflate.ServerPerMessageDeflateFactory
            for extensions in ([], [factory()],
                               [factory(True, True, 10, 10)], [factory(False, True)]):
                server = await websockets.serve(
                    echo, "127.0.0.1", 0, compression=None, extensions=extensions,
                    subprotocols=["v1.chat"])
                port = server.sockets[0].getsockname()[1]
                await asyncio.get_running_loop().run_in_executor(
                    None, self.check_client, "ws://127.0.0.1:%d/" % port)
                server.close()
        self.run_client(main())

    def test_our_client_understands_ws_of_node(self):
        node = shutil.which("node")
        if node is None or subprocess.run([node, "-e", "require('ws')"], cwd=HERE,
                                          capture_output=True, check=False).returncode:
            self.skipTest("no ws for node")
        for how in ("deflate", "plain"):
            with subprocess.Popen(
                    [node, os.path.join(HERE, "websocket_server.mjs"), how],
                    stdout=subprocess.PIPE, text=True) as server:
                try:
                    self.check_client(
                        "ws://127.0.0.1:%d/" % int(server.stdout.readline()))
                finally:
                    server.kill()

    def test_what_is_no_handshake_is_answered_as_http(self):
        server = self.start("--processes", "1")
        answer = server.request("GET", "/ws/echo")
        self.assertEqual(answer.status, 426)
        self.assertEqual(answer.header("Upgrade"), "websocket")
        self.assertEqual(answer.header("Sec-WebSocket-Version"), "13")
        self.assertEqual(server.request("POST", "/ws/echo", body=b"").status, 405)

    def test_vectors_over_a_real_connection(self):
        server = self.start("--processes", "1")
        ran = 0
        for name, fields, data, expected in vectors():
            if name in ("a byte more", "a frame larger than a message may be",
                        "a bomb in two fragments",
                        "a frame that no compressed message can need"):
                continue  # the limit of the demo is another one
            with self.subTest(name):
                self.check_vector(server, fields, data, expected)
                ran += 1
        self.assertGreater(ran, 100)

    def check_vector(self, server, fields, data, expected):
        with server.connect() as connection:
            sock = connection.socket
            sock.sendall((HANDSHAKE[:-2] + fields + "\r\n").encode() + data)
            want = self.answers(expected)
            ends = expected[-1].startswith(("fail", "close"))
            got = b""
            while True:
                head, mark, rest = got.partition(b"\r\n\r\n")
                found = frames(rest)[0] if mark else []
                if mark and not ends and len(found) >= len(want):
                    break
                try:
                    piece = sock.recv(65536)
                except ConnectionResetError:
                    break
                if piece == b"":
                    break
                got += piece
            self.assertEqual(len(found), len(want), found)
            for (opcode, payload), (name, begin) in zip(found, want):
                self.assertEqual(opcode, name)
                self.assertTrue(payload.startswith(begin), (payload[:80], begin))

    @staticmethod
    def answers(expected):
        """What the echo says to them: (opcode, how its payload begins) each."""
        want = []
        for line in expected:
            word, _, rest = line.partition(" ")
            payload = unescape(rest[:-3] if rest.endswith("...") else rest)
            if word in ("text", "binary"):
                want.append((1 if word == "text" else 2, payload))
            elif word == "ping":
                want.append((10, payload))
            elif word == "fail":
                want.append((8, int(rest).to_bytes(2, "big")))
            elif word == "close":
                code = int(rest.split(" ")[0])
                want.append((8, b"" if code == 1005 else code.to_bytes(2, "big")))
        return want


if __name__ == "__main__":
    unittest.main()
