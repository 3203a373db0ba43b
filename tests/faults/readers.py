"""Those who follow: from a cursor, and from the last one they received whenever the connection is lost."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.faults.oracle import Listening, Outage, Receipt
from tests.faults.people import PAUSES, Person

_TIMEOUT = 15.0  # seconds for a connection to be made; a crowd has to wait for each other
_CONVERSATION = (
    "subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) { %s } }"
)
_VIEWER = "subscription ($after: String) { viewerEvents(after: $after) { %s } }"
_EVENT = "cursor conversation { id } ... on MessageSent { message { seq clientMessageId %s } }"


class Reader:
    """Follows conversations over one socket: each by a subscription of its own, or all by one over the viewer's."""

    def __init__(
        self,
        person: Person,
        cursors: Mapping[str | None, str],
        listening: Listening,
        *,
        fields: str = "",
        receive_buffer: int | None = None,
    ) -> None:
        """It begins at the cursors: of each conversation, or under None of the viewer. `fields` are more of a message."""
        self.person = person
        self.listening = listening
        self.joined = asyncio.Event()
        """Set whenever it has subscribed."""
        self.arrived = asyncio.Event()
        """Set with every message."""
        self.seen: dict[str, int] = dict(listening.starts)
        """The highest seq of each conversation."""
        self._cursors = dict(cursors)
        self._event = _EVENT % fields
        self._receive_buffer = receive_buffer
        self._reading = asyncio.Event()
        self._reading.set()

    @contextmanager
    def absent(self) -> Iterator[None]:
        """While it takes nothing from its socket, which stays open."""
        begin = time.monotonic()
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()
            self.listening.absences.append(Outage(begin, time.monotonic()))

    async def run(self) -> None:
        """Follow for ever, over one connection after the other."""
        attempt = 0
        while True:
            before = len(self.listening.receipts)
            try:
                await self._follow(self.person.next_server())
            except websockets.ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else 1006
                # 4400 and above say that the client did something wrong.
                (self.person.complaints if code >= 4400 else self.person.troubles)[f"closed with {code}"] += 1
            except (OSError, TimeoutError, websockets.WebSocketException) as error:
                self.person.troubles[type(error).__name__] += 1
            attempt = attempt + 1 if len(self.listening.receipts) == before else 0
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])

    async def _follow(self, address: str) -> None:
        """Over one connection, until it is lost or an operation ends."""
        async with websockets.connect(
            address.replace("http", "ws") + "/graphql",
            sock=await self._socket(address),
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            open_timeout=_TIMEOUT,
            close_timeout=1,
            compression=None,
            max_size=None,
            proxy=None,
        ) as connection:
            await self._subscribe(connection)
            while True:
                await self._reading.wait()
                message = json.loads(await connection.recv())
                if message["type"] == "next" and "errors" not in message["payload"]:
                    self._take(message)
                elif message["type"] == "complete":
                    self.person.complaints["a subscription completed by itself"] += 1
                    return
                elif message["type"] != "ping":
                    payload = message["payload"]
                    self.person.trouble(payload if isinstance(payload, list) else payload["errors"])
                    return

    async def _subscribe(self, connection: ClientConnection) -> None:
        payload = {"Authorization": f"Bearer {self.person.token}"}
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        async with asyncio.timeout(_TIMEOUT):
            assert json.loads(await connection.recv()) == {"type": "connection_ack"}
        for conversation, cursor in self._cursors.items():
            query = (_VIEWER if conversation is None else _CONVERSATION) % self._event
            variables = {"after": cursor} | ({} if conversation is None else {"id": conversation})
            operation = {"query": query, "variables": variables}
            await connection.send(
                json.dumps({"type": "subscribe", "id": conversation or "viewer", "payload": operation})
            )
        self.joined.set()

    def _take(self, message: Any) -> None:
        (event,) = message["payload"]["data"].values()
        self._cursors[None if message["id"] == "viewer" else message["id"]] = event["cursor"]
        if "message" not in event:
            return
        conversation, seq = event["conversation"]["id"], event["message"]["seq"]
        self.listening.receipts.append(
            Receipt(conversation, seq, event["message"]["clientMessageId"], time.monotonic())
        )
        self.seen[conversation] = max(seq, self.seen[conversation])
        self.arrived.set()

    async def _socket(self, address: str) -> socket.socket:
        raw = socket.socket()
        raw.setblocking(False)
        if self._receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        try:
            host, port = address.removeprefix("http://").split(":")
            await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
        except BaseException:
            raw.close()
            raise
        return raw
