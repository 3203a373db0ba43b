"""Websockets: graphql-transport-ws to the letter, and whatever else is sent closes with a code and never abnormally.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from tests.flow.client import PATIENCE, Client, Json, Parley, Socket, signed
from tests.flow.editing import cursor

pytestmark = pytest.mark.usefixtures("common_server")

PROTOCOL = "graphql-transport-ws"
FOLLOW = """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
    ... on MessageSent { message { body } } } }"""


@asynccontextmanager
async def connected(parley: Parley, *protocols: str) -> AsyncIterator[ClientConnection]:
    """A websocket that has said nothing yet."""
    url = parley.url.replace("http", "ws") + "/graphql"
    offered = [Subprotocol(protocol) for protocol in protocols] or None
    async with websockets.connect(url, subprotocols=offered, compression=None) as raw:
        yield raw


async def closing(raw: ClientConnection) -> tuple[int | None, str | None]:
    """Code and reason with which the server closes, whatever it sends before."""
    async with asyncio.timeout(PATIENCE):
        await raw.wait_closed()
    return raw.close_code, raw.close_reason


async def answer(raw: ClientConnection, **message: object) -> Json:
    await raw.send(json.dumps(message))
    return await Socket(raw).receive()


@pytest.mark.parametrize("protocols", [["graphql-ws"], ["something"], []], ids=["legacy", "unknown", "none"])
async def test_other_protocols_are_refused(parley: Parley, protocols: list[str]) -> None:
    """4406, also for the legacy one of subscriptions-transport-ws."""
    async with connected(parley, *protocols) as raw:
        assert await closing(raw) == (4406, "Subprotocol not acceptable")


async def test_the_protocol_is_picked_from_what_is_offered(parley: Parley) -> None:
    """A client that knows the legacy one too gets the one that is spoken here."""
    async with connected(parley, "graphql-ws", PROTOCOL) as raw:
        assert raw.subprotocol == PROTOCOL


@pytest.mark.parametrize("name", ["Authorization", "authorization", "token", "token with Bearer"])
async def test_a_token_under_each_of_its_names(parley: Parley, ada: Client, name: str) -> None:
    """As client libraries, proxies and people write it; the viewer is who it speaks of."""
    token = ada.token if name == "token" else f"Bearer {ada.token}"
    async with connected(parley, PROTOCOL) as raw:
        payload = {name.split(maxsplit=1)[0]: token}
        assert await answer(raw, type="connection_init", payload=payload) == {"type": "connection_ack"}
        query = {"query": "{ viewer { user { handle } } }"}
        assert await answer(raw, type="subscribe", id="1", payload=query) == {
            "type": "next",
            "id": "1",
            "payload": {"data": {"viewer": {"user": {"handle": ada.handle}}}},
        }


@pytest.mark.parametrize("payload", [{"payload": None}, {}, {"payload": {}}], ids=["null", "none", "empty"])
async def test_without_a_token_it_closes(parley: Parley, payload: Json) -> None:
    """Each is a legal message, and says nothing of who is asking: 4401 with what to do."""
    async with connected(parley, PROTOCOL) as raw:
        await raw.send(json.dumps({"type": "connection_init", **payload}))
        code, reason = await closing(raw)
    assert code == 4401
    assert "Authorization" in str(reason)


async def test_a_bad_token_closes(parley: Parley) -> None:
    """4401, which clients take for final, with the reason."""
    async with connected(parley, PROTOCOL) as raw:
        await raw.send(json.dumps({"type": "connection_init", "payload": {"token": "garbage"}}))
        code, reason = await closing(raw)
    assert code == 4401
    assert reason


async def test_an_expired_token_closes_for_another_try(parley: Parley) -> None:
    """4403: clients connect again, with a fresh token."""
    token = signed({"sub": "ada", "exp": 1_700_000_000})
    async with connected(parley, PROTOCOL) as raw:
        await raw.send(json.dumps({"type": "connection_init", "payload": {"token": token}}))
        code, reason = await closing(raw)
    assert code == 4403
    assert "expired" in str(reason)


async def test_a_token_that_expires_meanwhile_closes(parley: Parley) -> None:
    """4403 at the moment it expires, under whatever is going on."""
    client = parley.user("ada", lifetime=timedelta(seconds=2))
    async with client.socket() as socket:
        assert await closing(socket.raw) == (4403, "the token expired; connect again with a fresh one")


async def test_a_socket_that_says_nothing_is_closed(parley: Parley) -> None:
    """4408 after five seconds without connection_init."""
    begun = asyncio.get_running_loop().time()
    async with connected(parley, PROTOCOL) as raw:
        code, _ = await closing(raw)
    assert code == 4408
    assert 4 < asyncio.get_running_loop().time() - begun < PATIENCE


async def test_an_operation_before_the_init_closes(parley: Parley) -> None:
    """4401 Unauthorized."""
    async with connected(parley, PROTOCOL) as raw:
        await raw.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}))
        assert await closing(raw) == (4401, "Unauthorized")


async def test_a_second_init_closes(ada: Client) -> None:
    """4429 Too many initialisation requests."""
    async with ada.socket() as socket:
        await socket.send(type="connection_init", payload={"token": ada.token})
        assert await closing(socket.raw) == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("id_", ["1", "i" * 500], ids=["short", "long"])
async def test_an_id_in_use_closes(ada: Client, grace: Client, id_: str) -> None:
    """4409 Subscriber already exists, however long the id is."""
    conversation = await ada.start(grace)
    async with ada.socket() as socket:
        for _ in range(2):
            await socket.send(type="subscribe", id=id_, payload={"query": FOLLOW, "variables": {"id": conversation}})
        code, reason = await closing(socket.raw)
    assert code == 4409
    assert str(reason).startswith(f"Subscriber for {id_}"[:100])


async def test_an_id_may_be_used_again(ada: Client) -> None:
    """Once its operation is complete."""
    async with ada.socket() as socket:
        for _ in range(2):
            await socket.send(type="subscribe", id="1", payload={"query": "{ __typename }"})
            assert await socket.next("1") == {"__typename": "Query"}
            assert await socket.receive() == {"type": "complete", "id": "1"}


async def test_pings_are_answered(parley: Parley, ada: Client) -> None:
    """Before and after the init, with a payload, with null or without."""
    async with connected(parley, PROTOCOL) as raw:
        assert await answer(raw, type="ping") == {"type": "pong"}
        assert await answer(raw, type="connection_init", payload={"token": ada.token}) == {"type": "connection_ack"}
        assert await answer(raw, type="ping", payload={"at": 1}) == {"type": "pong"}
        assert await answer(raw, type="ping", payload=None) == {"type": "pong"}
        await raw.send(json.dumps({"type": "pong"}))
        assert await answer(raw, type="ping") == {"type": "pong"}


async def test_queries_and_mutations_over_the_socket(ada: Client, grace: Client) -> None:
    """Each answers once and completes, and later ones see what earlier ones did."""
    conversation = await ada.start(grace)
    send = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { seq body } } }"
    count = "query ($id: ID!) { conversation(id: $id) { messageCount lastMessage { body } } }"
    async with ada.socket() as socket:
        for number in (1, 2):
            operation = await socket.subscribe(
                send, input={"to": {"conversationId": conversation}, "body": str(number)}
            )
            assert await socket.next(operation) == {"sendMessage": {"message": {"seq": number, "body": str(number)}}}
            assert await socket.receive() == {"type": "complete", "id": operation}
            operation = await socket.subscribe(count, id=conversation)
            expected = {"messageCount": number, "lastMessage": {"body": str(number)}}
            assert await socket.next(operation) == {"conversation": expected}
            assert await socket.receive() == {"type": "complete", "id": operation}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{ viewer {"}, "BAD_USER_INPUT"),
        ({"query": ""}, "BAD_USER_INPUT"),
        ({"query": "{ nothing }"}, "BAD_USER_INPUT"),
        ({"query": "query A { __typename }", "operationName": "B"}, "BAD_USER_INPUT"),
        ({"query": "query A { __typename } query B { __typename }"}, "BAD_USER_INPUT"),
        ({"query": "{ __typename }", "variables": {"a": "\0"}}, "BAD_USER_INPUT"),
        ({"query": '{ node(id: "\\u0000") { id } }'}, "BAD_USER_INPUT"),
        ({"query": "{ a" * 30 + " }" * 30}, "QUERY_TOO_COMPLEX"),
        ({"query": "{" + " __typename" * 5000 + "}"}, "QUERY_TOO_COMPLEX"),
        ({"query": 'subscription { conversationEvents(conversationId: "x") { cursor } }'}, "BAD_USER_INPUT"),
        (
            {"query": 'subscription { conversationEvents(conversationId: "C_AAAAAAAAAAAAAAAAAAAAAA") { cursor } }'},
            "NOT_FOUND",
        ),
    ],
    ids=[
        "syntax", "empty", "unknown field", "unknown operation", "no name of two", "NUL in variables", "NUL in text",
        "too deep", "too long", "malformed id", "not found",
    ],
)  # fmt: skip
async def test_a_bad_operation_is_its_own_end(ada: Client, grace: Client, payload: Json, code: str) -> None:
    """It answers `error` with a code and a requestId; its neighbours and the socket live on."""
    conversation = await ada.start(grace)
    async with ada.socket() as socket:
        # After a cursor: what is sent before it listens is told as well.
        neighbour = await socket.subscribe(FOLLOW, id=conversation, after=await cursor(ada, conversation))
        await socket.send(type="subscribe", id="bad", payload=payload)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "bad")
        assert code in {error["extensions"]["code"] for error in message["payload"]}
        assert all(error["extensions"]["requestId"] for error in message["payload"])
        await grace.send(conversation, "still here")
        data = await socket.next(neighbour)
        assert data == {"conversationEvents": {"message": {"body": "still here"}}}


async def test_a_variable_that_is_missing_is_an_answer(ada: Client) -> None:
    """Found when the operation is run, so it is `next` without data, then `complete`."""
    async with ada.socket() as socket:
        operation = await socket.subscribe("query ($id: ID!) { node(id: $id) { id } }")
        message = await socket.receive()
        assert (message["type"], message["payload"]["data"]) == ("next", None)
        assert [error["extensions"]["code"] for error in message["payload"]["errors"]] == ["BAD_USER_INPUT"]
        assert await socket.receive() == {"type": "complete", "id": operation}


async def test_a_field_that_fails_is_told_beside_the_data(ada: Client) -> None:
    """`next` with data and errors, then `complete`."""
    async with ada.socket() as socket:
        operation = await socket.subscribe('{ viewer { unreadCount } node(id: "x") { id } }')
        message = await socket.receive()
        assert (message["type"], message["payload"]["data"]) == ("next", {"viewer": {"unreadCount": 0}, "node": None})
        assert [error["path"] for error in message["payload"]["errors"]] == [["node"]]
        assert await socket.receive() == {"type": "complete", "id": operation}


async def test_a_completed_operation_is_over(ada: Client, grace: Client) -> None:
    """After `complete` of the client nothing of it arrives; completing what there is not is no error."""
    conversation = await ada.start(grace)
    async with ada.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation, after=await cursor(ada, conversation))
        await socket.send(type="complete", id=operation)
        await socket.send(type="complete", id="never begun")
        await grace.send(conversation, "unheard")
        following = await socket.subscribe("{ __typename }")
        assert await socket.next(following) == {"__typename": "Query"}


async def test_a_hundred_operations_and_no_more(ada: Client, grace: Client) -> None:
    """The 101st at once is answered with `error`; the others run on."""
    conversation = await ada.start(grace)
    async with ada.socket() as socket:
        for _ in range(100):
            await socket.subscribe(FOLLOW, id=conversation)
        operation = await socket.subscribe("{ __typename }")
        message = await socket.receive()
        (error,) = message["payload"]
        assert (message["type"], message["id"]) == ("error", operation)
        assert error["message"] == "100 operations are under way on this socket; end one first"
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


ODD: dict[str, str | bytes] = {
    "not JSON": "{",
    "empty": "",
    "null": "null",
    "number": "1",
    "text": '"ping"',
    "list": "[]",
    "no type": "{}",
    "type null": '{"type": null}',
    "type list": '{"type": ["ping"]}',
    "unknown type": '{"type": "unknown"}',
    "long unknown type": json.dumps({"type": "ü" * 500}),
    "legacy start": '{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}',
    "ping payload": '{"type": "ping", "payload": 1}',
    "init payload": '{"type": "connection_init", "payload": []}',
    "no id": '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
    "id number": '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
    "id empty": '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
    "id list": '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
    "id object": '{"type": "complete", "id": {}}',
    "no payload": '{"type": "subscribe", "id": "1"}',
    "payload text": '{"type": "subscribe", "id": "1", "payload": "{ __typename }"}',
    "no query": '{"type": "subscribe", "id": "1", "payload": {}}',
    "query number": '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
    "variables list": '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
    "name number": '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 1}}',
    "deep": "[" * 50_000,
    "long number": '{"type": "ping", "payload": {"a": ' + "9" * 5_000 + "}}",
    "surrogate": '{"type": "\\ud800"}',
    "binary": b'{"type": "ping"}',
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
async def test_odd_messages_close_with_4400(parley: Parley, ada: Client, sent: str | bytes) -> None:
    """4400 and a reason, before and after the init; never abnormally."""
    async with connected(parley, PROTOCOL) as raw:
        await raw.send(sent)
        early = await closing(raw)
    async with ada.socket() as socket:
        await socket.raw.send(sent)
        late = await closing(socket.raw)
    for code, reason in (early, late):
        assert code == 4400
        assert reason


async def test_deep_variables_are_no_trouble(ada: Client) -> None:
    """Nested as deep as JSON may be here: they are not used, and so the answer is as without."""
    deep: Any = None
    for _ in range(900):
        deep = [deep]
    async with ada.socket() as socket:
        operation = await socket.subscribe("{ __typename }", deep=deep)
        assert await socket.next(operation) == {"__typename": "Query"}


async def test_a_message_too_large_closes(ada: Client) -> None:
    """1009, as the websocket protocol has it."""
    async with ada.socket() as socket:
        with suppress(websockets.ConnectionClosed):  # it may be closed before all of it is sent
            await socket.raw.send("x" * 2_000_000)
        assert (await closing(socket.raw))[0] == 1009


async def test_pages_of_other_origins_may_not_connect(parley: Parley) -> None:
    """A browser names the page's origin in the handshake, which is refused with 403."""
    url, origin = parley.url.replace("http", "ws") + "/graphql", websockets.Origin("https://evil.example")
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(url, subprotocols=[Subprotocol(PROTOCOL)], origin=origin)
    assert refusal.value.response.status_code == 403
