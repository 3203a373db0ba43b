"""A host application beside Parley, as far as Parley asks it."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.flow.client import Json

KEY = "a secret for contexts that is long enough"


@dataclass
class Host:
    """A host application: what it answers, and what it was asked."""

    answer: bytes | None = b'{"allowed": true}'
    """None: it never does."""
    status: int = 200
    asked: list[Json] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
            }
            body = await reader.readexactly(int(headers["content-length"]))
            moment = headers["x-parley-timestamp"]
            expected = hmac.new(KEY.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
            assert headers["x-parley-signature"] == f"sha256={expected}"
            assert abs(time.time() - int(moment)) < 60
            self.asked.append(json.loads(body))
            if self.answer is None:
                await reader.read()  # until who asks has had enough
            else:
                length = (
                    f"HTTP/1.1 {self.status} Said\r\nContent-Length: {len(self.answer)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(length.encode() + self.answer)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def hosted(host: Host) -> AsyncIterator[str]:
    """Its address."""
    listening = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/parley/context"
