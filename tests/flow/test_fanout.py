"""One execution for all who ask the same; each for itself where the answer depends on who is asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
import pytest
from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from db import events
from protocol import WebSocketProtocol
from resolvers.counters import Counters
from schema import schema, visibility
from schema.visibility import is_per_viewer, is_per_viewer_with
from tests.flow.client import PATIENCE, Client, Json, Parley, Socket
from tests.flow.conftest import stoppable
from tests.flow.waiting import until

DEPTH = 4  # from there on no field is new
CURSOR = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
PLAIN = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    cursor ... on MessageSent { message { seq body sender { name } } } } }"""
OWN = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    cursor conversation { displayTitle viewerState { unreadCount } } ... on MessageSent { message { seq } } } }"""


@cache
def raw() -> GraphQLSchema:
    # Not at the module's import: strawberry's schemas change how introspection answers, for all schemas of the process.
    return schema.build()._schema


@dataclass
class Counted:
    """A server whose counters can be read."""

    parley: Parley
    counters: Counters


@pytest.fixture
async def counted(database_url: str) -> AsyncIterator[Counted]:
    async with stoppable(database_url, max_query_tokens=100_000) as (parley, server):
        yield Counted(parley, server.config.loaded_app.app.state.counters)


def selection(
    type_: GraphQLNamedType, depth: int, *, ignored: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()
) -> str:
    """Every field that does not depend on the viewer, so deep; `ignored` marks do not count."""
    parts = ["__typename"]
    for name, field in getattr(type_, "fields", {}).items():
        is_wanted = name not in without and (not is_per_viewer(name, field) or name in ignored)
        if is_wanted and (text := field_text(name, field, depth, ignored, without)):
            parts.append(text)
    if is_abstract_type(type_):
        for possible in raw().get_possible_types(type_):
            # Under names of their own: what is nullable in one type and not in another could not be one field.
            inner = selection(possible, depth, ignored=ignored, without=without)
            parts.append(f"... on {possible.name} {{ {prefixed(inner, possible.name)} }}")
    return " ".join(parts)


def field_text(name: str, field: GraphQLField, depth: int, ignored: frozenset[str], without: frozenset[str]) -> str:
    given = " ".join(f"{key}: $after" for key, argument in field.args.items() if is_required_argument(argument))
    inner = get_named_type(field.type)
    head = f"{name}({given})" if given else name
    if is_leaf_type(inner):
        return head
    without |= is_per_viewer_with(field)
    return f"{head} {{ {selection(inner, depth - 1, ignored=ignored, without=without)} }}" if depth else ""


def prefixed(fields: str, name: str) -> str:
    """The fields of the first level, under aliases that begin with the type's name."""
    parts, level = [], 0
    for word in fields.split():
        is_field = level == 0 and word[0].isalpha()
        parts.append(f"{name}_{word.partition('(')[0]}: {word}" if is_field else word)
        level += word.count("{") + word.count("(") - word.count("}") - word.count(")")
    return " ".join(parts)


def everything(**more: Any) -> str:
    event = raw().get_type("ConversationEvent")
    assert event is not None
    return f"""subscription ($id: ID!, $after: String!) {{ conversationEvents(conversationId: $id, after: $after) {{
        {selection(event, DEPTH, **more)} }} }}"""


async def heard(counted: Counted, query: str, clients: list[Client], conversation: str) -> list[Json]:
    """The payloads that each client got of a message that the first one sends."""
    after = (await clients[0].run(CURSOR, id=conversation))["conversation"]["eventCursor"]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(client.socket()) for client in clients]
        for socket in sockets:
            await socket.subscribe(query, id=conversation, after=after)
        await all_live(counted, len(clients))
        counted.counters.executions = 0
        await clients[0].send(conversation, "hello")
        return [(await next_of(socket))["payload"] for socket in sockets]


async def all_live(counted: Counted, count: int) -> None:
    """Return when so many subscriptions run and are up to date."""
    async with asyncio.timeout(PATIENCE):
        while counted.counters.live < count:
            await counted.parley.http.get("/healthz")


async def next_of(socket: Socket) -> Json:
    message = await socket.receive()
    assert message["type"] == "next", message
    return message


STATUS = """subscription ($id: ID!) { conversationEvents(conversationId: $id) {
    ... on MessageSent { message { body status replyTo { status } } } } }"""


async def test_status_is_read_where_somebody_asks_for_it(counted: Counted) -> None:
    """As long as nobody does, the log is read without what every participant has received; who comes later has it."""
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    async with ada.socket() as plain, grace.socket() as asking:
        one = await plain.subscribe(PLAIN, id=conversation)
        await all_live(counted, 1)
        sent = (await ada.send(conversation, "first"))["message"]["id"]
        assert (await plain.next(one))["conversationEvents"]["message"]["body"] == "first"
        await ada.run("{ __typename }")  # the driver tells of a statement a moment after it: at the latest now
        assert events._reading(events._parts(frozenset()).joined)[0].text in counted.parley.statements
        other = await asking.subscribe(STATUS, id=conversation)
        await until(lambda: counted.counters.groups == 2)
        await ada.send(conversation, "second", replyToId=sent)
        assert (await plain.next(one))["conversationEvents"]["message"]["body"] == "second"
        assert (await asking.next(other))["conversationEvents"]["message"] == {
            "body": "second",
            "status": "SENT",
            "replyTo": {"status": "SENT"},
        }


async def test_fifty_subscribers_are_one_execution(counted: Counted) -> None:
    """And one text, but for the id of the operation."""
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    payloads = await heard(counted, PLAIN, [ada, grace] * 25, conversation)
    assert payloads == [payloads[0]] * 50
    assert payloads[0]["data"]["conversationEvents"]["message"]["body"] == "hello"
    assert counted.counters.executions == 1
    assert counted.counters.groups == 0, "a group ends with its last subscription"


async def test_what_is_a_viewers_own_is_executed_for_each_viewer(counted: Counted) -> None:
    """Two viewers with two sockets each are two executions, each with its own answer."""
    ada, grace = counted.parley.user("ada", name="Ada"), counted.parley.user("grace", name="Grace")
    conversation = await ada.start(grace)
    payloads = await heard(counted, OWN, [ada, ada, grace, grace], conversation)
    titles = [payload["data"]["conversationEvents"]["conversation"]["displayTitle"] for payload in payloads]
    assert titles == ["Grace", "Grace", "Ada", "Ada"]
    assert counted.counters.executions == 2


async def test_different_variables_are_different_answers(counted: Counted) -> None:
    """The cursor makes no difference; any other variable does."""
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    query = PLAIN.replace("$after: String)", "$after: String, $with: Boolean!)").replace(
        "body", "body @include(if: $with)"
    )
    async with ada.socket() as one, ada.socket() as two:
        await one.subscribe(query, **{"id": conversation, "with": True})
        await two.subscribe(query, **{"id": conversation, "with": False})
        await all_live(counted, 2)
        await grace.send(conversation, "hello")
        first, second = await next_of(one), await next_of(two)
    assert "body" in first["payload"]["data"]["conversationEvents"]["message"]
    assert "body" not in second["payload"]["data"]["conversationEvents"]["message"]


async def test_every_field_that_is_not_marked_can_be_shared(counted: Counted) -> None:
    """All of them at once, resolved in nobody's name: no error, and the same for two viewers.

    A field that depends on the viewer and is not marked fails here: see the next test.
    """
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace, title="Crew")
    await grace.send(conversation, "before")
    first, second = await heard(counted, everything(), [ada, grace], conversation)
    assert "errors" not in first
    # A cursor says how far the stream has seen the whole log, each at its own moment.
    for answer in (first, second):
        assert answer["data"]["conversationEvents"].pop("cursor")
    assert first == second
    assert counted.counters.executions == 1


async def test_a_field_that_lacks_its_mark_is_found(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mark of `displayTitle` the test above fails."""
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    query = everything(ignored=frozenset({"displayTitle"}))
    monkeypatch.setattr(visibility, "is_per_viewer", lambda name, _field: name.startswith("viewer"))
    first, _ = await heard(counted, query, [ada, grace], conversation)
    assert {error["extensions"]["code"] for error in first["errors"]} == {"INTERNAL"}


async def test_events_that_come_together_are_written_as_one(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One writing to each socket, with every event's own cursor: after any of them it goes on with the next."""
    written: list[bytes] = []
    push = WebSocketProtocol.push

    def noted(protocol: WebSocketProtocol, frames: bytes) -> bool:
        written.append(frames)
        return push(protocol, frames)

    monkeypatch.setattr(WebSocketProtocol, "push", noted)
    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    async with ada.socket() as one, grace.socket() as other:
        ids = ["1", "a longer one"]
        for socket, id_ in zip([one, other], ids, strict=True):
            payload = {"query": PLAIN, "variables": {"id": conversation}}
            await socket.send(type="subscribe", id=id_, payload=payload)
        await all_live(counted, 2)
        written.clear()
        await append(counted.parley.database_url, 3)
        told = [[await next_of(socket) for _ in range(3)] for socket in (one, other)]
    assert [[message["id"] for message in each] for each in told] == [[id_] * 3 for id_ in ids]
    first, second = ([message["payload"]["data"]["conversationEvents"] for message in each] for each in told)
    assert first == second
    assert [event["message"]["seq"] for event in first] == [1, 2, 3]
    assert [frames.count(b'"type":"next"') for frames in written] == [3, 3]
    for seq, event in enumerate(first, 1):
        async with ada.socket() as socket:
            operation = await socket.subscribe(PLAIN, id=conversation, after=event["cursor"])
            await ada.send(conversation, "and on")
            assert (await socket.next(operation))["conversationEvents"]["message"]["seq"] == seq + 1


async def append(database_url: str, count: int) -> None:
    """Messages of one transaction, of which nobody is told: the next look finds them together."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """
        WITH c AS (
            UPDATE parley.conversations SET last_seq = last_seq + $1, revision = revision + $1
            RETURNING id, last_seq - $1 AS seq, revision - $1 AS revision),
        m AS (
            INSERT INTO parley.messages (conversation_id, seq, sender_id, body, created_at)
            SELECT c.id, c.seq + n, u.id, 'together', now()
            FROM c, generate_series(1, $1) n, parley.users u WHERE u.handle = 'ada')
        INSERT INTO parley.events (conversation_id, revision, kind, at, seq)
        SELECT c.id, c.revision + n, 'MessageSent', now(), c.seq + n FROM c, generate_series(1, $1) n
        """,
        count,
    )
    await connection.close()


async def test_a_fault_ends_the_stream_in_words(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an answer cannot even be made, every subscription gets `error` with INTERNAL, and the socket lives on."""

    def broken(*_: object) -> None:
        raise RuntimeError("cannot be encoded")

    ada, grace = counted.parley.user("ada"), counted.parley.user("grace")
    conversation = await ada.start(grace)
    async with ada.socket() as socket:
        operation = await socket.subscribe(PLAIN, id=conversation)
        await all_live(counted, 1)
        monkeypatch.setattr("schema.fanout.Answer", broken)
        await grace.send(conversation, "hello")
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", operation)
        assert [error["extensions"]["code"] for error in message["payload"]] == ["INTERNAL"]
        assert await socket.next(await socket.subscribe("{ __typename }")) == {"__typename": "Query"}
