"""Who is asking: told by the token and by nothing else, and nobody sees what is not theirs."""

import base64
import json

import httpx
import pytest

from tests.flow.client import SECRET, Client, Json, Parley, signed
from tests.flow.database import rows

pytestmark = pytest.mark.usefixtures("common_server")


async def ask(parley: Parley, query: str, **headers: str) -> httpx.Response:
    return await parley.http.post("/graphql", json={"query": query}, headers=headers)


def codes(answer: Json) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


async def test_without_a_token_the_schema_can_be_read(parley: Parley) -> None:
    """Introspection and __typename need nobody: GraphiQL shows the documentation before anyone has signed in."""
    response = await ask(parley, '{ __typename __schema { queryType { name } } __type(name: "User") { name } }')
    assert (response.status_code, response.json()) == (
        httpx.codes.OK,
        {"data": {"__typename": "Query", "__schema": {"queryType": {"name": "Query"}}, "__type": {"name": "User"}}},
    )


@pytest.mark.parametrize(
    "query",
    [
        "{ viewer { user { id } } }",
        '{ node(id: "U_AAAAAAAAAAAAAAAAAAAAAA") { id } }',
        '{ node(id: "C_AAAAAAAAAAAAAAAAAAAAAA") { id } }',
        '{ node(id: "M_AAAAAAAAAAAAAAAAAAAAAAAAAAA") { id } }',
        '{ nodes(ids: ["U_AAAAAAAAAAAAAAAAAAAAAA"]) { id } }',
        '{ conversation(id: "C_AAAAAAAAAAAAAAAAAAAAAA") { id } }',
        "{ conversations { totalCount } }",
        "{ users { totalCount } }",
        '{ users(query: "a") { totalCount } }',
        '{ searchMessages(query: "a") { nodes { id } } }',
        '{ statistics(since: "2026-01-01T00:00:00Z") { since } }',
        "mutation { updateProfile(input: {}) { errors { __typename } } }",
        'mutation { startConversation(input: { participantIds: ["U_AAAAAAAAAAAAAAAAAAAAAA"] }) { wasCreated } }',
        'mutation { sendMessage(input: { to: { userId: "U_AAAAAAAAAAAAAAAAAAAAAA" }, body: "x" }) { deduplicated } }',
        'mutation { markRead(input: { conversationId: "C_AAAAAAAAAAAAAAAAAAAAAA" }) { errors { __typename } } }',
        'mutation { markDelivered(input: { conversationId: "C_AAAAAAAAAAAAAAAAAAAAAA" }) { errors { __typename } } }',
        "mutation { markAllRead { conversationCount } }",
    ],
)
async def test_without_a_token_nothing_else_is_answered(parley: Parley, query: str) -> None:
    """Every other field is UNAUTHENTICATED, with its path."""
    answer = (await ask(parley, query)).json()
    assert (codes(answer), answer["data"]) in ((["UNAUTHENTICATED"], None), (["UNAUTHENTICATED"], answer["data"]))
    assert not any((answer["data"] or {}).values())


async def test_without_a_token_no_subscription_is_answered(parley: Parley) -> None:
    """As server-sent events too: one error, and the end of the stream."""
    query = 'subscription { conversationEvents(conversationId: "C_AAAAAAAAAAAAAAAAAAAAAA") { cursor } }'
    response = await ask(parley, query, accept="text/event-stream")
    (event,) = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    assert codes(event) == ["UNAUTHENTICATED"]


def _unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, {"sub": "ada", "exp": 4_000_000_000}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


BAD = {
    "garbage": "Bearer garbage",
    "empty": "Bearer",
    "no scheme": signed({"sub": "ada", "exp": 4_000_000_000}),
    "basic": "Basic YWRhOnNlY3JldA==",
    "unsigned": f"Bearer {_unsigned()}",
    "other secret": f"Bearer {signed({'sub': 'ada', 'exp': 4_000_000_000}, 'another secret that is long enough')}",
    "other algorithm": f"Bearer {signed({'sub': 'ada', 'exp': 4_000_000_000}, SECRET * 2, algorithm='HS512')}",
    "expired": f"Bearer {signed({'sub': 'ada', 'exp': 1_700_000_000})}",
    "for others": f"Bearer {signed({'sub': 'ada', 'aud': 'another service', 'exp': 4_000_000_000})}",
    "never expires": f"Bearer {signed({'sub': 'ada'})}",
    "of nobody": f"Bearer {signed({'exp': 4_000_000_000})}",
    "of a blank": f"Bearer {signed({'sub': ' ', 'exp': 4_000_000_000})}",
    "with NUL": f"Bearer {signed({'sub': chr(0), 'exp': 4_000_000_000})}",
    "not yet valid": f"Bearer {signed({'sub': 'ada', 'nbf': 3_900_000_000, 'exp': 4_000_000_000})}",
}


@pytest.mark.parametrize("header", BAD.values(), ids=BAD)
async def test_a_bad_token_is_refused(parley: Parley, header: str) -> None:
    """401 with the reason, whatever is asked: also what would be answered without a token."""
    response = await ask(parley, "{ __typename }", authorization=header)
    answer = response.json()
    assert (response.status_code, codes(answer)) == (httpx.codes.UNAUTHORIZED, ["UNAUTHENTICATED"])
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert answer["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]
    assert header == "Bearer" or header.rsplit(maxsplit=1)[-1] not in response.text


async def test_an_altered_token_is_refused(parley: Parley, ada: Client) -> None:
    """One claim changed, the signature kept."""
    head, payload, signature = ada.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["sub"] = "grace"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    response = await ask(parley, "{ __typename }", authorization=f"Bearer {head}.{forged}.{signature}")
    assert response.status_code == httpx.codes.UNAUTHORIZED


async def test_the_scheme_is_written_in_any_case(parley: Parley, ada: Client) -> None:
    """RFC 7235: bearer is as good as Bearer."""
    response = await ask(parley, "{ viewer { user { handle } } }", authorization=f"bearer {ada.token}")
    assert response.json() == {"data": {"viewer": {"user": {"handle": ada.handle}}}}


async def test_a_token_in_the_address_is_none(parley: Parley, ada: Client) -> None:
    """Addresses end up in logs: a token is not looked for there."""
    response = await parley.http.get(
        "/graphql", params={"query": "{ viewer { user { id } } }", "token": ada.token, "access_token": ada.token}
    )
    assert codes(response.json()) == ["UNAUTHENTICATED"]


async def test_the_profile_is_kept_fresh(parley: Parley, grace: Client) -> None:
    """The newest token's name, picture and roles are shown, to others too, and a token without them leaves them."""
    stages: list[Json] = [
        {},
        {"name": "Ada"},
        {"name": "Ada Lovelace", "picture": "https://example.com/ada.png"},
        {},
        {"picture": "https://example.com/new.png"},
    ]
    seen = []
    for claims in stages:
        id_ = await parley.user("ada", **claims).id()
        data = await grace.run("query ($id: ID!) { node(id: $id) { ... on User { name avatarUrl } } }", id=id_)
        seen.append((data["node"]["name"], data["node"]["avatarUrl"]))
    assert seen == [
        (f"ada{parley.suffix}", None),
        ("Ada", None),
        ("Ada Lovelace", "https://example.com/ada.png"),
        ("Ada Lovelace", "https://example.com/ada.png"),
        ("Ada Lovelace", "https://example.com/new.png"),
    ]


async def test_a_handle_is_one_user(parley: Parley) -> None:
    """Every token with the same sub is the same user; handles differ in case."""
    ids = [await parley.user(handle, **claims).id() for handle, claims in (("a", {}), ("a", {"name": "A"}), ("A", {}))]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


async def test_roles_are_those_of_the_token(parley: Parley) -> None:
    """Stored for the operator, and gone again with the next token that has none."""
    stored = []
    for roles in ([], ["service", "moderator"], []):
        client = parley.user("ada", roles=roles)
        await client.id()
        stored += await rows(parley.database_url, "SELECT roles FROM parley.users WHERE handle = $1", client.handle)
    assert stored == [([],), (["service", "moderator"],), ([],)]


async def test_who_is_named_in_a_token_only_exists_from_then_on(parley: Parley, ada: Client) -> None:
    """Asking made the user known: nobody is registered beforehand."""
    name = f"newcomer{parley.suffix}"
    query = "query ($q: String!) { users(query: $q) { nodes { handle } } }"
    before = await ada.run(query, q=name)
    await parley.user("newcomer").id()
    after = await ada.run(query, q=name)
    assert (before["users"]["nodes"], after["users"]["nodes"]) == ([], [{"handle": name}])


@pytest.mark.parametrize("name", ["viewerId", "userId", "senderId", "sub", "handle"])
async def test_no_id_from_the_client_says_who_is_asking(ada: Client, grace: Client, name: str) -> None:
    """No input has such a field, and headers, extensions and unused variables are not looked at."""
    conversation = await ada.start(grace)
    send = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { sender { handle } } } }"
    request: Json = {"to": {"conversationId": conversation}, "body": "x"}
    refused = await ada.post(send, input={**request, name: await grace.id()})
    assert codes(refused) == ["BAD_USER_INPUT"]
    response = await ada.http.post(
        "/graphql",
        json={
            "query": send,
            "variables": {"input": request, name: await grace.id()},
            "extensions": {name: await grace.id()},
        },
        headers={"Authorization": f"Bearer {ada.token}", "x-user-id": await grace.id(), f"x-{name}": grace.handle},
    )
    assert response.json()["data"]["sendMessage"]["message"]["sender"] == {"handle": ada.handle}


class Foreign:
    """A conversation of ada and grace with one message, as linus knows it: by ids that leaked."""

    def __init__(self, conversation: str, message: str) -> None:
        self.conversation = conversation
        self.message = message


@pytest.fixture
async def foreign(ada: Client, grace: Client) -> Foreign:
    conversation = await ada.start(grace, context={"type": "order", "id": "42"})
    return Foreign(conversation, (await ada.send(conversation, "private"))["message"]["id"])


async def test_another_conversation_is_null(foreign: Foreign, linus: Client) -> None:
    """By conversation, node and nodes, and its messages too: as if they did not exist."""
    data = await linus.run(
        "query ($c: ID!, $m: ID!) { conversation(id: $c) { id } a: node(id: $c) { id } b: node(id: $m) { id } "
        "nodes(ids: [$c, $m]) { id } }",
        c=foreign.conversation,
        m=foreign.message,
    )
    assert data == {"conversation": None, "a": None, "b": None, "nodes": [None, None]}


async def test_another_conversation_is_in_no_list(foreign: Foreign, ada: Client, linus: Client) -> None:
    """Whatever the filter, and it is counted nowhere."""
    for wanted in ({}, {"withUserId": await ada.id()}, {"context": {"type": "order", "id": "42"}}, {"query": "Ada"}):
        data = await linus.run(
            "query ($f: ConversationFilter) { conversations(filter: $f) { totalCount nodes { id } } }", f=wanted
        )
        assert data["conversations"] == {"totalCount": 0, "nodes": []}
    data = await linus.run("{ viewer { unreadCount unreadConversationCount } }")
    assert data["viewer"] == {"unreadCount": 0, "unreadConversationCount": 0}


async def test_a_send_to_another_conversation_is_refused(foreign: Foreign, ada: Client, linus: Client) -> None:
    """The same NotFoundError as for one that does not exist, also as an answer to its message or with its key."""
    for conversation in (foreign.conversation, "C_" + "A" * 22):
        for more in ({}, {"clientMessageId": "k"}):
            payload = await linus.send(conversation, "hello", **more)
            assert payload == {
                "deduplicated": False,
                "message": None,
                "errors": [
                    {
                        "__typename": "NotFoundError",
                        "code": "NOT_FOUND",
                        "message": "there is no such conversation",
                        "path": ["input", "to", "conversationId"],
                    }
                ],
            }
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { messageCount } }", id=foreign.conversation)
    assert data["conversation"]["messageCount"] == 1


@pytest.mark.parametrize("name", ["markRead", "markDelivered"])
async def test_another_conversation_cannot_be_marked(foreign: Foreign, grace: Client, linus: Client, name: str) -> None:
    """NotFoundError, and nobody's watermark moves."""
    mark = f"mutation ($id: ID!) {{ {name}(input: {{ conversationId: $id }}) {{ conversation {{ id }} errors {{ __typename }} }} }}"
    assert await linus.run(mark, id=foreign.conversation) == {
        name: {"conversation": None, "errors": [{"__typename": "NotFoundError"}]}
    }
    data = await grace.run("{ viewer { unreadCount } }")
    assert data["viewer"]["unreadCount"] == 1


async def test_another_conversation_cannot_be_followed(foreign: Foreign, ada: Client, linus: Client) -> None:
    """NOT_FOUND, with or without its cursor, as for one that does not exist."""
    cursor = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=foreign.conversation))[
        "conversation"
    ]["eventCursor"]
    query = (
        "subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) { cursor } }"
    )
    async with linus.socket() as socket:
        for conversation, after in (
            (foreign.conversation, None),
            (foreign.conversation, cursor),
            ("C_" + "A" * 22, None),
        ):
            operation = await socket.subscribe(query, id=conversation, after=after)
            message = await socket.receive()
            assert (message["type"], message["id"]) == ("error", operation)
            assert [error["extensions"]["code"] for error in message["payload"]] == ["NOT_FOUND"]


async def test_a_start_shows_nothing_of_another_conversation(foreign: Foreign, linus: Client, ada: Client) -> None:
    """The pair's context is taken by others: linus gets a conversation of his own."""
    mine = await linus.start(ada, context={"type": "order", "id": "42"})
    assert mine != foreign.conversation


async def test_a_key_shows_nothing_of_another_conversation(parley: Parley, foreign: Foreign, linus: Client) -> None:
    """A reply to a message one cannot see is refused as one to nothing."""
    own = await linus.start(parley.user("somebody"))
    payload = await linus.send(own, "hello", replyToId=foreign.message)
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("NOT_FOUND", ["input", "replyToId"])]


async def test_requests_of_two_people_on_one_connection_stay_apart(ada: Client, grace: Client, linus: Client) -> None:
    """One kept-alive HTTP connection and one pool of database connections carry everybody's requests."""
    started = {client.handle: await client.start(linus, title=client.handle) for client in (ada, grace)}
    for _ in range(5):
        for client in (ada, grace):
            data = await client.run("{ viewer { user { handle } } conversations { nodes { id } } }")
            assert data == {
                "viewer": {"user": {"handle": client.handle}},
                "conversations": {"nodes": [{"id": started[client.handle]}]},
            }
