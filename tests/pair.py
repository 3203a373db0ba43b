"""Both ends of a websocket: the server's protocol without a server, and a client on a bare socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import SEND_EOF, State
from websockets.uri import parse_uri

from protocol import WebSocketProtocol
from tests.flow.client import PATIENCE
from web.extensions import PUSH

_SMALL = 4096  # bytes that the system keeps for either side


@dataclass(eq=False)
class Pair:
    """Both ends of a websocket: the server's protocol with its application, and a client that reads when it is told to."""

    raw: socket.socket
    client: ClientProtocol
    server: WebSocketProtocol
    scope: dict[str, Any]
    received: list[str]

    @property
    def push(self) -> Callable[[bytes], bool]:
        found: Callable[[bytes], bool] = self.scope["extensions"][PUSH]
        return found

    async def send(self, text: str) -> None:
        await self.server.send({"type": "websocket.send", "text": text})

    async def accept(self) -> None:
        await self.server.send({"type": "websocket.accept"})

    async def read(self) -> bool:
        """What there is, answered as the protocol has it; whether it goes on."""
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self.raw, 65_536)
        if not data:
            return False
        await self.take(data)
        return True

    async def take(self, data: bytes) -> None:
        self.client.receive_data(data)
        for event in self.client.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.received.append(bytes(event.data).decode())
        assert self.client.parser_exc is None
        await self.flush()

    async def flush(self) -> None:
        for data in self.client.data_to_send():
            if data != SEND_EOF:
                await asyncio.get_running_loop().sock_sendall(self.raw, data)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert await self.read()


@asynccontextmanager
async def paired(*, is_accepted: bool = True, deflate: bool = False) -> AsyncIterator[Pair]:
    """Connected, and upgraded where it is accepted."""
    loop = asyncio.get_running_loop()
    scopes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    is_over = asyncio.Event()

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        scopes.put_nowait(scope)
        await is_over.wait()

    config = uvicorn.Config(application, ws_per_message_deflate=deflate, ws_ping_timeout=None, log_config=None)
    config.load()
    made: list[WebSocketProtocol] = []

    def make() -> WebSocketProtocol:
        made.append(WebSocketProtocol(config, ServerState(), {}))
        return made[-1]

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
    async with await loop.create_server(make, sock=listener):
        with socket.socket() as raw:
            raw.setblocking(False)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
            await loop.sock_connect(raw, listener.getsockname())
            client = ClientProtocol(
                parse_uri("ws://127.0.0.1/"), extensions=[ClientPerMessageDeflateFactory()] if deflate else None
            )
            client.send_request(client.connect())
            for data in client.data_to_send():
                await loop.sock_sendall(raw, data)
            scope = await scopes.get()
            pair = Pair(raw, client, made[0], scope, [])
            if is_accepted:
                await pair.accept()
                await pair.until(lambda: client.state is State.OPEN)
            try:
                yield pair
            finally:
                is_over.set()
                if not made[0].disconnected:
                    made[0].transport.abort()
                await asyncio.gather(*made[0].tasks)
