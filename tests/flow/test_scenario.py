"""Three people and a moderator use everything there is, in one story: what each is answered, and what each hears."""

import asyncio
import hashlib
import json
import sys
from asyncio.subprocess import PIPE
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.flow.client import PATIENCE, Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.database import rows
from tests.flow.host import KEY, Host, hosted
from tests.flow.people import Person, present
from tests.flow.test_import import PROJECT
from tests.flow.test_import import environment as environment_of

MESSAGE = "message { id seq body editedAt }"
KEYS = "one:" + b64encode(b"k" * 32).decode()
TEXT = b"Wednesday, at four\n"


@dataclass
class Crew:
    """Who is in the story, and their group."""

    parley: Parley
    ada: Person
    grace: Person
    linus: Person
    group: str = ""

    @property
    def everybody(self) -> tuple[Person, ...]:
        return self.ada, self.grace, self.linus

    async def all_hear(self, *kinds: str) -> list[list[Json]]:
        return [await person.hears(*kinds) for person in self.everybody]

    async def said(self, person: Person, body: str, **more: object) -> Json:
        """A message in the group, which everybody hears."""
        sent = await person.do("sendMessage", MESSAGE, to={"conversationId": self.group}, body=body, **more)
        for (event,) in await self.all_hear("MessageSent"):
            assert event["message"]["body"] == body
            assert event["actor"] == {"handle": person.client.handle}
        message: Json = sent["message"]
        return message


@pytest.fixture
async def parley(database_url: str, tmp_path: Path) -> AsyncIterator[Parley]:
    words = tmp_path / "words.txt"
    words.write_text("fiddlesticks\n")
    async with (
        hosted(Host(b'{"allowed": false, "reason": "it was sold"}')) as address,
        serving(
            database_url,
            word_list=words,
            encryption_keys=SecretStr(KEYS),
            attachments_dir=tmp_path / "attachments",
            rate_limits=("unpinMessage=1", "*=unlimited"),
            context_url=address,
            context_secret=SecretStr(KEY),
        ) as running,
    ):
        yield running


async def test_a_story(parley: Parley, ada: Client, grace: Client, linus: Client, tmp_path: Path) -> None:
    """Every chapter begins where the one before ended; at the end nobody has heard anything that is not in it."""
    moderator = parley.user("mod", roles=["moderator"])
    async with present(ada, grace, linus) as (one, two, three):
        crew = Crew(parley, one, two, three)
        await _a_group_is_started(crew)
        await _somebody_is_mentioned_and_answers(crew)
        await _messages_change(crew)
        await _a_file_goes_round(crew)
        await _things_are_found(crew)
        await _people_come_and_go(crew)
        await _everybody_keeps_their_own_order(crew)
        await _something_is_said_later(crew)
        await _two_no_longer_talk(crew)
        await _a_secret_is_kept(crew)
        await _the_application_speaks(crew)
        await _some_words_are_not_taken(crew)
        await _somebody_goes_too_far(crew, moderator)
        await _people_show_themselves(crew)
        await _all_is_counted(crew, moderator)
        for person in crew.everybody:
            person.heard_all()
        await _one_of_them_is_forgotten(crew, tmp_path)


async def _a_group_is_started(crew: Crew) -> None:
    started = await crew.ada.do(
        "startConversation",
        "conversation { id viewerState { role } } message { seq }",
        participantIds=[crew.grace.id, crew.linus.id],
        title="Engines",
        firstMessage={"body": "Shall we **begin**?", "format": "MARKDOWN", "clientMessageId": "begin"},
    )
    crew.group = started["conversation"]["id"]
    assert started["conversation"]["viewerState"] == {"role": "OWNER"}
    for begun, said in await crew.all_hear("ConversationStarted", "MessageSent"):
        assert begun["conversation"] == {"id": crew.group, "displayTitle": "Engines"}
        assert "<strong>begin</strong>" in said["message"]["bodyHtml"]


async def _somebody_is_mentioned_and_answers(crew: Crew) -> None:
    asked = await crew.ada.do(
        "sendMessage", MESSAGE, to={"conversationId": crew.group}, body="@grace, can you?", clientMessageId="ask"
    )
    for (event,) in await crew.all_hear("MessageSent"):
        assert event["message"]["mentions"] == [{"handle": "grace"}]
    mentions = await crew.grace.ask("{ viewer { mentions(first: 5) { nodes { body } } } }")
    assert mentions["viewer"]["mentions"]["nodes"] == [{"body": "@grace, can you?"}]

    await crew.grace.do("addReaction", "message { seq }", messageId=asked["message"]["id"], emoji="👍🏽")
    heard = [(await person.hears("ReactionsChanged"))[0] for person in crew.everybody]
    groups = [event["message"]["reactions"] for event in heard]
    assert groups == [[{"emoji": "👍🏽", "count": 1, "viewerHasReacted": mine}] for mine in (False, True, False)]
    assert await crew.linus.refused("addReaction", messageId=asked["message"]["id"], emoji="OK") == ["VALIDATION_ERROR"]

    await crew.said(crew.linus, "I can, too", replyToId=asked["message"]["id"])
    thread = await crew.ada.ask(
        "query ($id: ID!) { node(id: $id) { ... on Message { replyCount replies(first: 5) { nodes { body } } } } }",
        id=asked["message"]["id"],
    )
    assert thread["node"] == {"replyCount": 1, "replies": {"nodes": [{"body": "I can, too"}]}}
    await crew.grace.do("markRead", conversationId=crew.group)
    read = await crew.ada.ask(
        "query ($id: ID!) { node(id: $id) { ... on Message { status readBy(first: 5) { nodes { user { handle } } } } } }",
        id=asked["message"]["id"],
    )
    assert sorted(reader["user"]["handle"] for reader in read["node"]["readBy"]["nodes"]) == ["grace", "linus"]
    assert read["node"]["status"] == "READ"


async def _messages_change(crew: Crew) -> None:
    sent = await crew.said(crew.ada, "Thrusday")
    edited = await crew.ada.do(
        "editMessage", MESSAGE, messageId=sent["id"], body="Thursday, perhaps", expectedEditedAt=None
    )
    for (event,) in await crew.all_hear("MessageEdited"):
        assert event["message"]["body"] == "Thursday, perhaps"
    again = {"messageId": sent["id"], "body": "Friday", "expectedEditedAt": None}
    assert await crew.ada.refused("editMessage", **again) == ["EDIT_CONFLICT"]
    assert await crew.grace.refused("editMessage", **again) == ["PERMISSION_DENIED"]
    assert edited["message"]["editedAt"] is not None
    kept = await crew.ada.ask(
        "query ($id: ID!) { node(id: $id) { ... on Message { edits { body } viewerCanEdit viewerCanDelete } } }",
        id=sent["id"],
    )
    assert kept["node"] == {"edits": [{"body": "Thrusday"}], "viewerCanEdit": True, "viewerCanDelete": True}

    await crew.said(crew.grace, "Which?", replyToId=sent["id"])
    assert await crew.linus.refused("deleteMessage", messageId=sent["id"]) == ["PERMISSION_DENIED"]
    await crew.ada.do("deleteMessage", MESSAGE, messageId=sent["id"])
    for (event,) in await crew.all_hear("MessageDeleted"):
        assert (event["message"]["seq"], event["message"]["body"]) == (sent["seq"], "")
        assert event["message"]["deletedAt"] is not None
    page = await crew.linus.ask(
        "query ($id: ID!) { conversation(id: $id) { messages(last: 2) { nodes { body replyTo { body deletedAt } } } } }",
        id=crew.group,
    )
    tombstone, reply = page["conversation"]["messages"]["nodes"]
    assert (tombstone["body"], reply["body"], reply["replyTo"]["body"]) == ("", "Which?", "")
    assert await rows(crew.parley.database_url, "SELECT FROM parley.message_edits") == []


async def _a_file_goes_round(crew: Crew) -> None:
    created = await crew.ada.do(
        "createUpload",
        "attachment { id } uploadUrl method headers { name value }",
        filename="plan.txt",
        contentType="text/plain",
        size=len(TEXT),
        checksum=hashlib.sha256(TEXT).hexdigest(),
    )
    async with httpx.AsyncClient(base_url=crew.parley.url) as bare:
        uploaded = await bare.request(
            created["method"],
            created["uploadUrl"],
            content=TEXT,
            headers={header["name"]: header["value"] for header in created["headers"]},
        )
        assert uploaded.status_code == 204, uploaded.text
        message = await crew.said(crew.ada, "", attachmentIds=[created["attachment"]["id"]])
        found = await crew.grace.ask(
            "query ($id: ID!) { node(id: $id) { ... on Message { attachments { id filename url } } } }",
            id=message["id"],
        )
        (attachment,) = found["node"]["attachments"]
        loaded = await bare.get(attachment["url"])
    assert (loaded.content, attachment["filename"]) == (TEXT, "plan.txt")
    assert loaded.headers["X-Content-Type-Options"] == "nosniff"
    assert loaded.headers["Content-Disposition"].startswith("attachment")
    eve = crew.parley.user("eve")
    assert await eve.run("query ($id: ID!) { node(id: $id) { id } }", id=attachment["id"]) == {"node": None}


async def _search(person: Person, query: str, **filters: object) -> list[str]:
    found = await person.ask(
        "query ($query: String!, $filter: MessageSearchFilter) "
        "{ searchMessages(query: $query, filter: $filter, first: 5) { edges { snippet } } }",
        query=query,
        filter=filters or None,
    )
    return [edge["snippet"] for edge in found["searchMessages"]["edges"]]


async def _things_are_found(crew: Crew) -> None:
    message = await crew.said(crew.linus, "The Difference Engine <2>, number two")

    async with asyncio.timeout(PATIENCE):
        while not (found := await _search(crew.grace, "difference")):  # noqa: ASYNC110  (it is taken in after the commit)
            await asyncio.sleep(0.05)
    assert found == ["The <mark>Difference</mark> Engine &lt;2&gt;, number two"]
    assert await _search(crew.grace, "difference", senderId=crew.ada.id) == []
    assert await _search(crew.grace, "thursday") == []  # it was deleted
    eve = crew.parley.user("eve")
    assert (await eve.run('{ searchMessages(query: "engine") { edges { snippet } } }'))["searchMessages"]["edges"] == []

    await crew.grace.do("pinMessage", messageId=message["id"])
    for (event,) in await crew.all_hear("ConversationChanged"):
        assert event["actor"] == {"handle": "grace"}
    pinned = await crew.ada.ask("query ($id: ID!) { conversation(id: $id) { pinnedMessages { id } } }", id=crew.group)
    assert pinned["conversation"]["pinnedMessages"] == [{"id": message["id"]}]
    await crew.grace.do("unpinMessage", messageId=message["id"])
    await crew.all_hear("ConversationChanged")
    assert await crew.grace.refused("unpinMessage", messageId=message["id"]) == ["RATE_LIMITED"]
    limits = (await crew.grace.ask("{ rateLimit { mutations { kind limit remaining } } }"))["rateLimit"]["mutations"]
    assert {"kind": "unpinMessage", "limit": 1, "remaining": 0} in limits


async def _people_come_and_go(crew: Crew) -> None:
    group = crew.group
    assert await crew.linus.refused("updateConversation", conversationId=group, title="Mine") == ["PERMISSION_DENIED"]
    await crew.ada.do("updateConversation", conversationId=group, title="Analytical Engines", history="FROM_JOINING")
    for changed in await crew.all_hear("ConversationChanged", "MessageSent"):
        assert changed[0]["conversation"]["displayTitle"] == "Analytical Engines"
        assert (changed[1]["message"]["kind"], changed[1]["message"]["sender"]) == ("SYSTEM", None)

    margaret = crew.parley.user("margaret")
    async with present(margaret) as (late,):
        await crew.ada.do("addParticipants", conversationId=group, participantIds=[late.id])
        for events in await crew.all_hear("ParticipantsChanged", "MessageSent"):
            assert [each["user"]["handle"] for each in events[0]["added"]] == ["margaret"]
        (joined, *_) = await late.hears("ConversationStarted", "MessageSent")
        assert joined["conversation"]["id"] == group
        seen = await late.ask(
            "query ($id: ID!) { conversation(id: $id) { messages(first: 50) { nodes { kind } totalCount } } }", id=group
        )
        assert seen["conversation"]["messages"] == {"nodes": [{"kind": "SYSTEM"}], "totalCount": 1}

        await crew.ada.do("setParticipantRole", conversationId=group, userId=crew.grace.id, role="ADMIN")
        await crew.all_hear("ConversationChanged")
        await late.hears("ConversationChanged")
        await crew.grace.do("removeParticipant", conversationId=group, userId=late.id)
        await crew.all_hear("ParticipantsChanged", "MessageSent")
        await late.hears("AccessRevoked")
        late.heard_all()
    assert await crew.grace.refused("removeParticipant", conversationId=group, userId=crew.ada.id) == [
        "PERMISSION_DENIED"
    ]


async def _everybody_keeps_their_own_order(crew: Crew) -> None:
    inbox = "query ($filter: ConversationFilter) { conversations(filter: $filter) { nodes { id } } }"

    async def listed(**wanted: object) -> bool:
        nodes = (await crew.linus.ask(inbox, filter=wanted))["conversations"]["nodes"]
        return {"id": crew.group} in nodes

    await crew.linus.do("markRead", conversationId=crew.group)
    await crew.linus.do("updateViewerState", conversationId=crew.group, isArchived=True, isPinned=True)
    await crew.linus.hears_state(isArchived=True, isPinned=True)
    assert (await listed(), await listed(archived=True)) == (False, True)
    await crew.said(crew.ada, "Back to work")
    assert (await listed(), await listed(archived=True)) == (True, False)

    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert (await crew.linus.ask("{ viewer { unreadCount } }"))["viewer"]["unreadCount"] == 1
    await crew.linus.do("updateViewerState", conversationId=crew.group, mutedUntil=until_then)
    await crew.linus.hears_state(unreadCount=1)
    assert (await crew.linus.ask("{ viewer { unreadCount } }"))["viewer"]["unreadCount"] == 0
    await crew.linus.do("markRead", conversationId=crew.group)
    state = await crew.linus.do(
        "updateViewerState",
        "conversation { viewerState { unreadCount isArchived mutedUntil } messageCount }",
        conversationId=crew.group,
        unreadFromSeq=1,
        mutedUntil=None,
    )
    conversation = state["conversation"]
    assert conversation["viewerState"] == {
        "unreadCount": conversation["messageCount"],
        "isArchived": False,
        "mutedUntil": None,
    }
    await crew.linus.hears_state(unreadFromSeq=1, mutedUntil=None)
    await crew.linus.do("markRead", conversationId=crew.group)
    await crew.linus.hears_state(unreadFromSeq=None, unreadCount=0)


async def _something_is_said_later(crew: Crew) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    planned = await crew.grace.do(
        "scheduleMessage",
        "scheduledMessage { id status }",
        to={"conversationId": crew.group},
        body="Tea is reddy",
        sendAt=soon.isoformat(),
    )
    assert planned["scheduledMessage"]["status"] == "PENDING"
    key = planned["scheduledMessage"]["id"]
    await crew.grace.do("rescheduleMessage", scheduledMessageId=key, body="Tea is ready")
    never = await crew.grace.do(
        "scheduleMessage",
        "scheduledMessage { id }",
        to={"conversationId": crew.group},
        body="never",
        sendAt=soon.isoformat(),
    )
    await crew.grace.do(
        "cancelScheduledMessage", "scheduledMessage { status }", scheduledMessageId=never["scheduledMessage"]["id"]
    )
    for (event,) in await crew.all_hear("MessageSent"):
        assert event["message"]["body"] == "Tea is ready"
    assert timedelta(0) <= datetime.now(UTC) - soon < timedelta(seconds=2)
    found = await crew.grace.ask(
        "query ($id: ID!) { node(id: $id) { ... on ScheduledMessage { status message { body } } } }", id=key
    )
    assert found["node"] == {"status": "SENT", "message": {"body": "Tea is ready"}}


async def _two_no_longer_talk(crew: Crew) -> None:
    direct = await crew.linus.do(
        "sendMessage", "conversation { id } message { seq }", to={"userId": crew.grace.id}, body="psst"
    )
    await crew.linus.hears("ConversationStarted", "MessageSent")
    await crew.grace.hears("ConversationStarted", "MessageSent")
    await crew.grace.do("blockUser", "user { viewerHasBlocked }", userId=crew.linus.id)
    there = {"to": {"conversationId": direct["conversation"]["id"]}, "body": "hello?"}
    assert await crew.linus.refused("sendMessage", **there) == ["BLOCKED"]
    assert await crew.grace.refused("sendMessage", **there) == ["BLOCKED"]
    pair = {"participantIds": [crew.grace.id], "title": "Us"}
    assert await crew.linus.refused("startConversation", **pair) == ["BLOCKED"]
    await crew.said(crew.linus, "Here I may")
    blocked = await crew.grace.ask("{ viewer { blockedUsers { nodes { handle } } } }")
    assert blocked["viewer"]["blockedUsers"]["nodes"] == [{"handle": "linus"}]
    await crew.grace.do("unblockUser", userId=crew.linus.id)
    await crew.linus.do("sendMessage", MESSAGE, **there)
    await crew.linus.hears("MessageSent")
    await crew.grace.hears("MessageSent")


async def _a_secret_is_kept(crew: Crew) -> None:
    started = await crew.ada.do(
        "startConversation",
        "conversation { id isSensitive }",
        participantIds=[crew.linus.id],
        title="Vault",
        isSensitive=True,
        firstMessage={"body": "xyzzy opens it"},
    )
    assert started["conversation"]["isSensitive"] is True
    for person in (crew.ada, crew.linus):
        _, said = await person.hears("ConversationStarted", "MessageSent")
        assert said["message"]["body"] == "xyzzy opens it"
    stored = await rows(crew.parley.database_url, "SELECT m::text FROM parley.messages m ORDER BY created_at")
    assert not any("xyzzy" in row[0] for row in stored)
    assert await _search(crew.linus, "xyzzy") == []


async def _the_application_speaks(crew: Crew) -> None:
    service = crew.parley.user("app", roles=["service"])
    sent = await service.run(
        "mutation ($input: SendMessageInput!) { sendMessage(input: $input) "
        "{ message { kind } errors { ... on UserError { code } } } }",
        input={"to": {"conversationId": crew.group}, "body": "Your order has shipped", "kind": "NOTIFICATION"},
    )
    assert sent["sendMessage"]["errors"] == []
    for (event,) in await crew.all_hear("MessageSent"):
        assert event["message"]["kind"] == "NOTIFICATION"
    for kind in ("NOTIFICATION", "SYSTEM"):
        given = {"to": {"conversationId": crew.group}, "body": "not mine to say", "kind": kind}
        assert await crew.ada.refused("sendMessage", **given) == ["PERMISSION_DENIED"]


async def _some_words_are_not_taken(crew: Crew) -> None:
    there: dict[str, Any] = {"to": {"conversationId": crew.group}}
    assert await crew.linus.refused("sendMessage", **there, body="Oh, fiddlesticks!") == ["CONTENT_REJECTED"]
    about = {"participantIds": [crew.ada.id], "context": {"type": "lamp", "id": "7"}}
    assert await crew.linus.refused("startConversation", **about) == ["CONTEXT_UNAVAILABLE"]


async def _somebody_goes_too_far(crew: Crew, moderator: Client) -> None:
    message = await crew.said(crew.linus, "You are all bores")
    reported = await crew.grace.do(
        "reportMessage", "report { id status }", messageId=message["id"], category="ABUSE", note="Again!"
    )
    for outsider in (crew.linus.client, crew.ada.client):
        answer = await outsider.post("{ reports { totalCount } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    async with present(moderator) as (judge,):
        queue = await judge.ask(
            "{ reports(status: OPEN) { nodes { id note message { body sender { id } } contextMessages { body } } } }"
        )
        (report,) = queue["reports"]["nodes"]
        assert (report["id"], report["note"]) == (reported["report"]["id"], "Again!")
        assert report["message"]["body"] == "You are all bores"
        assert {"body": "Your order has shipped"} in report["contextMessages"]
        decided = {"reportId": report["id"], "resolution": "REMOVE_MESSAGE"}
        await judge.do("resolveReport", "report { status }", **decided)
        for (event,) in await crew.all_hear("MessageDeleted"):
            assert event["message"]["body"] == ""
        until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        await judge.do("restrictUser", userId=crew.linus.id, until=until_then, note="an hour to think")
        there = {"to": {"conversationId": crew.group}, "body": "So what"}
        assert await crew.linus.refused("sendMessage", **there) == ["PERMISSION_DENIED"]
        await judge.do("restrictUser", userId=crew.linus.id, until=None)
        trail = await judge.ask("{ auditTrail(first: 10) { nodes { action actor { handle } user { handle } } } }")
        actions = [entry["action"] for entry in trail["auditTrail"]["nodes"]]
        assert actions == ["RESTRICTION_LIFTED", "USER_RESTRICTED", "MESSAGE_REMOVED"]
        assert {entry["actor"]["handle"] for entry in trail["auditTrail"]["nodes"]} == {"mod"}
    await crew.said(crew.linus, "I am sorry")


async def _people_show_themselves(crew: Crew) -> None:
    await crew.linus.do("updateProfile", "user { name }", name="Linus T.")
    found = await crew.ada.ask('{ users(query: "linus t") { nodes { handle name presence { status } } } }')
    assert found["users"]["nodes"] == [{"handle": "linus", "name": "Linus T.", "presence": {"status": "ONLINE"}}]
    watching = crew.parley.user("margaret")
    async with watching.socket() as socket:
        operation = await socket.subscribe(
            "subscription ($ids: [ID!]!) { presence(userIds: $ids) { user { handle } presence { status } } }",
            ids=[crew.linus.id],
        )
        seen = (await socket.next(operation))["presence"]
        assert seen == {"user": {"handle": "linus"}, "presence": {"status": "ONLINE"}}
        await crew.linus.do("updateProfile", "user { name }", sharesPresence=False)
        seen = (await socket.next(operation))["presence"]
        assert seen == {"user": {"handle": "linus"}, "presence": {"status": "OFFLINE"}}


async def _all_is_counted(crew: Crew, moderator: Client) -> None:
    (stored,) = await rows(crew.parley.database_url, "SELECT count(*) FROM parley.messages WHERE kind <> 'SYSTEM'")
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    query = """query ($since: DateTime!) { statistics(since: $since, bucket: HOUR) {
        totals { messages conversationsStarted activeUsers } } }"""
    async with asyncio.timeout(PATIENCE):
        while (await moderator.run(query, since=since))["statistics"]["totals"]["messages"] != stored[0]:  # noqa: ASYNC110  (after the commit)
            await asyncio.sleep(0.1)
    counted = (await moderator.run(query, since=since))["statistics"]["totals"]
    assert counted["conversationsStarted"] == 3
    answer = await crew.ada.client.post(query, since=since)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


async def _one_of_them_is_forgotten(crew: Crew, tmp_path: Path) -> None:
    environment = environment_of(crew.parley.database_url) | {
        "PARLEY_ENCRYPTION_KEYS": KEYS,
        "PARLEY_ATTACHMENTS_DIR": str(tmp_path / "attachments"),
    }

    async def command(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "server.py", *arguments, cwd=PROJECT, env=environment, stdout=PIPE, stderr=PIPE
        )
        output, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
        return output.decode()

    exported = [json.loads(line) for line in (await command("export", "--user", "linus")).splitlines()]
    bodies = [line["body"] for line in exported if line["type"] == "message"]
    assert {"I am sorry", "psst", "xyzzy opens it"} < set(bodies)

    await command("erase", "--user", "linus", "--messages", "delete", "--yes")
    left = await crew.ada.ask(
        """query ($id: ID!) { conversation(id: $id) { participants { nodes { user { handle } } }
            messages(last: 3) { nodes { body deletedAt sender { handle } } } } }""",
        id=crew.group,
    )
    there = [each["user"]["handle"] for each in left["conversation"]["participants"]["nodes"]]
    assert sorted(there) == ["ada", "grace"]
    forgotten = left["conversation"]["messages"]["nodes"][-1]
    assert (forgotten["body"], forgotten["sender"]) == ("", None)
    assert await rows(crew.parley.database_url, "SELECT FROM parley.users WHERE handle = 'linus'") == []
    everything_else = await crew.ada.ask('{ users(query: "linus") { totalCount } }')
    assert everything_else["users"]["totalCount"] == 0
