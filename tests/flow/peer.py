"""A websocket client on a bare socket, which reads, answers and ends only when it is told to."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.flow.client import PATIENCE, Client, Json

_SMALL = 4096  # bytes that its system takes for it


@dataclass(eq=False)
class Peer:
    raw: socket.socket
    protocol: ClientProtocol

    async def send(self, **message: object) -> None:
        self.protocol.send_text(json.dumps(message).encode())
        await self.flush()

    async def flush(self) -> None:
        """Write what is due: messages, and answers to pings and closes."""
        for data in self.protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.raw, data)

    async def receive(self) -> Json:
        """The next message. What comes with it is lost."""
        while True:
            for event in await self.read():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    message: Json = json.loads(bytes(event.data))
                    return message

    async def read(self) -> list[object]:
        """Events of what has come, once there is something; none at the end."""
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self.raw, _SMALL)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        return list(self.protocol.events_received())


@asynccontextmanager
async def peer(client: Client) -> AsyncIterator[Peer]:
    """Connected and acknowledged."""
    url = client.http.base_url
    protocol = ClientProtocol(
        parse_uri(f"ws://{url.host}:{url.port}/graphql"), subprotocols=[Subprotocol("graphql-transport-ws")]
    )
    with socket.socket() as raw:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        await asyncio.get_running_loop().sock_connect(raw, (url.host, url.port))
        connected = Peer(raw, protocol)
        protocol.send_request(protocol.connect())
        await connected.flush()
        await connected.read()
        await connected.send(type="connection_init", payload={"token": client.token})
        assert await connected.receive() == {"type": "connection_ack"}
        yield connected
