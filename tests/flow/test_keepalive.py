"""Peers that are gone without a word, or as good as gone: the server drops them and forgets them."""

import pytest

from protocol import WebSocketProtocol
from serving import Server
from tests.flow.client import Client
from tests.flow.conftest import stoppable
from tests.flow.peer import peer
from tests.flow.test_sockets import FOLLOW
from tests.flow.waiting import until

PINGS = {"ping_interval": 1, "ping_timeout": 1}


def connections(server: Server) -> list[WebSocketProtocol]:
    return [found for found in server.server_state.connections if isinstance(found, WebSocketProtocol)]


async def stall(server: Server, sender: Client, conversation: str) -> None:
    """Send to a follower that does not read until nothing more can be written to it."""
    while any(connection.writable.is_set() for connection in connections(server)):
        await sender.send_all(conversation, *["x" * 10_000] * 50)


async def test_who_reads_no_more_is_dropped(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """With all that could not be written to it; nobody takes that for a fault."""
    async with stoppable(database_url, log_level="warning", **PINGS) as (parley, server):
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        async with peer(grace) as stuck:
            await stuck.send(type="subscribe", id="1", payload={"query": FOLLOW, "variables": {"id": conversation}})
            await stall(server, ada, conversation)
            await until(lambda: not connections(server))
            await until(lambda: not server.lifespan.state["sockets"].count())
    assert capfd.readouterr().err == ""


async def test_who_reads_no_more_and_says_goodbye_is_dropped(database_url: str) -> None:
    """A close of the peer's, to which the answer cannot be written."""
    async with stoppable(database_url) as (parley, server):
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        async with peer(grace) as stuck:
            await stuck.send(type="subscribe", id="1", payload={"query": FOLLOW, "variables": {"id": conversation}})
            await stall(server, ada, conversation)
            stuck.protocol.send_close(1000)
            await stuck.flush()
            await until(lambda: not connections(server))


async def test_who_answers_no_ping_is_closed(database_url: str) -> None:
    """1013, after which clients connect again, though it keeps its connection open and reads."""
    async with stoppable(database_url, **PINGS) as (parley, server), peer(parley.user("ada")) as silent:
        while silent.protocol.close_rcvd is None:
            await silent.read()
        assert (silent.protocol.close_rcvd.code, silent.protocol.close_rcvd.reason) == (
            1013,
            "a ping was not answered; connect again",
        )
        await until(lambda: not connections(server))
        await until(lambda: not server.lifespan.state["sockets"].count())


async def test_who_answers_pings_stays(database_url: str) -> None:
    """Through many of them."""
    async with stoppable(database_url, **PINGS) as (parley, _), peer(parley.user("ada")) as quiet:
        for _ping in range(3):
            assert await quiet.read()
            await quiet.flush()
        await quiet.send(type="ping")
        assert await quiet.receive() == {"type": "pong"}
