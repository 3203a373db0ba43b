"""Reports, what moderators do about them, and the trail that all of it leaves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.test_statements import statements

ERRORS = "errors { __typename ... on UserError { code path } }"
REPORT = """id category note status reporter { handle } message { body deletedAt } contextMessages { body }
    resolution resolvedBy { handle } resolutionNote"""
QUEUE = f"""query ($status: ReportStatus, $first: Int, $after: String) {{
    reports(status: $status, first: $first, after: $after) {{
    totalCount nodes {{ {REPORT} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
TRAIL = "{ auditTrail { nodes { action actor { handle } user { handle } messageId reportId until note } } }"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
async def parley(database_url: str, tmp_path: Path) -> AsyncIterator[Parley]:
    """A server of the test's own: the queue and the trail are everybody's."""
    words = tmp_path / "words"
    words.write_text("?heck\n")
    async with serving(database_url, word_list=words) as running:
        yield running


@pytest.fixture
async def moderator(parley: Parley) -> Client:
    return parley.user("moderator", roles=["moderator"])


@pytest.fixture
async def other_moderator(parley: Parley) -> Client:
    return parley.user("moderator2", roles=["moderator"])


async def message(client: Client, conversation: str, body: str) -> str:
    """Send a message; returns its id."""
    sent: str = (await client.send(conversation, body))["message"]["id"]
    return sent


async def report(client: Client, key: str, category: str = "SPAM", note: str | None = None) -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($input: ReportMessageInput!) {{ reportMessage(input: $input) {{ report {{ {REPORT} }} {ERRORS} }} }}",
        input={"messageId": key, "category": category, "note": note},
    )
    payload: Json = data["reportMessage"]
    return payload


async def reported(client: Client, key: str) -> str:
    found: str = (await report(client, key))["report"]["id"]
    return found


async def resolve(client: Client, key: str, resolution: str, **more: object) -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($input: ResolveReportInput!) {{ resolveReport(input: $input) {{ report {{ {REPORT} }} "
        "errors { __typename ... on UserError { code path } ... on ReportResolvedError "
        "{ report { resolution resolvedBy { handle } } } } } }",
        input={"reportId": key, "resolution": resolution, **more},
    )
    payload: Json = data["resolveReport"]
    return payload


async def queue(moderator: Client, **given: Any) -> Json:
    found: Json = (await moderator.run(QUEUE, **given))["reports"]
    return found


async def trail(moderator: Client) -> list[Json]:
    found: list[Json] = (await moderator.run(TRAIL))["auditTrail"]["nodes"]
    return found


async def test_a_report_is_made_once(ada: Client, grace: Client, linus: Client, moderator: Client) -> None:
    """By each reporter of a message; moderators, who are no members, see it with what was said around it."""
    chat = await ada.start(grace, linus, title="Engines")
    await ada.send_all(chat, *map(str, range(1, 6)))
    key = await message(ada, chat, "6")
    await ada.send_all(chat, "7")
    first = await report(grace, key, "ABUSE", "Not nice.")
    assert first["errors"] == []
    assert (await report(grace, key, "SPAM"))["report"] == first["report"]
    await report(linus, key)
    page = await queue(moderator, status="OPEN", first=1)
    assert page["totalCount"] == 2
    assert page["nodes"] == [
        {
            "id": first["report"]["id"],
            "category": "ABUSE",
            "note": "Not nice.",
            "status": "OPEN",
            "reporter": {"handle": "grace"},
            "message": {"body": "6", "deletedAt": None},
            "contextMessages": [{"body": body} for body in "34567"],
            "resolution": None,
            "resolvedBy": None,
            "resolutionNote": None,
        }
    ]
    page = await queue(moderator, status="OPEN", after=page["pageInfo"]["endCursor"])
    assert [node["reporter"]["handle"] for node in page["nodes"]] == ["linus"]
    assert not page["pageInfo"]["hasNextPage"]
    assert (await queue(moderator, status="DISMISSED"))["nodes"] == []


async def test_what_cannot_be_reported(parley: Parley, ada: Client, grace: Client) -> None:
    """What is not there or not theirs, one's own, what is deleted, and in the name of a check."""
    chat = await ada.start(grace)
    key, own = await message(ada, chat, "hello"), await message(grace, chat, "hi")
    payloads = {
        "NOT_FOUND": [await report(parley.user("eve"), key), await report(grace, key[:-2] + "_w")],
        "VALIDATION_ERROR": [
            await report(grace, own),
            await report(grace, key, "CONTENT_CHECK"),
            await report(grace, key, note="x" * 1001),
        ],
    }
    await ada.run("mutation ($id: ID!) { deleteMessage(input: { messageId: $id }) { errors { __typename } } }", id=key)
    payloads["VALIDATION_ERROR"].append(await report(grace, key))
    for code, found in payloads.items():
        assert [[error["code"] for error in payload["errors"]] for payload in found] == [[code]] * len(found)
        assert all(payload["report"] is None for payload in found)


async def test_only_moderators_moderate(parley: Parley, ada: Client, grace: Client) -> None:
    """Everybody else is refused at the top, and sees of reports their own, without who resolved them."""
    key = await reported(grace, await message(ada, await ada.start(grace), "hello"))
    for query in (
        "{ reports { totalCount } }",
        "{ auditTrail { nodes { action } } }",
        f'mutation {{ resolveReport(input: {{ reportId: "{key}", resolution: DISMISS }}) {{ {ERRORS} }} }}',
        f'mutation {{ restrictUser(input: {{ userId: "{await ada.id()}", until: null }}) {{ {ERRORS} }} }}',
    ):
        answer = await grace.post(query)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    node = f"query ($id: ID!) {{ node(id: $id) {{ ... on Report {{ {REPORT} }} }} }}"
    assert (await ada.run(node, id=key))["node"] is None
    moderator = parley.user("moderator", roles=["moderator"])
    await resolve(moderator, key, "DISMISS", note="fine")
    seen = [(await client.run(node, id=key))["node"] for client in (grace, moderator)]
    assert [(each["status"], each["resolvedBy"], each["resolutionNote"]) for each in seen] == [
        ("DISMISSED", None, None),
        ("DISMISSED", {"handle": "moderator"}, "fine"),
    ]


async def test_a_moderator_removes_a_message(ada: Client, grace: Client, linus: Client, moderator: Client) -> None:
    """It is gone for everybody, who are told; all reports of it are resolved, and the trail tells who did it."""
    chat = await ada.start(grace, linus, title="Engines")
    key = await message(ada, chat, "secret")
    first, second = await reported(grace, key), await reported(linus, key)
    after = (await ada.run("query ($id: ID!) { conversation(id: $id) { eventCursor } }", id=chat))["conversation"]
    payload = await resolve(moderator, first, "REMOVE_MESSAGE", note="Against the rules.")
    assert payload["errors"] == []
    assert payload["report"]["message"]["body"] == ""
    assert payload["report"]["message"]["deletedAt"] is not None
    actioned = await queue(moderator, status="ACTIONED")
    assert {node["id"] for node in actioned["nodes"]} == {first, second}
    events = await grace.run(
        """query ($id: ID!, $after: String!) { conversation(id: $id) { events(after: $after) { nodes {
        __typename actor { handle } ... on MessageDeleted { message { id body } } } } } }""",
        id=chat,
        after=after["eventCursor"],
    )
    assert events["conversation"]["events"]["nodes"] == [
        {"__typename": "MessageDeleted", "actor": {"handle": "moderator"}, "message": {"id": key, "body": ""}}
    ]
    assert await trail(moderator) == [
        {
            "action": "MESSAGE_REMOVED",
            "actor": {"handle": "moderator"},
            "user": {"handle": "ada"},
            "messageId": key,
            "reportId": first,
            "until": None,
            "note": "Against the rules.",
        }
    ]


async def test_a_restricted_user_reads_and_no_more(ada: Client, grace: Client, moderator: Client) -> None:
    """Until the time that is said, or a moderator ends it: nothing is sent, started, changed or reacted to."""
    chat = await ada.start(grace)
    key = await message(ada, chat, "hello")
    theirs = await message(grace, chat, "hi")
    payload = await resolve(moderator, await reported(grace, key), "RESTRICT_USER", restrictUntil=TOMORROW.isoformat())
    assert payload["errors"] == []
    group = {"participantIds": [await grace.id()], "title": "New"}
    calls = {
        "sendMessage": {"to": {"conversationId": chat}, "body": "x"},
        "startConversation": group,
        "editMessage": {"messageId": key, "body": "x"},
        "addReaction": {"messageId": theirs, "emoji": "👍"},
        "pinMessage": {"messageId": theirs},
        "unpinMessage": {"messageId": theirs},
        "updateProfile": {"name": "What I would have said"},
    }
    kinds = {"addReaction": "ReactionInput", "unpinMessage": "PinMessageInput"}
    until = TOMORROW.isoformat().replace("+00:00", "Z")
    for name, given in calls.items():
        kind = kinds.get(name, f"{name[0].upper()}{name[1:]}Input")
        data = await ada.run(
            f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ errors {{ ... on UserError {{ code message }} }} }} }}",
            input=given,
        )
        (error,) = data[name]["errors"]
        assert (name, error["code"]) == (name, "PERMISSION_DENIED")
        assert until in error["message"]
    state = "query ($id: ID!) { conversation(id: $id) { messageCount viewerState { canSend } } }"
    assert (await ada.run(state, id=chat))["conversation"] == {"messageCount": 2, "viewerState": {"canSend": False}}
    assert (await grace.run(state, id=chat))["conversation"]["viewerState"] == {"canSend": True}

    lifted = "mutation ($id: ID!) { restrictUser(input: { userId: $id, until: null }) { user { handle } errors { __typename } } }"
    assert (await moderator.run(lifted, id=await ada.id()))["restrictUser"] == {"user": {"handle": "ada"}, "errors": []}
    assert (await ada.send(chat, "again"))["errors"] == []
    entries = await trail(moderator)
    assert [(entry["action"], entry["user"]) for entry in entries] == [
        ("RESTRICTION_LIFTED", {"handle": "ada"}),
        ("USER_RESTRICTED", {"handle": "ada"}),
    ]
    assert datetime.fromisoformat(entries[1]["until"]) == TOMORROW


@pytest.mark.parametrize(
    ("resolution", "more"),
    [
        ("RESTRICT_USER", {}),
        ("RESTRICT_USER", {"restrictUntil": "2020-01-01T00:00:00Z"}),
        ("DISMISS", {"restrictUntil": TOMORROW.isoformat()}),
        ("DISMISS", {"note": "x" * 1001}),
    ],
)
async def test_a_resolution_says_all_it_needs(
    ada: Client, grace: Client, moderator: Client, resolution: str, more: Json
) -> None:
    """And nothing else; then nothing changes."""
    key = await reported(grace, await message(ada, await ada.start(grace), "hello"))
    payload = await resolve(moderator, key, resolution, **more)
    assert [error["code"] for error in payload["errors"]] == ["VALIDATION_ERROR"]
    assert (await queue(moderator, status="OPEN"))["totalCount"] == 1
    assert await trail(moderator) == []


async def test_of_two_moderators_one_is_the_first(
    ada: Client, grace: Client, linus: Client, moderator: Client, other_moderator: Client
) -> None:
    """Whoever comes second is told what was done; who asks again for the same is answered alike."""
    chat = await ada.start(grace, linus, title="Engines")
    for number in range(4):
        key = await message(ada, chat, str(number))
        reports = [await reported(grace, key), await reported(linus, key)]
        resolutions = [
            ("REMOVE_MESSAGE", moderator, reports[0]),
            ("REMOVE_MESSAGE", other_moderator, reports[number % 2]),
        ]
        payloads = await asyncio.gather(*(resolve(who, which, how) for how, who, which in resolutions))
        (refused,) = (payload for payload in payloads if payload["errors"])
        (done,) = (payload for payload in payloads if not payload["errors"])
        (error,) = refused["errors"]
        assert (error["__typename"], error["code"]) == ("ReportResolvedError", "EDIT_CONFLICT")
        assert error["report"] == {"resolution": "REMOVE_MESSAGE", "resolvedBy": done["report"]["resolvedBy"]}
        winner = moderator if done["report"]["resolvedBy"]["handle"] == "moderator" else other_moderator
        assert (await resolve(winner, done["report"]["id"], "REMOVE_MESSAGE"))["errors"] == []
    assert len(await trail(moderator)) == 4


async def test_what_a_check_flags_is_in_the_queue(ada: Client, grace: Client, moderator: Client) -> None:
    """Once as long as it is open, and again when it says so anew; nobody is its reporter."""
    chat = await ada.start(grace)
    key = await message(ada, chat, "what the heck")
    edit = "mutation ($input: EditMessageInput!) { editMessage(input: $input) { errors { __typename } } }"
    await ada.run(edit, input={"messageId": key, "body": "heck, again"})
    (found,) = (await queue(moderator, status="OPEN"))["nodes"]
    assert (found["category"], found["reporter"], found["note"]) == ("CONTENT_CHECK", None, "It may be offensive.")
    await resolve(moderator, found["id"], "DISMISS")
    await ada.run(edit, input={"messageId": key, "body": "heck, once more"})
    await ada.run(edit, input={"messageId": key, "body": "fine"})
    assert (await queue(moderator, status="OPEN"))["totalCount"] == 1
    assert (await queue(moderator))["totalCount"] == 2


async def test_who_deletes_what_is_anothers_is_in_the_trail(ada: Client, grace: Client, moderator: Client) -> None:
    """In a group that they lead; what is one's own is not."""
    chat = await ada.start(grace, title="Engines")
    keys = [await message(client, chat, "hello") for client in (grace, ada)]
    for key in keys:
        await ada.run(
            "mutation ($id: ID!) { deleteMessage(input: { messageId: $id }) { errors { __typename } } }", id=key
        )
    (entry,) = await trail(moderator)
    assert (entry["action"], entry["actor"], entry["user"]) == (
        "MESSAGE_DELETED",
        {"handle": "ada"},
        {"handle": "grace"},
    )
    assert entry["messageId"] == keys[0]


async def test_the_trail_stays_as_it_is(parley: Parley, ada: Client, moderator: Client) -> None:
    """Neither role can change or remove an entry, but for the names in its note, of which erasing relieves it."""
    await moderator.run(
        "mutation ($id: ID!) { restrictUser(input: { userId: $id, until: null }) { errors { __typename } } }",
        id=await ada.id(),
    )
    for role in ("parley_app", "parley_system"):
        connection = await asyncpg.connect(parley.database_url, server_settings={"role": role})
        try:
            for statement in ("UPDATE parley.audit_entries SET action = action", "DELETE FROM parley.audit_entries"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()
    assert len(await trail(moderator)) == 1


async def test_a_queue_is_a_few_statements(parley: Parley, ada: Client, grace: Client, moderator: Client) -> None:
    """However many reports there are: they, and their messages with what was said around them."""
    chat = await ada.start(grace)
    counts = []
    for number in range(2):
        await report(grace, await message(ada, chat, str(number)))
        counts.append(await statements(parley, moderator, QUEUE, status="OPEN"))
    assert counts == [2, 2]
