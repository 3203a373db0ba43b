"""A server is killed: whoever was there on it alone is offline when its lifetime is over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic

import httpx
from websockets.exceptions import ConnectionClosed

from resolvers import tokens
from tests.faults.conftest import Serve
from tests.flow.client import PATIENCE, SECRET, Client, Socket
from tests.flow.test_presence import FOLLOW, OFFLINE, ONLINE

LIFETIME = 2


async def test_the_users_of_a_server_that_is_killed_are_offline(database_url: str, serve: Serve) -> None:
    """kill -9: within the lifetime and a look; who is on another server too stays."""
    dying = await serve(database_url, PRESENCE_LIFETIME=LIFETIME)
    living = await serve(database_url, PRESENCE_LIFETIME=LIFETIME)
    async with (
        httpx.AsyncClient(base_url=dying.address, timeout=PATIENCE) as there,
        httpx.AsyncClient(base_url=living.address, timeout=PATIENCE) as here,
    ):
        ada, grace, everywhere, linus = (
            Client(http, handle, tokens.mint(SECRET, handle, lifetime=timedelta(hours=1)))
            for http, handle in ((there, "ada"), (there, "grace"), (here, "grace"), (here, "linus"))
        )
        ids = [await ada.id(), await grace.id()]
        async with everywhere.socket(), linus.socket() as socket, _held(ada), _held(grace):
            operation = await socket.subscribe(FOLLOW, ids=ids)
            known: dict[str, str] = {}
            while known != {"ada": ONLINE, "grace": ONLINE}:
                known |= await _next(socket, operation)
            await dying.kill()
            killed = monotonic()
            change = await _next(socket, operation)
            took = monotonic() - killed
    assert change == {"ada": OFFLINE}
    assert took < LIFETIME + 3


async def _next(socket: Socket, operation: str) -> dict[str, str]:
    change = (await socket.next(operation))["presence"]
    return {change["user"]["handle"]: change["presence"]["status"]}


@asynccontextmanager
async def _held(client: Client) -> AsyncIterator[None]:
    """A socket that may be gone when it is to be closed."""
    with suppress(ConnectionClosed):
        async with client.socket():
            yield
