"""Subscriptions as server-sent events: HTTP is enough to follow a conversation.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from tests.flow.client import PATIENCE, Client, Json, Parley

pytestmark = pytest.mark.usefixtures("common_server")

FOLLOW = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    ... on MessageSent { message { body } } } }"""


@asynccontextmanager
async def stream(client: Client, query: str, **variables: object) -> AsyncIterator[httpx.Response]:
    """The open answer to an operation."""
    async with client.http.stream(
        "POST",
        "/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {client.token}", "Accept": "text/event-stream"},
    ) as response:
        yield response


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Json | None]]:
    """Each event's name and data."""
    name = ""
    async for line in response.aiter_lines():
        key, _, value = line.partition(":")
        if key == "event":
            name = value.strip()
        elif key == "data":
            yield name, json.loads(value) if value.strip() else None


async def test_a_message_arrives(ada: Client, grace: Client) -> None:
    """What was missed first, then what is sent while the stream is open."""
    conversation = await ada.start(grace)
    start = await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=conversation)
    await grace.send(conversation, "missed")
    async with (
        asyncio.timeout(PATIENCE),
        stream(ada, FOLLOW, id=conversation, after=start["conversation"]["eventCursor"]) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        received = events(response)
        first = await anext(received)
        await grace.send(conversation, "live")
        second = await anext(received)
    assert [first, second] == [
        ("next", {"data": {"conversationEvents": {"message": {"body": body}}}}) for body in ("missed", "live")
    ]


async def test_a_query_is_one_event_and_the_end(ada: Client) -> None:
    """`next`, then `complete`."""
    async with asyncio.timeout(PATIENCE), stream(ada, "{ viewer { user { handle } } }") as response:
        received = [event async for event in events(response)]
    assert received == [("next", {"data": {"viewer": {"user": {"handle": ada.handle}}}}), ("complete", None)]


async def test_an_error_is_one_event_and_the_end(ada: Client) -> None:
    """A subscription to nothing: NOT_FOUND with a requestId, then `complete`."""
    async with asyncio.timeout(PATIENCE), stream(ada, FOLLOW, id="C_" + "A" * 22) as response:
        (name, data), end = [event async for event in events(response)]
    assert (name, end) == ("next", ("complete", None))
    assert data
    assert [error["extensions"]["code"] for error in data["errors"]] == ["NOT_FOUND"]
    assert all(error["extensions"]["requestId"] for error in data["errors"])


async def test_it_ends_with_the_token(parley: Parley, ada: Client, grace: Client) -> None:
    """UNAUTHENTICATED in words when it expires, then `complete`: a stream over HTTP has no close codes."""
    conversation = await ada.start(grace)
    brief = parley.user("ada", lifetime=timedelta(seconds=2))
    async with asyncio.timeout(PATIENCE), stream(brief, FOLLOW, id=conversation) as response:
        (name, data), end = [event async for event in events(response)]
    assert (name, end) == ("next", ("complete", None))
    assert data
    assert [error["extensions"]["code"] for error in data["errors"]] == ["UNAUTHENTICATED"]
