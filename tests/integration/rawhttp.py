# SPDX-License-Identifier: MIT
"""
A client that hides nothing: bytes out, bytes in, and a strict reader of responses.
"""
import socket


class BadResponse(AssertionError):
    """The peer sent something that is no HTTP/1 response."""


class Response:
    """
    One response. headers is a list of (name in lower case, value); raw is all its bytes.
    """

    def __init__(self, version, status, reason, headers):
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = b""
        self.trailers = []
        self.raw = b""

    def header(self, name, otherwise=None):
        """The value of a field that must not be there twice."""
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise BadResponse("%s is there %d times" % (name, len(values)))
        return values[0] if values else otherwise

    @property
    def text(self):
        return self.body.decode("utf-8")

    def __repr__(self):
        return "<%d %s, %d bytes>" % (self.status, self.reason, len(self.body))


class Connection:
    """A TCP or unix connection; address is (host, port) or a path."""

    def __init__(self, address, timeout=10, receive_buffer=None):
        family = socket.AF_UNIX
        if isinstance(address, tuple):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.host = "%s:%d" % address if isinstance(address, tuple) else "localhost"
        self.data = b""
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Close with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def send_request(self, method, target, headers=(), body=None, close=False):
        lines = ["%s %s HTTP/1.1" % (method, target)]
        names = [name.lower() for name, _ in headers]
        if "host" not in names:
            lines.append("Host: " + self.host)
        if body is not None and not {"content-length", "transfer-encoding"} & set(names):
            lines.append("Content-Length: %d" % len(body))
        if close:
            lines.append("Connection: close")
        lines += ["%s: %s" % field for field in headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def request(self, method, target, headers=(), body=None, close=False):
        self.send_request(method, target, headers, body, close)
        return self.read_response(method)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def receive(self):
        """More bytes into self.data; False at the end of input."""
        more = self.socket.recv(65536)
        self.data += more
        return more != b""

    def take(self, count):
        while len(self.data) < count:
            if not self.receive():
                raise BadResponse("end of input, %d of %d bytes: %r" % (
                    len(self.data), count, self.data[:200]))
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def take_until(self, mark):
        while mark not in self.data:
            if not self.receive():
                raise BadResponse("end of input before %r: %r" % (mark, self.data[:500]))
        taken, _, self.data = self.data.partition(mark)
        return taken + mark

    def read_to_end(self):
        """Everything up to the end of input."""
        while self.receive():
            pass
        taken, self.data = self.data, b""
        return taken

    def expect_end(self):
        """The peer closes, cleanly, without another byte."""
        rest = self.read_to_end()
        if rest:
            raise BadResponse("bytes instead of the end: %r" % rest[:500])

    def read_response(self, method="GET"):
        """The next response, informational ones (1xx but 101) skipped."""
        while True:
            response = self.read_head()
            if response.status >= 200 or response.status == 101:
                break
        if method != "HEAD" and response.status not in (101, 204, 304):
            self._read_body(response)
        return response

    def read_head(self):
        raw = self.take_until(b"\r\n\r\n")
        lines = raw[:-4].decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        status, _, reason = rest.partition(" ")
        if version not in ("HTTP/1.0", "HTTP/1.1") or not (
                len(status) == 3 and status.isdigit()):
            raise BadResponse("bad status line %r" % lines[0])
        response = Response(version, int(status), reason, parse_fields(lines[1:]))
        response.raw = raw
        return response

    def _read_body(self, response):
        coding = response.header("transfer-encoding")
        length = response.header("content-length")
        if coding is not None:
            if coding != "chunked" or length is not None:
                raise BadResponse("bad framing: %r" % response.raw)
            self._read_chunks(response)
        elif length is not None:
            response.body = self.take(int(length))
            response.raw += response.body
        else:
            response.body = self.read_to_end()
            response.raw += response.body

    def _read_chunks(self, response):
        while True:
            line = self.take_until(b"\r\n")
            size = int(line.partition(b";")[0].strip(), 16)
            response.raw += line
            if size == 0:
                break
            chunk = self.take(size + 2)
            if chunk[-2:] != b"\r\n":
                raise BadResponse("chunk is not ended by CRLF")
            response.body += chunk[:-2]
            response.raw += chunk
        lines = []
        while True:
            line = self.take_until(b"\r\n")
            response.raw += line
            if line == b"\r\n":
                break
            lines.append(line[:-2].decode("latin-1"))
        response.trailers = parse_fields(lines)


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line:
            raise BadResponse("bad field line %r" % line)
        fields.append((name.lower(), value.strip()))
    return fields
