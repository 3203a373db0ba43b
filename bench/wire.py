"""Sockets of the load client, written out: what counts is that reading a message costs the client less than writing it cost
the server. So while something is measured, messages are only counted; they are read afterwards.
"""

import json
import re
import socket
import time

STAMP = "00000000 00000000000000000000"
"""What stands in a request where the client puts the message's number and the moment of its sending."""

_STAMP = re.compile(rb"(\d{8}) (\d{20})")
_SEQ = re.compile(rb'"seq":\s*(\d+)')
_CHUNK = 16_384  # bytes read at a time: some thirty messages
_PATIENCE = 20.0  # seconds for an answer while a socket is being opened
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
# The head of a whole text of 126 bytes or more. No text here holds these bytes: they are no ASCII. What else is that long
# is found when messages are verified.
_MESSAGE = b"\x81\x7e"
_LENGTH_16, _LENGTH_64 = 126, 127  # RFC 6455, 5.2


class ProtocolError(Exception):
    """A server said something that ends the measurement."""


def stamp(number: int, moment: int) -> bytes:
    """The stamp of a message that is sent now; `moment` is of the monotonic clock, which all processes share."""
    return b"%08d %020d" % (number, moment)


def read_stamp(payload: bytes) -> tuple[int, int]:
    """The number and the moment in a message."""
    found = _STAMP.search(payload)
    if found is None:
        raise ProtocolError(f"a message without a stamp: {payload[:300]!r}")
    return int(found[1]), int(found[2])


def read_seq(payload: bytes) -> int:
    found = _SEQ.search(payload)
    if found is None:
        raise ProtocolError(f"a message without a seq: {payload[:300]!r}")
    return int(found[1])


class Subscriber:
    """A socket with one subscription. It keeps what came, and the moment it came."""

    def __init__(self, port: int, path: str, token: str, group: str, operation: dict[str, object]) -> None:
        self.group = group
        self.seq: int | None = None
        """Of the last message that was checked."""
        self.received: list[tuple[int, bytes]] = []
        self._chunks: list[tuple[int, bytes]] = []
        self._is_cut = False
        self._rest = b""
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upgrade(port, path)
        self._say({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        acknowledged = self._socket.recv(_CHUNK)
        if b"connection_ack" not in acknowledged:
            raise ProtocolError(f"not acknowledged: {acknowledged!r}")
        self._say({"id": "1", "type": "subscribe", "payload": operation})
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> int:
        """Read what there is; returns how many messages began in it. What they are is left for `take`."""
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ProtocolError(f"a socket of {self.group} was closed without a word")
        self._chunks.append((time.monotonic_ns(), chunk))
        if self._is_cut or chunk[-1] == _MESSAGE[0]:
            return self._count_at_cut(chunk)
        return chunk.count(_MESSAGE)

    def take(self) -> None:
        """Take apart what was received, and answer pings in it."""
        for moment, chunk in self._chunks:
            self._take_apart(moment, self._rest + chunk)
        self._chunks.clear()

    def _count_at_cut(self, chunk: bytes) -> int:
        """The same where the first byte of a head ended the last chunk, or ends this one."""
        count = chunk.count(_MESSAGE) + (self._is_cut and chunk[0] == _MESSAGE[1])
        self._is_cut = chunk[-1] == _MESSAGE[0]
        return count

    def _take_apart(self, moment: int, data: bytes) -> None:
        start = 0
        while (available := len(data) - start) >= 2:  # noqa: PLR2004  (the shortest frame's head)
            head, size = 2, data[start + 1]
            if size == _LENGTH_16:
                head, size = 4, int.from_bytes(data[start + 2 : start + 4])
            elif size == _LENGTH_64:
                head, size = 10, int.from_bytes(data[start + 2 : start + 10])
            if available < head + size:
                break
            payload = data[start + head : start + head + size]
            if data[start : start + 2] == _MESSAGE:
                self.received.append((moment, payload))
            else:
                self._handle_other(data[start], payload)
            start += head + size
        self._rest = data[start:]

    def close(self) -> None:
        self._socket.close()

    def _handle_other(self, first: int, payload: bytes) -> None:
        if first == 0x80 | _PING:
            self._send(_PONG, payload)
        elif first == 0x80 | _TEXT and b'"ping"' in payload:
            self._say({"type": "pong"})
        elif first == 0x80 | _CLOSE:
            raise ProtocolError(f"closed: {int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}")
        elif not (first == 0x80 | _TEXT and b'"pong"' in payload):
            raise ProtocolError(f"unexpected: {first:#x} {payload[:300]!r}")

    def _upgrade(self, port: int, path: str) -> None:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                break
            answer += chunk
        if not answer.startswith(b"HTTP/1.1 101"):
            raise ProtocolError(f"no websocket: {answer[:300]!r}")

    def _say(self, message: dict[str, object]) -> None:
        self._send(_TEXT, json.dumps(message).encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        # The mask is there against proxies that misread; one of zeros leaves the payload as it is.
        size = len(payload)
        length = bytes([0x80 | size]) if size < _LENGTH_16 else bytes([0x80 | _LENGTH_16]) + size.to_bytes(2)
        self._socket.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)


class Poster:
    """An HTTP connection that is kept, with one request under way at a time."""

    def __init__(self, port: int) -> None:
        self.number = 0
        """Of the message that is under way."""
        self._answer = b""
        self._whole = 0
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def post(self, number: int, request: bytes) -> None:
        self.number, self._answer, self._whole = number, b"", 0
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read what there is; returns the answer once it is whole."""
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ProtocolError("the server closed a connection with a request under way")
        self._answer += chunk
        if not self._whole and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            head = self._answer[:end].lower()
            self._whole = end + 4 + int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        return self._answer if self._whole and len(self._answer) >= self._whole else None

    def close(self) -> None:
        self._socket.close()
