"""Starting a conversation: its members, its context, its first message, or nothing of it."""

import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.database import rows

pytestmark = pytest.mark.usefixtures("common_server")

START = """mutation ($input: StartConversationInput!) { startConversation(input: $input) {
    wasCreated conversation { id kind title context { type id title url } messageCount
        participants { nodes { role user { id } } } }
    message { id seq body kind clientMessageId sender { id } }
    errors { __typename ... on UserError { code path }
        ... on ConversationExistsError { conversation { id } }
        ... on IdempotencyConflictError { original { id body } } } } }"""

CONTEXT = {"type": "order", "id": "42", "title": "Forty-two", "url": "https://example.com/orders/42"}
NOBODY = "U_" + "A" * 22


async def start(client: Client, *others: Client | str, **more: object) -> Json:
    """The payload."""
    ids = [other if isinstance(other, str) else await other.id() for other in others]
    payload: Json = (await client.run(START, input={"participantIds": ids, **more}))["startConversation"]
    return payload


async def conversations_of(client: Client) -> int:
    data = await client.run("{ conversations { totalCount } }")
    count: int = data["conversations"]["totalCount"]
    return count


def refused(*errors: Json) -> Json:
    return {"wasCreated": False, "conversation": None, "message": None, "errors": list(errors)}


def invalid(*path: str) -> Json:
    return {"__typename": "ValidationError", "code": "VALIDATION_ERROR", "path": ["input", *path]}


async def test_a_direct_conversation(ada: Client, grace: Client) -> None:
    """Exactly one other and no title: DIRECT, both MEMBER, nothing sent."""
    payload = await start(ada, grace)
    people = payload["conversation"].pop("participants")["nodes"]
    assert sorted((node["user"]["id"], node["role"]) for node in people) == sorted(
        [(await ada.id(), "MEMBER"), (await grace.id(), "MEMBER")]
    )
    assert payload == {
        "wasCreated": True,
        "conversation": {
            "id": payload["conversation"]["id"],
            "kind": "DIRECT",
            "title": None,
            "context": None,
            "messageCount": 0,
        },
        "message": None,
        "errors": [],
    }


async def test_a_group(ada: Client, grace: Client, linus: Client) -> None:
    """With a title, a context and a first message; who starts it owns it."""
    payload = await start(
        ada, grace, linus, title="Crew", context=CONTEXT, firstMessage={"body": "hi", "clientMessageId": "k"}
    )
    people = payload["conversation"].pop("participants")["nodes"]
    assert {node["user"]["id"]: node["role"] for node in people} == {
        await ada.id(): "OWNER",
        await grace.id(): "MEMBER",
        await linus.id(): "MEMBER",
    }
    assert payload == {
        "wasCreated": True,
        "conversation": {
            "id": payload["conversation"]["id"],
            "kind": "GROUP",
            "title": "Crew",
            "context": CONTEXT,
            "messageCount": 1,
        },
        "message": {
            "id": payload["message"]["id"],
            "seq": 1,
            "body": "hi",
            "kind": "TEXT",
            "clientMessageId": "k",
            "sender": {"id": await ada.id()},
        },
        "errors": [],
    }


async def test_one_other_and_a_title_are_a_group(ada: Client, grace: Client) -> None:
    """A title makes it a group of two, and a second one is another group."""
    first, second = await start(ada, grace, title="Us"), await start(ada, grace, title="Us")
    assert first["conversation"]["kind"] == second["conversation"]["kind"] == "GROUP"
    assert first["conversation"]["id"] != second["conversation"]["id"]


async def test_several_others_without_a_title_are_a_group(ada: Client, grace: Client, linus: Client) -> None:
    """A new one each time."""
    first, second = await start(ada, grace, linus), await start(ada, grace, linus)
    assert (first["conversation"]["kind"], first["conversation"]["title"]) == ("GROUP", None)
    assert first["conversation"]["id"] != second["conversation"]["id"]


async def test_somebody_named_twice_is_there_once(ada: Client, grace: Client) -> None:
    """Twice the same other is a direct conversation."""
    payload = await start(ada, grace, grace)
    assert (payload["conversation"]["kind"], len(payload["conversation"]["participants"]["nodes"])) == ("DIRECT", 2)


async def test_everybody_has_it_in_the_inbox(ada: Client, grace: Client, linus: Client) -> None:
    """Also who did nothing for it."""
    started = (await start(ada, grace, linus))["conversation"]["id"]
    for client in (ada, grace, linus):
        data = await client.run("{ conversations { nodes { id } } }")
        assert data["conversations"]["nodes"] == [{"id": started}]


async def test_a_pair_has_one_direct_conversation(ada: Client, grace: Client) -> None:
    """Starting it again, from either side, finds it: REUSE is the default."""
    first, again = await start(ada, grace), await start(ada, grace, ifExists="REUSE")
    other_side = await start(grace, ada)
    assert again == other_side == {**first, "wasCreated": False}


async def test_a_pair_has_one_for_each_context(ada: Client, grace: Client) -> None:
    """Type and id make a context; its title and address do not."""
    plain = await start(ada, grace)
    order = await start(ada, grace, context={"type": "order", "id": "1"})
    gig = await start(ada, grace, context={"type": "gig", "id": "1"})
    again = await start(grace, ada, context={"type": "order", "id": "1", "title": "renamed"})
    ids = [payload["conversation"]["id"] for payload in (plain, order, gig, again)]
    assert len(set(ids)) == 3
    assert (again["wasCreated"], ids[3]) == (False, ids[1])


async def test_a_first_message_goes_to_the_conversation_there_is(ada: Client, grace: Client) -> None:
    """REUSE sends it there."""
    conversation = await ada.start(grace)
    await grace.send(conversation, "before")
    payload = await start(ada, grace, firstMessage={"body": "hello again"})
    assert (payload["wasCreated"], payload["conversation"]["id"], payload["message"]["seq"]) == (False, conversation, 2)


async def test_a_first_message_may_answer_one_of_the_conversation_there_is(ada: Client, grace: Client) -> None:
    """And one of another conversation it may not: nothing is sent."""
    target = (await grace.send(await ada.start(grace), "question"))["message"]["id"]
    foreign = (await ada.send(await ada.start(grace, title="Other"), "elsewhere"))["message"]["id"]
    good = await start(ada, grace, firstMessage={"body": "answer", "replyToId": target})
    bad = await start(ada, grace, firstMessage={"body": "answer", "replyToId": foreign})
    assert (good["errors"], good["message"]["seq"]) == ([], 2)
    assert bad == refused(
        {"__typename": "NotFoundError", "code": "NOT_FOUND", "path": ["input", "firstMessage", "replyToId"]}
    )


async def test_reject_tells_of_the_one_there_is(ada: Client, grace: Client) -> None:
    """ConversationExistsError carries it, and the first message is not sent."""
    conversation = await ada.start(grace)
    payload = await start(grace, ada, ifExists="REJECT", firstMessage={"body": "hello"})
    assert payload == refused(
        {
            "__typename": "ConversationExistsError",
            "code": "CONVERSATION_EXISTS",
            "path": ["input", "participantIds"],
            "conversation": {"id": conversation},
        }
    )
    data = await ada.run("query ($id: ID!) { conversation(id: $id) { messageCount } }", id=conversation)
    assert data["conversation"]["messageCount"] == 0


async def test_reject_starts_what_there_is_not(ada: Client, grace: Client) -> None:
    """Another context is another conversation."""
    await ada.start(grace)
    payload = await start(ada, grace, ifExists="REJECT", context=CONTEXT)
    assert (payload["wasCreated"], payload["errors"]) == (True, [])


@pytest.mark.parametrize("more", [{}, {"title": "Crew"}, {"context": CONTEXT}], ids=["direct", "group", "context"])
async def test_a_repeat_with_a_key_starts_nothing(ada: Client, grace: Client, more: Json) -> None:
    """The key of the first message covers everything: the same answer, one conversation, one message."""
    request = {"firstMessage": {"body": "hi", "clientMessageId": "k"}, **more}
    first = await start(ada, grace, **request)
    await ada.send(first["conversation"]["id"], "meanwhile")
    again = await start(ada, grace, **request)
    first["conversation"]["messageCount"] = 2
    assert again == first
    assert await conversations_of(ada) == 1


async def test_a_repeat_with_a_key_may_name_the_others_in_another_order(
    ada: Client, grace: Client, linus: Client
) -> None:
    """The participants are a set."""
    message = {"body": "hi", "clientMessageId": "k"}
    first = await start(ada, grace, linus, firstMessage=message)
    assert await start(ada, linus, grace, linus, firstMessage=message) == first


@pytest.mark.parametrize("change", ["body", "title", "people", "context"])
async def test_a_key_with_another_request_is_a_conflict(ada: Client, grace: Client, linus: Client, change: str) -> None:
    """IdempotencyConflictError carries the original message, and nothing is started."""
    message = {"body": "hi", "clientMessageId": "k"}
    original = (await start(ada, grace, title="Crew", firstMessage=message))["message"]
    people = [grace, linus] if change == "people" else [grace]
    more: Json = {"title": "Band" if change == "title" else "Crew"}
    if change == "context":
        more["context"] = CONTEXT
    if change == "body":
        message["body"] = "ho"
    payload = await start(ada, *people, firstMessage=message, **more)
    assert payload == refused(
        {
            "__typename": "IdempotencyConflictError",
            "code": "IDEMPOTENCY_CONFLICT",
            "path": ["input", "firstMessage", "clientMessageId"],
            "original": {"id": original["id"], "body": "hi"},
        }
    )
    assert await conversations_of(ada) == 1


async def test_a_key_belongs_to_its_sender(ada: Client, grace: Client, linus: Client) -> None:
    """Two people may use the same key."""
    message = {"body": "hi", "clientMessageId": "k"}
    first, second = await start(ada, linus, firstMessage=message), await start(grace, linus, firstMessage=message)
    assert first["conversation"]["id"] != second["conversation"]["id"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"title": ""}, ["title"]),
        ({"title": "  \t"}, ["title"]),
        ({"title": "x" * 201}, ["title"]),
        ({"context": {"type": "", "id": "1"}}, ["context", "type"]),
        ({"context": {"type": "x" * 256, "id": "1"}}, ["context", "type"]),
        ({"context": {"type": "order", "id": ""}}, ["context", "id"]),
        ({"context": {"type": "order", "id": "x" * 256}}, ["context", "id"]),
        ({"context": {**CONTEXT, "title": "x" * 201}}, ["context", "title"]),
        ({"context": {**CONTEXT, "url": ""}}, ["context", "url"]),
        ({"context": {**CONTEXT, "url": "javascript:alert(1)"}}, ["context", "url"]),
        ({"context": {**CONTEXT, "url": "https://"}}, ["context", "url"]),
        ({"context": {**CONTEXT, "url": "http://[broken"}}, ["context", "url"]),
        ({"context": {**CONTEXT, "url": "https://example.com/" + "x" * 2048}}, ["context", "url"]),
        ({"firstMessage": {"body": ""}}, ["firstMessage", "body"]),
        ({"firstMessage": {"body": " \n"}}, ["firstMessage", "body"]),
        ({"firstMessage": {"body": "x" * 10_001}}, ["firstMessage", "body"]),
        ({"firstMessage": {"body": "x", "clientMessageId": ""}}, ["firstMessage", "clientMessageId"]),
        ({"firstMessage": {"body": "x", "clientMessageId": "k" * 129}}, ["firstMessage", "clientMessageId"]),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_input_that_cannot_be(ada: Client, grace: Client, given: Json, path: list[str]) -> None:
    """A ValidationError with its path, and nothing is started."""
    assert await start(ada, grace, **given) == refused(invalid(*path))
    assert await conversations_of(ada) == 0


async def test_every_error_is_told_at_once(ada: Client, grace: Client) -> None:
    """A form shows all its mistakes together."""
    payload = await start(
        ada, title="", context={"type": "", "id": "", "url": "ftp://x"}, firstMessage={"body": "", "kind": "SYSTEM"}
    )
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("VALIDATION_ERROR", ["input", "participantIds"]),
        ("VALIDATION_ERROR", ["input", "title"]),
        ("VALIDATION_ERROR", ["input", "context", "type"]),
        ("VALIDATION_ERROR", ["input", "context", "id"]),
        ("VALIDATION_ERROR", ["input", "context", "url"]),
        ("VALIDATION_ERROR", ["input", "firstMessage", "body"]),
        ("PERMISSION_DENIED", ["input", "firstMessage", "kind"]),
    ]


async def test_the_longest_input(ada: Client, grace: Client) -> None:
    """Every limit counts characters, however many bytes they take, and is reached without an error."""
    context = {"type": "😀" * 255, "id": "😀" * 255, "title": "😀" * 200, "url": "https://" + "x" * 2040}
    group = await start(ada, grace, title="😀" * 200, context=context)
    direct = await start(ada, grace, context=context, firstMessage={"body": "x", "clientMessageId": "😀" * 128})
    assert (group["errors"], group["conversation"]["title"]) == ([], "😀" * 200)
    assert (direct["errors"], direct["conversation"]["context"]) == ([], context)


async def test_nobody_starts_with_themselves(ada: Client, grace: Client) -> None:
    """Alone or beside others: the viewer is there anyway."""
    for people in ([ada], [ada, grace]):
        assert await start(ada, *people) == refused(invalid("participantIds"))


async def test_somebody_else_is_needed(ada: Client) -> None:
    """No others at all is a ValidationError."""
    assert await start(ada) == refused(invalid("participantIds"))


async def test_a_thousand_others_and_no_more(ada: Client) -> None:
    """1,001 are too many to be looked at."""
    strangers = [
        f"U_{'A' * 19}{a}{b}A" for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
    ]
    assert await start(ada, *strangers[:1001], title="Crowd") == refused(invalid("participantIds"))


async def test_participants_who_do_not_exist(ada: Client, grace: Client) -> None:
    """A NotFoundError for each, with its place in the list; nothing is started."""
    payload = await start(ada, NOBODY, grace, "U_" + "B" * 21 + "A", title="Crew")
    assert payload == refused(
        *(
            {"__typename": "NotFoundError", "code": "NOT_FOUND", "path": ["input", "participantIds", place]}
            for place in ("0", "2")
        )
    )
    assert await conversations_of(grace) == 0


async def test_a_malformed_participant(ada: Client, grace: Client) -> None:
    """Not an id of a user is BAD_USER_INPUT for the whole request."""
    conversation = await ada.start(grace)
    for id_ in ("grace", "", conversation):
        answer = await ada.post(START, input={"participantIds": [id_]})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("kind", ["SYSTEM", "NOTIFICATION"])
async def test_only_the_service_speaks_as_the_system(parley: Parley, ada: Client, grace: Client, kind: str) -> None:
    """Without the role `service` it is PermissionDeniedError; with it a message whose sender is shown or not."""
    message = {"body": "Order 42 was shipped", "kind": kind}
    path = ["input", "firstMessage", "kind"]
    assert await start(ada, grace, firstMessage=message) == refused(
        {"__typename": "PermissionDeniedError", "code": "PERMISSION_DENIED", "path": path}
    )
    service = parley.user("shop", roles=["service"])
    payload = await start(service, grace, firstMessage=message)
    assert payload["errors"] == []
    assert payload["message"]["kind"] == kind
    assert payload["message"]["sender"] == (None if kind == "SYSTEM" else {"id": await service.id()})


async def test_the_log_begins_with_the_start(parley: Parley, ada: Client, grace: Client) -> None:
    """Revision 1 is ConversationStarted, the first message is revision 2, and both are ada's."""
    await start(ada, grace, firstMessage={"body": "hi"})
    assert await rows(
        parley.database_url,
        "SELECT revision, e.kind, e.seq FROM parley.events e JOIN parley.users u ON u.id = actor_id "
        "WHERE handle = $1 ORDER BY revision",
        ada.handle,
    ) == [(1, "ConversationStarted", None), (2, "MessageSent", 1)]
