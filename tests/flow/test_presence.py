"""Who is there: over all tabs and all processes, as far as they let others know."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from db.keys import new_key, user_id
from tests.flow import database
from tests.flow.client import PATIENCE, Client, Json, Parley, Socket
from tests.flow.conftest import serving

GRACE = 0.4
FOLLOW = "subscription ($ids: [ID!]!) { presence(userIds: $ids) { user { handle } presence { status lastSeenAt } } }"
ASK = "query ($id: ID!) { node(id: $id) { ... on User { presence { status lastSeenAt } } } }"
OFFLINE, ONLINE = "OFFLINE", "ONLINE"


@pytest.fixture
async def parley(database_url: str) -> AsyncIterator[Parley]:
    async with serving(database_url, presence_grace=GRACE) as running:
        yield running


async def status(socket: Socket, operation: str) -> str:
    """The next that is told."""
    change = (await socket.next(operation))["presence"]
    found: str = change["presence"]["status"]
    return found


async def presence(client: Client, user: str) -> Json:
    data = await client.run(ASK, id=user)
    found: Json = data["node"]["presence"]
    return found


async def until(client: Client, user: str, wanted: str) -> Json:
    """Their presence, once it is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while (found := await presence(client, user))["status"] != wanted:
            pass
        return found


async def test_all_tabs_of_all_processes_count(parley: Parley, database_url: str) -> None:
    """Online with the first, offline with the last, a grace after it; who is back within it was never away."""
    async with serving(database_url, presence_grace=GRACE) as other:
        ada, grace = parley.user("ada"), parley.user("grace")
        twin, user = other.user("ada"), await ada.id()
        async with grace.socket() as socket:
            operation = await socket.subscribe(FOLLOW, ids=[user])
            seen = [await status(socket, operation)]
            async with ada.socket():
                seen.append(await status(socket, operation))
                async with twin.socket():
                    pass
            async with twin.socket():  # within the grace
                assert (await presence(grace, user))["status"] == ONLINE
                left = datetime.now(UTC)
            last = (await socket.next(operation))["presence"]
            took = datetime.now(UTC) - left
        seen.append(last["presence"]["status"])
    assert seen == [OFFLINE, ONLINE, OFFLINE]
    assert timedelta(seconds=GRACE) <= took < timedelta(seconds=4)
    assert left - timedelta(seconds=1) < datetime.fromisoformat(last["presence"]["lastSeenAt"]) < left + took
    assert last["user"] == {"handle": "ada"}


async def test_a_server_that_ends_takes_its_users_along(parley: Parley, database_url: str) -> None:
    """At once, without waiting for its lifetime; the others are told."""
    grace = parley.user("grace")
    user = await parley.user("ada").id()
    async with grace.socket() as socket:
        operation = await socket.subscribe(FOLLOW, ids=[user])
        assert await status(socket, operation) == OFFLINE
        async with serving(database_url, presence_grace=60.0, drain_seconds=0.0) as other, other.user("ada").socket():
            assert await status(socket, operation) == ONLINE
        assert await status(socket, operation) == OFFLINE


async def test_who_does_not_share_it_is_offline_for_others(parley: Parley, ada: Client, grace: Client) -> None:
    """And says nothing of when they were there; to themselves they are as they are."""
    user = await ada.id()
    async with grace.socket() as socket, ada.socket():
        operation = await socket.subscribe(FOLLOW, ids=[user])
        while await status(socket, operation) != ONLINE:
            pass
        await database.run(parley.database_url, "UPDATE parley.users SET shares_presence = false WHERE handle = 'ada'")
        change = (await socket.next(operation))["presence"]
        assert change["presence"] == {"status": OFFLINE, "lastSeenAt": None}
        assert await presence(grace, user) == {"status": OFFLINE, "lastSeenAt": None}
        assert await presence(ada, user) == {"status": ONLINE, "lastSeenAt": None}


async def test_who_is_blocked_is_shown_nobody(parley: Parley, ada: Client, grace: Client, linus: Client) -> None:
    """By the one who blocks them, who sees them as before; a third is not concerned."""
    user, blocked = await ada.id(), await grace.id()
    block = "mutation ($id: ID!) { blockUser(input: {userId: $id}) { errors { __typename } } }"
    await ada.run(block, id=blocked)
    async with ada.socket(), grace.socket():
        await until(linus, user, ONLINE)
        assert (await presence(grace, user))["status"] == OFFLINE
        assert (await until(ada, blocked, ONLINE))["lastSeenAt"] is None
    assert (await until(linus, user, OFFLINE))["lastSeenAt"] is not None
    assert await presence(grace, user) == {"status": OFFLINE, "lastSeenAt": None}


async def test_a_page_of_users_is_one_statement_more(parley: Parley, ada: Client) -> None:
    """However many there are, and none where it is not asked for."""
    for number in range(12):
        await parley.user(f"user{number}").id()
    counts = []
    for selection in ("id", "id presence { status lastSeenAt }"):
        await ada.run(f"{{ users {{ nodes {{ {selection} }} }} }}")
        parley.statements.clear()
        await ada.run(f"{{ users {{ nodes {{ {selection} }} }} }}")
        await ada.run("{ __typename }")
        counts.append(len(parley.statements))
    assert counts == [counts[0], counts[0] + 1]


async def test_who_can_be_followed(parley: Parley, ada: Client) -> None:
    """From one to a hundred users that there are."""
    async with ada.socket() as socket:
        codes = []
        for ids in ([], [await ada.id()] * 101, [user_id(new_key())]):
            operation = await socket.subscribe(FOLLOW, ids=ids)
            message = await socket.receive()
            assert (message["type"], message["id"]) == ("error", operation)
            codes.append(message["payload"][0]["extensions"]["code"])
    assert codes == ["BAD_USER_INPUT", "BAD_USER_INPUT", "NOT_FOUND"]


async def test_it_is_told_without_a_socket_too(parley: Parley, ada: Client, grace: Client) -> None:
    """As server-sent events, which themselves are no presence."""
    user = await ada.id()
    seen: list[str] = []
    async with (
        asyncio.timeout(PATIENCE),
        grace.http.stream(
            "POST",
            "/graphql",
            json={"query": FOLLOW, "variables": {"ids": [user]}},
            headers={"Authorization": f"Bearer {grace.token}", "Accept": "text/event-stream"},
        ) as response,
    ):
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            seen.append(json.loads(line[6:])["data"]["presence"]["presence"]["status"])
            if len(seen) == 1:
                opening = asyncio.create_task(_show_up(ada))
            if len(seen) == 3:
                break
    await opening
    assert seen == [OFFLINE, ONLINE, OFFLINE]


async def _show_up(client: Client) -> None:
    async with client.socket():
        await until(client, await client.id(), ONLINE)
