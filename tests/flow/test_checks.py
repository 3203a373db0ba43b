"""Content checks, wherever somebody says something: sending, editing, starting, and what is due."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from db.rows import User
from resolvers.checks import Allow, CheckError, Flag, Reject, Verdict
from resolvers.contents import Content
from server import create_app
from settings import Settings
from tests.flow.client import PATIENCE, Client, Json, Parley
from tests.flow.conftest import serving

ERRORS = "errors { __typename ... on UserError { code message path } }"
LAST = "query ($id: ID!) { conversation(id: $id) { lastMessage { body warning } } }"


class HostCheck:
    """A host application's own."""

    async def check(self, content: Content, sender: User, conversation: UUID | None) -> Verdict:
        match content.body:
            case "reject me":
                return Reject(f"not from {sender.name}")
            case "flag me":
                return Flag("Careful." if conversation else "Careful, whoever you are.")
            case "fail":
                raise RuntimeError("no")
            case _:
                return Allow()


@pytest.fixture
async def parley(database_url: str, tmp_path: Path) -> AsyncIterator[Parley]:
    """A server with all the checks there are."""
    words = tmp_path / "words"
    words.write_text("darn\n?heck\n")
    check = f"{__name__}:HostCheck"
    async with serving(
        database_url, word_list=words, content_check=check, content_check_failure="flag", max_repeats=3
    ) as running:
        yield running


async def run(client: Client, mutation: str, kind: str, **given: object) -> Json:
    """The payload."""
    data = await client.run(
        f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ message {{ id body warning }} {ERRORS} }} }}",
        input=given,
    )
    payload: Json = data[mutation]
    return payload


async def last(client: Client, conversation: str) -> Json:
    found: Json = (await client.run(LAST, id=conversation))["conversation"]["lastMessage"]
    return found


async def test_what_is_rejected_is_not_sent(ada: Client, grace: Client) -> None:
    """By the word list or the host application's check: as data, and nothing changes."""
    conversation = await ada.start(grace)
    message = (await ada.send(conversation, "hello"))["message"]["id"]
    rejected = [
        await run(ada, "sendMessage", "SendMessageInput", to={"conversationId": conversation}, body="Oh d@rn!"),
        await run(ada, "sendMessage", "SendMessageInput", to={"userId": await grace.id()}, body="reject me"),
        await run(ada, "editMessage", "EditMessageInput", messageId=message, body="darn"),
    ]
    words = "it has a word in it that is not allowed here"
    assert [payload["errors"][0] for payload in rejected] == [
        {"__typename": "ContentRejectedError", "code": "CONTENT_REJECTED", "message": text, "path": ["input", "body"]}
        for text in (words, "not from Ada Lovelace", words)
    ]
    started = await run(
        ada,
        "startConversation",
        "StartConversationInput",
        participantIds=[await grace.id()],
        title="New",
        firstMessage={"body": "darn"},
    )
    assert [error["path"] for error in started["errors"]] == [["input", "firstMessage", "body"]]
    state = await ada.run("{ conversations { totalCount nodes { messageCount } } }")
    assert state["conversations"] == {"totalCount": 1, "nodes": [{"messageCount": 1}]}
    assert await last(ada, conversation) == {"body": "hello", "warning": None}


async def test_what_is_flagged_carries_a_warning(ada: Client, grace: Client) -> None:
    """For everybody, from the answer of the send on; an edit takes it away, or brings it."""
    conversation = await ada.start(grace)
    sent = await run(ada, "sendMessage", "SendMessageInput", to={"conversationId": conversation}, body="flag me")
    assert sent["message"]["warning"] == "Careful."
    assert await last(grace, conversation) == {"body": "flag me", "warning": "Careful."}
    key = sent["message"]["id"]
    for body, warning in (
        ("fine", None),
        ("what the heck", "It may be offensive."),
        ("fail", "It could not be checked."),
    ):
        edited = await run(ada, "editMessage", "EditMessageInput", messageId=key, body=body)
        assert (edited["errors"], edited["message"]["warning"]) == ([], warning)
    started = await run(
        ada,
        "startConversation",
        "StartConversationInput",
        participantIds=[await grace.id()],
        firstMessage={"body": "flag me"},
    )
    assert started["message"]["warning"] == "Careful, whoever you are."


async def test_what_is_due_is_checked_then(ada: Client, grace: Client) -> None:
    """A scheduled message that is rejected ends as a failed one, and one that is flagged carries its warning."""
    conversation = await ada.start(grace)
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    for body in ("darn", "heck"):
        data = await ada.run(
            f"mutation ($input: ScheduleMessageInput!) {{ scheduleMessage(input: $input) {{ {ERRORS} }} }}",
            input={"to": {"conversationId": conversation}, "body": body, "sendAt": at},
        )
        assert data["scheduleMessage"]["errors"] == []
    query = "{ viewer { scheduledMessages(status: [SENT, FAILED]) { nodes { body status failure { code } } } } }"

    nodes: list[Json] = []
    async with asyncio.timeout(PATIENCE):
        while len(nodes) < 2:
            nodes = (await ada.run(query))["viewer"]["scheduledMessages"]["nodes"]
    assert sorted((node["body"], node["status"], node["failure"]) for node in nodes) == [
        ("darn", "FAILED", {"code": "CONTENT_REJECTED"}),
        ("heck", "SENT", None),
    ]
    assert await last(grace, conversation) == {"body": "heck", "warning": "It may be offensive."}


async def test_nobody_repeats_themselves_for_long(ada: Client, grace: Client, linus: Client) -> None:
    """Wherever it is said; sending again what got no answer does not count."""
    one, other = await ada.start(grace), await ada.start(linus)
    for _ in range(5):
        assert (await ada.send(one, "buy!", clientMessageId="k"))["errors"] == []
    for conversation in (one, other):
        assert (await ada.send(conversation, "Buy!"))["errors"] == []
    payload = await ada.send(other, "buy!")
    assert [error["code"] for error in payload["errors"]] == ["CONTENT_REJECTED"]
    assert (await ada.send(one, "buy!", clientMessageId="k"))["deduplicated"]
    assert (await grace.send(one, "buy!"))["errors"] == []


def test_a_check_that_cannot_be_is_told_at_the_start(tmp_path: Path) -> None:
    """And not when somebody sends."""
    words = tmp_path / "words"
    words.write_bytes(b"\xff\xfe")
    url = "postgresql://nobody@localhost/none"
    for settings, told in (
        (Settings(database_url=url, content_check="nowhere:Check"), "nowhere:Check"),
        (Settings(database_url=url, word_list=words), "cannot be read"),
    ):
        with pytest.raises(CheckError, match=told):
            create_app(settings)
