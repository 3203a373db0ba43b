"""What goes wrong: faults are masked and found in the log, and nothing that a client can send is a fault."""

import itertools
import json
import logging
from typing import Any

import httpx
import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.database import run


async def ask(client: Client, query: str, **variables: object) -> list[Json]:
    """The errors of an answer, each with a requestId of its own request."""
    response = await client.http.post(
        "/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    errors: list[Json] = response.json()["errors"]
    assert {error["extensions"]["requestId"] for error in errors} == {response.headers["x-request-id"]}
    return errors


def codes(errors: list[Json]) -> set[str]:
    return {error["extensions"]["code"] for error in errors}


async def test_a_fault_is_masked_and_found_in_the_log(
    parley: Parley, ada: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets code, path and requestId and nothing of the cause; the log has the cause under the requestId."""
    await ada.id()
    await run(parley.database_url, "ALTER VIEW parley.inbox RENAME COLUMN title TO caption")
    with caplog.at_level(logging.ERROR):
        (error,) = await ask(ada, "{ viewer { user { handle } } conversations { totalCount nodes { title } } }")
    assert error == {
        "message": "Something went wrong on our side. The requestId finds it in the server's log.",
        "locations": [{"line": 1, "column": 30}],
        "path": ["conversations"],
        "extensions": {"code": "INTERNAL", "requestId": error["extensions"]["requestId"]},
    }
    (line,) = [record.msg for record in caplog.records if record.levelno >= logging.ERROR]
    assert isinstance(line, dict)
    assert (line["request_id"], line["path"]) == (error["extensions"]["requestId"], ["conversations"])
    assert "title does not exist" in str(line["exc_info"])


async def test_a_fault_on_a_socket_is_masked_too(
    parley: Parley, ada: Client, grace: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """In its operation alone, with a requestId that is in the log; the socket lives on."""
    await ada.start(grace)
    await run(parley.database_url, "ALTER VIEW parley.inbox RENAME COLUMN title TO caption")
    async with ada.socket() as socket:
        with caplog.at_level(logging.ERROR):
            await socket.subscribe("{ conversations { nodes { title } } }")
            message = await socket.receive()
        (error,) = message["payload"]["errors"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert "title" not in error["message"]
        assert await socket.receive() == {"type": "complete", "id": "1"}
        operation = await socket.subscribe("{ __typename }")
        assert await socket.next(operation) == {"__typename": "Query"}
    lines = [record.msg for record in caplog.records if record.levelno >= logging.ERROR]
    assert [line["request_id"] for line in lines if isinstance(line, dict) and "request_id" in line] == [
        error["extensions"]["requestId"]
    ]


async def test_a_fault_leaves_the_next_request_alone(parley: Parley, ada: Client) -> None:
    """The connection that failed is as good as new."""
    await ada.id()
    await run(parley.database_url, "ALTER VIEW parley.inbox RENAME COLUMN title TO caption")
    assert codes(await ask(ada, "{ conversations { nodes { title } } }")) == {"INTERNAL"}
    await run(parley.database_url, "ALTER VIEW parley.inbox RENAME COLUMN caption TO title")
    assert await ada.run("{ conversations { nodes { title } } }") == {"conversations": {"nodes": []}}


BODIES: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "number": b"1",
    "text": b'"{ __typename }"',
    "list": b'[{"query": "{ __typename }"}]',
    "not JSON": b"{ __typename }",
    "cut off": b'{"query": "{ __type',
    "not UTF-8": b'{"query": "\xff\xfe"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "long number": b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
    "NaN": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "no query": b"{}",
    "query null": b'{"query": null}',
    "query empty": b'{"query": ""}',
    "query number": b'{"query": 1}',
    "query list": b'{"query": ["{ __typename }"]}',
    "variables list": b'{"query": "{ __typename }", "variables": []}',
    "variables text": b'{"query": "{ __typename }", "variables": "{}"}',
    "extensions number": b'{"query": "{ __typename }", "extensions": 1}',
    "name number": b'{"query": "{ __typename }", "operationName": 1}',
    "unknown name": b'{"query": "query A { __typename }", "operationName": "B"}',
    "no name of two": b'{"query": "query A { __typename } query B { __typename }"}',
    "lone surrogate": b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    "lone surrogate as bytes": b'{"query": "{ __typename }", "variables": {"a": "\xed\xa0\x80"}}',
    "subscription": b'{"query": "subscription { conversationEvents(conversationId: \\"x\\") { cursor } }"}',
}


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_malformed_body(parley: Parley, ada: Client, body: bytes) -> None:
    """400 and one error BAD_USER_INPUT with a requestId, as JSON."""
    response = await parley.http.post(
        "/graphql",
        content=body,
        headers={"Authorization": f"Bearer {ada.token}", "Content-Type": "application/json"},
    )
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]) == (
        httpx.codes.BAD_REQUEST,
        {"code": "BAD_USER_INPUT", "requestId": response.headers["x-request-id"]},
    )
    assert error["message"]


@pytest.mark.usefixtures("common_server")
async def test_another_content_type(parley: Parley) -> None:
    """A form or plain text, which a page of any origin may post, is 400."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        response = await parley.http.post(
            "/graphql", content=b'{"query": "{ __typename }"}', headers={"Content-Type": kind}
        )
        assert (response.status_code, codes(response.json()["errors"])) == (400, {"BAD_USER_INPUT"})


@pytest.mark.usefixtures("common_server")
async def test_no_answer_is_kept_for_another_origin(parley: Parley) -> None:
    """Whether it is written at once, refused, or told to a page of an origin that may call."""
    for content, origin in (("{ __typename }", None), (7, None), ("{ __typename }", "http://localhost:3000")):
        response = await parley.http.post(
            "/graphql", json={"query": content}, headers={"Origin": origin} if origin else None
        )
        assert response.headers.get_list("vary") == ["Origin"]
        assert response.headers.get_list("content-type") == ["application/json"]


@pytest.mark.usefixtures("common_server")
async def test_a_body_too_large(parley: Parley) -> None:
    """413, also where its length is not told beforehand."""

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    for content in (b" " * 1_100_000, chunks()):
        response = await parley.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
        assert (response.status_code, codes(response.json()["errors"])) == (413, {"BAD_USER_INPUT"})


@pytest.mark.usefixtures("common_server")
async def test_deep_variables_are_no_trouble(parley: Parley) -> None:
    """Nested as deep as JSON may be here: not used, they change nothing."""
    content = b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}"
    response = await parley.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize("value", ["\0", "before\0after"])
@pytest.mark.parametrize(
    "query",
    [
        "query ($v: ID!) { node(id: $v) { id } }",
        "query ($v: String) { users(query: $v) { totalCount } }",
        "query ($v: String) { conversations(after: $v) { totalCount } }",
        "query ($v: String) { conversations(filter: { query: $v }) { totalCount } }",
        'query ($v: String!) { conversations(filter: { context: { type: $v, id: "1" } }) { totalCount } }',
        (
            'mutation ($v: String!) { sendMessage(input: { to: { userId: "U_AAAAAAAAAAAAAAAAAAAAAA" }, body: $v }) '
            "{ deduplicated } }"
        ),
    ],
)
async def test_nul_in_a_variable(ada: Client, query: str, value: str) -> None:
    """BAD_USER_INPUT wherever it is used: PostgreSQL could not store it."""
    assert codes(await ask(ada, query, v=value)) == {"BAD_USER_INPUT"}


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize("variables", [{"v": ["\0"]}, {"v": {"a": {"b": "\0"}}}, {"\0": 1}, {"v": {"\0": 1}}], ids=str)
async def test_nul_anywhere_in_the_variables(ada: Client, variables: Json) -> None:
    """BAD_USER_INPUT in lists, in objects, and as a key; used or not."""
    assert codes(await ask(ada, "{ __typename }", **variables)) == {"BAD_USER_INPUT"}


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize(
    "query",
    [
        r'{ users(query: "\u0000") { totalCount } }',
        r'{ users(query: "\u{0}") { totalCount } }',
        '{ users(query: """a\0b""") { totalCount } }',
        r'{ conversations(filter: { query: "a\u0000" }) { totalCount } }',
        r'query ($v: String = "\u0000") { users(query: $v) { totalCount } }',
        r'{ users(query: "\ud800") { totalCount } }',
        r'{ users(query: "\u{dfff}") { totalCount } }',
        r'{ users(query: "\udc00\ud800") { totalCount } }',
    ],
)
async def test_nul_and_lone_surrogates_in_the_document(ada: Client, query: str) -> None:
    """BAD_USER_INPUT for every way to write them."""
    assert codes(await ask(ada, query)) == {"BAD_USER_INPUT"}


@pytest.mark.usefixtures("common_server")
async def test_a_surrogate_pair_is_one_character(ada: Client, grace: Client) -> None:
    """Written as two escapes, in JSON or in GraphQL, it is stored as what it means."""
    conversation = await ada.start(grace)
    document = rf'mutation {{ sendMessage(input: {{ to: {{ conversationId: "{conversation}" }}, body: "\ud83d\ude00" }}) {{ message {{ body }} }} }}'
    assert await ada.run(document) == {"sendMessage": {"message": {"body": "😀"}}}


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("query ($id: ID!) { node(id: $id) { id } }", ["node"]),
        ("query ($id: ID!) { nodes(ids: [$id]) { id } }", ["nodes"]),
        ("query ($id: ID!) { conversation(id: $id) { id } }", ["conversation"]),
        ("query ($id: ID!) { conversations(filter: { withUserId: $id }) { totalCount } }", ["conversations"]),
        ("mutation ($id: ID!) { startConversation(input: { participantIds: [$id] }) { wasCreated } }", ["startConversation"]),
        (
            'mutation ($id: ID!) { sendMessage(input: { to: { conversationId: $id }, body: "x" }) { deduplicated } }',
            ["sendMessage"],
        ),
        ('mutation ($id: ID!) { sendMessage(input: { to: { userId: $id }, body: "x" }) { deduplicated } }', ["sendMessage"]),
        (
            ('mutation ($id: ID!) { sendMessage(input: { to: { userId: "U_AAAAAAAAAAAAAAAAAAAAAA" }, body: "x", replyToId: $id }) '
            "{ deduplicated } }"),
            ["sendMessage"],
        ),
        ("mutation ($id: ID!) { markRead(input: { conversationId: $id }) { errors { __typename } } }", ["markRead"]),
        (
            "mutation ($id: ID!) { markDelivered(input: { conversationId: $id }) { errors { __typename } } }",
            ["markDelivered"],
        ),
    ],
)  # fmt: skip
async def test_malformed_ids(ada: Client, query: str, path: list[str]) -> None:
    """Whatever is no id of this server is BAD_USER_INPUT at the field, and says what was given."""
    for id_ in (
        "",
        "42",
        "U_",
        "C_x",
        "X_AAAAAAAAAAAAAAAAAAAAAA",
        "C_AAAAAAAAAAAAAAAAAAAAAB",
        "ü",
        "' OR 1=1",
        "C_" + "A" * 9000,
    ):
        (error,) = await ask(ada, query, id=id_)
        assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", path)
        assert repr(id_[:60]) in error["message"]


@pytest.mark.usefixtures("common_server")
async def test_an_id_of_the_wrong_type(ada: Client, grace: Client) -> None:
    """A user's id for a conversation, a conversation's for a message and so on: the message names both types."""
    user, conversation = await ada.id(), await ada.start(grace)
    message = (await ada.send(conversation, "hello"))["message"]["id"]
    conversation_of = "query ($id: ID!) { conversation(id: $id) { id } }"
    reply = (
        'mutation ($c: ID!, $id: ID!) { sendMessage(input: { to: { conversationId: $c }, body: "x", replyToId: $id }) '
        "{ deduplicated } }"
    )
    start = "mutation ($id: ID!) { startConversation(input: { participantIds: [$id] }) { wasCreated } }"
    told = [
        (await ask(ada, conversation_of, id=user))[0],
        (await ask(ada, conversation_of, id=message))[0],
        (await ask(ada, reply, c=conversation, id=user))[0],
        (await ask(ada, start, id=conversation))[0],
    ]
    assert codes(told) == {"BAD_USER_INPUT"}
    assert [error["message"].partition("is ")[2] for error in told] == [
        "the id of a User; that of a Conversation is needed",
        "the id of a Message; that of a Conversation is needed",
        "the id of a User; that of a Message is needed",
        "the id of a Conversation; that of a User is needed",
    ]


@pytest.mark.usefixtures("common_server")
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($n: Int) { users(first: $n) { totalCount } }", {"n": 2**31}),
        ("query ($n: Int) { users(first: $n) { totalCount } }", {"n": 1.5}),
        ("query ($n: Int) { users(first: $n) { totalCount } }", {"n": "1"}),
        ("query ($n: Int!) { users(first: $n) { totalCount } }", {}),
        ("query ($n: Int!) { users(first: $n) { totalCount } }", {"n": None}),
        ("query ($k: ConversationKind) { conversations(filter: { kind: $k }) { totalCount } }", {"k": "CHANNEL"}),
        ("query ($f: ConversationFilter) { conversations(filter: $f) { totalCount } }", {"f": {"unknown": 1}}),
        ("query ($f: ConversationFilter) { conversations(filter: $f) { totalCount } }", {"f": []}),
        ("{ users(first: 99999999999) { totalCount } }", {}),
        ("{ nothing }", {}),
        ("{ viewer }", {}),
        ("{ viewer { user { id } } } fragment Unused on User { id }", {}),
        ("{ ...Loop } fragment Loop on Query { ...Loop }", {}),
        ("{ viewer { ...Missing } }", {}),
        ("query A { __typename } query A { __typename }", {}),
        ("type Query { a: Int }", {}),
    ],
    ids=str,
)
async def test_a_request_that_does_not_fit_the_schema(ada: Client, query: str, variables: Json) -> None:
    """BAD_USER_INPUT, and no data."""
    answer = await ada.post(query, **variables)
    assert (answer.get("data"), codes(answer["errors"])) == (None, {"BAD_USER_INPUT"})


@pytest.mark.usefixtures("common_server")
async def test_get_reads_and_never_writes(parley: Parley, ada: Client) -> None:
    """A query may be a GET; a mutation or a subscription is 400; any other method 405."""
    headers = {"Authorization": f"Bearer {ada.token}"}
    query = {
        "query": "query ($n: Int) { users(first: $n) { nodes { __typename } } }",
        "variables": json.dumps({"n": 1}),
    }
    read = await parley.http.get("/graphql", params=query, headers=headers)
    assert read.json() == {"data": {"users": {"nodes": [{"__typename": "User"}]}}}
    for document in (
        "mutation { markAllRead { conversationCount } }",
        'subscription { conversationEvents(conversationId: "x") { cursor } }',
    ):
        refused = await parley.http.get("/graphql", params={"query": document}, headers=headers)
        assert (refused.status_code, codes(refused.json()["errors"])) == (400, {"BAD_USER_INPUT"})
    assert (await parley.http.put("/graphql", headers=headers)).status_code == httpx.codes.METHOD_NOT_ALLOWED


@pytest.mark.usefixtures("common_server")
async def test_odd_addresses_of_get(parley: Parley, ada: Client) -> None:
    """Variables that are no JSON object, or no query at all: a clear error, not a fault."""
    headers = {"Authorization": f"Bearer {ada.token}"}
    for variables, extensions in itertools.product(("{", "1", "[]", "{}"), ("{", "1", "{}")):
        params = {"query": "{ __typename }", "variables": variables, "extensions": extensions}
        response = await parley.http.get("/graphql", params=params, headers=headers)
        expected = httpx.codes.OK if (variables, extensions) == ("{}", "{}") else httpx.codes.BAD_REQUEST
        assert response.status_code == expected
    assert (await parley.http.get("/graphql", headers=headers)).status_code == httpx.codes.NOT_FOUND


@pytest.mark.usefixtures("common_server")
async def test_the_address_of_the_api_in_a_browser(parley: Parley) -> None:
    """Who opens it looks for GraphiQL, and is told where that is."""
    for accepted in ("text/html,application/xhtml+xml", "*/*"):
        response = await parley.http.get("/graphql", headers={"Accept": accepted})
        (error,) = response.json()["errors"]
        assert (response.status_code, error["extensions"]["code"]) == (httpx.codes.NOT_FOUND, "BAD_USER_INPUT")
        assert "GraphiQL page is at /" in error["message"]
