"""Sending: each message once, to a conversation or to a person, or not at all."""

import pytest

from db.keys import parse_conversation_id
from tests.flow.client import Client, Json, Parley
from tests.flow.database import rows

pytestmark = pytest.mark.usefixtures("common_server")

SEND = """mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
    deduplicated conversation { id kind } message { id seq body clientMessageId kind format replyTo { id body }
        sender { handle } conversation { id } editedAt deletedAt status }
    errors { __typename ... on UserError { code path } ... on IdempotencyConflictError { original { id body } } } } }"""


async def send(client: Client, **given: object) -> Json:
    payload: Json = (await client.run(SEND, input={"body": "hello", **given}))["sendMessage"]
    return payload


async def contents(parley: Parley, conversation: str) -> Json:
    """Everything stored that a refused send could have touched."""
    key = parse_conversation_id(conversation)
    tables = ("conversations", "participants", "messages", "events", "memberships", "conversation_starts")
    return {
        table: await rows(
            parley.database_url,
            f"SELECT * FROM parley.{table} t WHERE {'id' if table == 'conversations' else 'conversation_id'} = $1 ORDER BY t",
            key,
        )
        for table in tables
    }


def refused(code: str, typename: str, *path: str) -> Json:
    """The payload of a send that was refused for this one reason."""
    error = {"__typename": typename, "code": code, "path": list(path)}
    return {"deduplicated": False, "conversation": None, "message": None, "errors": [error]}


async def test_a_message_to_a_conversation(ada: Client, grace: Client) -> None:
    """The whole payload: the message as it is now, and where it was sent."""
    conversation = await ada.start(grace)
    payload = await send(ada, to={"conversationId": conversation}, body="hello, world", clientMessageId="k1")
    message = payload["message"]
    assert payload == {
        "deduplicated": False,
        "conversation": {"id": conversation, "kind": "DIRECT"},
        "message": {
            "id": message["id"],
            "seq": 1,
            "body": "hello, world",
            "clientMessageId": "k1",
            "kind": "TEXT",
            "format": "PLAIN",
            "replyTo": None,
            "sender": {"handle": ada.handle},
            "conversation": {"id": conversation},
            "editedAt": None,
            "deletedAt": None,
            "status": "SENT",
        },
        "errors": [],
    }


@pytest.mark.parametrize("selection", ["", "status", "replyTo { id body sender { handle } }"])
@pytest.mark.parametrize("is_reply", [False, True], ids=["message", "reply"])
async def test_the_answer_is_what_a_reading_gives(ada: Client, grace: Client, selection: str, is_reply: bool) -> None:
    """Of a message that was sent just now most is known; the answer is as if all of it had been read."""
    conversation = await ada.start(grace)
    target = (await grace.send(conversation, "question"))["message"]["id"] if is_reply else None
    fields = f"""__typename id seq clientMessageId kind sender {{ id handle name avatarUrl }} body format createdAt
        editedAt deletedAt conversation {{ id lastActivityAt }} {selection}"""
    document = "mutation ($input: SendMessageInput!) {{ sendMessage(input: $input) {{ message {{ {} }} }} }}"
    content = {"body": "answer", "clientMessageId": "k", "replyToId": target, "format": "MARKDOWN"}
    sent = await ada.run(document.format(fields), input={"to": {"conversationId": conversation}, **content})
    message = sent["sendMessage"]["message"]
    read = await ada.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on Message {{ {fields} }} }} }}", id=message["id"])
    assert message == read["node"]


async def test_the_other_reads_what_was_sent(ada: Client, grace: Client) -> None:
    """The same message by its id, and the same as lastMessage."""
    conversation = await ada.start(grace)
    message = (await ada.send(conversation, "hello"))["message"]
    data = await grace.run(
        "query ($c: ID!, $m: ID!) { conversation(id: $c) { lastMessage { id seq body } } "
        "node(id: $m) { ... on Message { id seq body } } }",
        c=conversation,
        m=message["id"],
    )
    assert data == {"conversation": {"lastMessage": message}, "node": message}


@pytest.mark.parametrize(
    "body",
    [
        "  leading and trailing space  ",
        "two\nlines\r\nand\ttabs",
        "😀 👩‍👩‍👧‍👦 e\u0301 \u202eright to left\u202c",
        "'; DROP TABLE parley.messages; --",
        "<script>alert(1)</script> & \\ \" ' % _ $1 :name {}",
        "\u0001\u007f\ufeff\uffff",
        "x" * 10_000,
        "😀" * 10_000,
    ],
    ids=["space", "lines", "unicode", "sql", "markup", "odd", "longest", "longest in bytes"],
)
async def test_a_body_is_kept_as_it_is(ada: Client, grace: Client, body: str) -> None:
    """Every character that is no NUL, up to 10,000 of them."""
    payload = await send(ada, to={"userId": await grace.id()}, body=body)
    assert (payload["errors"], payload["message"]["body"]) == ([], body)


async def test_a_format_is_kept(ada: Client, grace: Client) -> None:
    """MARKDOWN is stored as what it is, and not rendered."""
    payload = await send(ada, to={"userId": await grace.id()}, body="**hello**", format="MARKDOWN")
    assert (payload["message"]["format"], payload["message"]["body"]) == ("MARKDOWN", "**hello**")


async def test_a_message_to_a_user_makes_their_conversation(ada: Client, grace: Client) -> None:
    """A direct one, which both have in their inbox, and which an answer finds."""
    first = await send(ada, to={"userId": await grace.id()})
    answer = await send(grace, to={"userId": await ada.id()})
    assert first["conversation"]["kind"] == "DIRECT"
    assert answer["conversation"] == first["conversation"]
    assert (first["message"]["seq"], answer["message"]["seq"]) == (1, 2)
    for client in (ada, grace):
        data = await client.run("{ conversations { nodes { id } } }")
        assert data["conversations"]["nodes"] == [{"id": first["conversation"]["id"]}]


async def test_a_message_to_a_user_goes_past_conversations_with_a_context(ada: Client, grace: Client) -> None:
    """The direct conversation about an order is not the one without a context."""
    order = await ada.start(grace, context={"type": "order", "id": "42"})
    payload = await send(ada, to={"userId": await grace.id()})
    assert payload["conversation"]["id"] != order


async def test_a_repeat_is_the_same_message(parley: Parley, ada: Client, grace: Client) -> None:
    """The same key and content: the original, deduplicated, and nothing is stored twice."""
    conversation = await ada.start(grace)
    first = await send(ada, to={"conversationId": conversation}, clientMessageId="k")
    await ada.send(conversation, "in between")
    before = await contents(parley, conversation)
    again = await send(ada, to={"conversationId": conversation}, clientMessageId="k")
    assert again == {**first, "deduplicated": True}
    assert await contents(parley, conversation) == before


async def test_a_repeat_to_a_user_is_the_same_message(ada: Client, grace: Client) -> None:
    """Also where the first one made the conversation."""
    first = await send(ada, to={"userId": await grace.id()}, clientMessageId="k")
    again = await send(ada, to={"userId": await grace.id()}, clientMessageId="k")
    assert again == {**first, "deduplicated": True}


async def test_without_a_key_every_send_is_a_message(ada: Client, grace: Client) -> None:
    """The same body twice is two messages."""
    conversation = await ada.start(grace)
    seqs = [(await send(ada, to={"conversationId": conversation}))["message"]["seq"] for _ in range(2)]
    assert seqs == [1, 2]


async def test_a_key_belongs_to_its_sender_and_conversation(ada: Client, grace: Client, linus: Client) -> None:
    """The same key of another sender, or in another conversation, is another message."""
    conversation, other = await ada.start(grace), await ada.start(linus)
    payloads = [
        await send(ada, to={"conversationId": conversation}, clientMessageId="k", body="one"),
        await send(grace, to={"conversationId": conversation}, clientMessageId="k", body="two"),
        await send(ada, to={"conversationId": other}, clientMessageId="k", body="three"),
    ]
    assert [(payload["deduplicated"], payload["errors"]) for payload in payloads] == [(False, [])] * 3
    assert [payload["message"]["seq"] for payload in payloads] == [1, 2, 1]


@pytest.mark.parametrize("change", ["body", "format", "reply"])
async def test_a_key_with_other_content_is_a_conflict(parley: Parley, ada: Client, grace: Client, change: str) -> None:
    """IdempotencyConflictError carries the original, and nothing is changed."""
    conversation = await ada.start(grace)
    target = (await ada.send(conversation, "target"))["message"]["id"]
    to = {"conversationId": conversation}
    original = (await send(ada, to=to, clientMessageId="k"))["message"]
    before = await contents(parley, conversation)
    other = {"body": {"body": "other"}, "format": {"format": "MARKDOWN"}, "reply": {"replyToId": target}}[change]

    payload = await send(ada, to=to, clientMessageId="k", **other)

    expected = refused("IDEMPOTENCY_CONFLICT", "IdempotencyConflictError", "input", "clientMessageId")
    expected["errors"][0]["original"] = {"id": original["id"], "body": "hello"}
    assert payload == expected
    assert await contents(parley, conversation) == before


async def test_a_reply_names_its_target(ada: Client, grace: Client) -> None:
    """replyTo is the message it answers, also in a page, and a reply can be answered in turn."""
    conversation = await ada.start(grace)
    first = (await ada.send(conversation, "question"))["message"]
    reply = await send(grace, to={"conversationId": conversation}, body="answer", replyToId=first["id"])
    await send(ada, to={"conversationId": conversation}, body="thanks", replyToId=reply["message"]["id"])
    assert reply["message"]["replyTo"] == {"id": first["id"], "body": "question"}
    data = await ada.run(
        "query ($id: ID!) { conversation(id: $id) { messages { nodes { body replyTo { body sender { handle } "
        "replyTo { body } } } } } }",
        id=conversation,
    )
    assert data["conversation"]["messages"]["nodes"] == [
        {"body": "question", "replyTo": None},
        {"body": "answer", "replyTo": {"body": "question", "sender": {"handle": ada.handle}, "replyTo": None}},
        {
            "body": "thanks",
            "replyTo": {"body": "answer", "sender": {"handle": grace.handle}, "replyTo": {"body": "question"}},
        },
    ]


async def test_a_reply_to_a_message_of_another_conversation(
    parley: Parley, ada: Client, grace: Client, linus: Client
) -> None:
    """NotFoundError, although the sender can see the target, and also where the sender cannot."""
    conversation, own, foreign = await ada.start(grace), await ada.start(linus), await grace.start(linus)
    targets = [await ada.send(own, "own"), await grace.send(foreign, "foreign")]
    before = await contents(parley, conversation)
    for target in targets:
        payload = await send(ada, to={"conversationId": conversation}, replyToId=target["message"]["id"])
        assert payload == refused("NOT_FOUND", "NotFoundError", "input", "replyToId")
    assert await contents(parley, conversation) == before


async def test_a_reply_to_nothing(parley: Parley, ada: Client, grace: Client) -> None:
    """The id of a message that does not exist (yet) is NotFoundError."""
    conversation = await ada.start(grace)
    last = (await ada.send(conversation, "last"))["message"]["id"]
    await ada.send(conversation, "newer")
    other = await ada.start(grace, title="Other")
    before = await contents(parley, other)
    payload = await send(ada, to={"conversationId": other}, replyToId=last)
    assert payload == refused("NOT_FOUND", "NotFoundError", "input", "replyToId")
    assert await contents(parley, other) == before


async def test_a_first_message_cannot_be_a_reply(ada: Client, grace: Client, linus: Client) -> None:
    """And where it is refused, no conversation is left behind."""
    target = (await ada.send(await ada.start(linus), "elsewhere"))["message"]["id"]
    payload = await send(ada, to={"userId": await grace.id()}, replyToId=target)
    assert payload == refused("NOT_FOUND", "NotFoundError", "input", "replyToId")
    data = await grace.run("{ conversations { totalCount } }")
    assert data["conversations"]["totalCount"] == 0


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"body": ""}, "body"),
        ({"body": " \t\n\u00a0\u3000"}, "body"),
        ({"body": "\u200b\u202e\u2060 \ufeff"}, "body"),
        ({"body": "x" * 10_001}, "body"),
        ({"clientMessageId": ""}, "clientMessageId"),
        ({"clientMessageId": "k" * 129}, "clientMessageId"),
    ],
    ids=["empty", "blank", "nothing to see", "too long", "empty key", "key too long"],
)
async def test_content_that_cannot_be(parley: Parley, ada: Client, grace: Client, given: Json, name: str) -> None:
    """A ValidationError with its path, to a conversation as to a user, and nothing is changed."""
    conversation = await ada.start(grace)
    before = await contents(parley, conversation)
    expected = refused("VALIDATION_ERROR", "ValidationError", "input", name)
    assert await send(ada, to={"conversationId": conversation}, **given) == expected
    assert await send(ada, to={"userId": await grace.id()}, **given) == expected
    assert await contents(parley, conversation) == before


async def test_every_error_is_told_at_once(ada: Client, grace: Client) -> None:
    """A form shows all its mistakes together."""
    payload = await send(ada, to={"userId": await ada.id()}, body=" ", clientMessageId="")
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("VALIDATION_ERROR", ["input", "body"]),
        ("VALIDATION_ERROR", ["input", "clientMessageId"]),
        ("VALIDATION_ERROR", ["input", "to", "userId"]),
    ]


async def test_the_longest_key(ada: Client, grace: Client) -> None:
    """128 characters, however many bytes they take."""
    payload = await send(ada, to={"userId": await grace.id()}, clientMessageId="😀" * 128)
    assert (payload["errors"], payload["message"]["clientMessageId"]) == ([], "😀" * 128)


async def test_nobody_sends_to_themselves(ada: Client) -> None:
    """A direct conversation has two people."""
    payload = await send(ada, to={"userId": await ada.id()})
    assert payload == refused("VALIDATION_ERROR", "ValidationError", "input", "to", "userId")


async def test_a_message_to_nobody(ada: Client) -> None:
    """The id of a user who does not exist is NotFoundError."""
    payload = await send(ada, to={"userId": "U_" + "A" * 22})
    assert payload == refused("NOT_FOUND", "NotFoundError", "input", "to", "userId")


async def test_a_message_to_no_conversation(ada: Client) -> None:
    """The id of a conversation that does not exist is NotFoundError."""
    payload = await send(ada, to={"conversationId": "C_" + "A" * 22})
    assert payload == refused("NOT_FOUND", "NotFoundError", "input", "to", "conversationId")


@pytest.mark.parametrize("target", [{}, {"both": True}, {"conversationId": None}], ids=["none", "both", "null"])
async def test_a_target_is_one_of_two(ada: Client, grace: Client, target: Json) -> None:
    """Neither, both or null is refused before anything is run."""
    to = {"conversationId": await ada.start(grace), "userId": await grace.id()} if target.get("both") else target
    answer = await ada.post(SEND, input={"to": to, "body": "hello"})
    (error,) = answer["errors"]
    assert (answer["data"], error["extensions"]["code"]) == (None, "BAD_USER_INPUT")


async def test_several_sends_in_one_request_keep_their_order(ada: Client, grace: Client) -> None:
    """The fields of a mutation run one after the other."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, "one", "two", "three")
    data = await ada.run(
        "query ($id: ID!) { conversation(id: $id) { messages { nodes { seq body } } } }", id=conversation
    )
    assert data["conversation"]["messages"]["nodes"] == [
        {"seq": seq, "body": body} for seq, body in enumerate(("one", "two", "three"), 1)
    ]
