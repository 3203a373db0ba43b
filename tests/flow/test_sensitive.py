"""Sensitive conversations: like any other for those who take part, and unreadable where they are stored."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db import rotation
from db.encryption import Keyring
from db.encryption_keys import UnusableKeysError, try_on
from tests.flow.client import SECRET as TOKEN
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.database import everything, rows, run
from tests.flow.membership import add, roles
from tests.flow.test_attachments import upload
from tests.flow.test_lifecycle import run as command
from tests.flow.test_pins import pin, pinned
from tests.flow.test_statements import statements

SECRET = "the treasure is under the oak"
ONE, TWO = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
KEYS = f"one:{ONE}"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()

MESSAGE = "seq body bodyHtml replyTo { body } edits { body }"
PAGE = f"""query ($id: ID!) {{ conversation(id: $id) {{ isSensitive lastMessage {{ {MESSAGE} }}
    messages {{ nodes {{ id {MESSAGE} replies {{ nodes {{ body }} }} }} }} }} }}"""


@pytest.fixture
async def parley(database_url: str) -> AsyncIterator[Parley]:
    async with serving(database_url, encryption_keys=KEYS) as running:
        yield running


async def bodies(client: Client, conversation: str) -> list[str]:
    page = (await client.run(PAGE, id=conversation))["conversation"]
    assert page["isSensitive"]
    return [node["body"] for node in page["messages"]["nodes"]]


async def edit(client: Client, message: str, body: str) -> None:
    payload = await client.run(
        "mutation ($input: EditMessageInput!) { editMessage(input: $input) { errors { __typename } } }",
        input={"messageId": message, "body": body},
    )
    assert payload["editMessage"]["errors"] == []


async def schedule(client: Client, conversation: str, body: str) -> Json:
    """To be sent tomorrow."""
    payload = await client.run(
        """mutation ($input: ScheduleMessageInput!) { scheduleMessage(input: $input) {
            deduplicated scheduledMessage { id body } errors { ... on UserError { code message } } } }""",
        input={
            "to": {"conversationId": conversation},
            "body": body,
            "clientMessageId": "later",
            "sendAt": TOMORROW,
        },
    )
    found: Json = payload["scheduleMessage"]
    return found


async def test_nothing_of_it_is_stored(parley: Parley, ada: Client, grace: Client) -> None:
    """However it is said and read: first message, reply, edit, what it said before, a page, an inbox, an event, a node."""
    first = {"body": f"{SECRET} 1", "clientMessageId": "k"}
    conversation = await ada.start(grace, isSensitive=True, title="plans", firstMessage=first)
    async with grace.socket() as socket:
        stream = await socket.subscribe(
            f"""subscription ($id: ID!) {{ conversationEvents(conversationId: $id) {{
                ... on MessageSent {{ message {{ {MESSAGE} }} }} ... on MessageEdited {{ message {{ {MESSAGE} }} }} }} }}""",
            id=conversation,
        )
        await socket.send(type="ping")
        await socket.receive()
        (message,) = (await ada.run(PAGE, id=conversation))["conversation"]["messages"]["nodes"]
        sent = await ada.send(conversation, f"**{SECRET}** 2", replyToId=message["id"], format="MARKDOWN")
        await edit(ada, sent["message"]["id"], f"{SECRET} 3")
        heard = [(await socket.next(stream))["conversationEvents"]["message"] for _ in range(2)]
    said = {
        "seq": 2,
        "body": f"{SECRET} 3",
        "bodyHtml": f"<p>{SECRET} 3</p>",
        "replyTo": {"body": f"{SECRET} 1"},
        "edits": [{"body": f"**{SECRET}** 2"}],
    }
    page = (await ada.run(PAGE, id=conversation))["conversation"]
    inbox = f"{{ conversations {{ nodes {{ lastMessage {{ {MESSAGE} }} }} }} }}"
    node = f"query ($id: ID!) {{ node(id: $id) {{ ... on Message {{ {MESSAGE} }} }} }}"
    assert page["lastMessage"] == said
    assert heard[1] == {**said, "edits": []}  # which are the sender's to see
    assert heard[0]["replyTo"] == {"body": f"{SECRET} 1"}
    assert [each["body"] for each in page["messages"]["nodes"]] == [f"{SECRET} 1", f"{SECRET} 3"]
    assert page["messages"]["nodes"][0]["replies"] == {"nodes": [{"body": f"{SECRET} 3"}]}
    assert (await ada.run(inbox))["conversations"]["nodes"] == [{"lastMessage": said}]
    assert (await ada.run(node, id=sent["message"]["id"]))["node"] == said
    later = await schedule(ada, conversation, f"{SECRET} 4")
    assert later["scheduledMessage"]["body"] == f"{SECRET} 4"
    assert (await schedule(ada, conversation, f"{SECRET} 4")) == {**later, "deduplicated": True}
    assert [error["code"] for error in (await schedule(ada, conversation, "other"))["errors"]] == [
        "IDEMPOTENCY_CONFLICT"
    ]
    assert SECRET not in repr(await everything(parley.database_url))
    assert len(await rows(parley.database_url, "SELECT FROM parley.message_edits WHERE body LIKE 'aesgcm1.one.%'")) == 1


async def test_a_message_is_sent_once(ada: Client, grace: Client) -> None:
    """As anywhere: a repeat is the same message, other content is a conflict, at once or later."""
    conversation = await ada.start(grace, isSensitive=True)
    sends = [ada.send(conversation, "hello", clientMessageId="k") for _ in range(10)]
    answers = await asyncio.gather(*sends)
    assert {answer["message"]["seq"] for answer in answers} == {1}
    assert sorted(answer["deduplicated"] for answer in answers) == [False] + [True] * 9
    for body, more in [("other", {}), ("hello", {"format": "MARKDOWN"})]:
        (error,) = (await ada.send(conversation, body, clientMessageId="k", **more))["errors"]
        assert error["code"] == "IDEMPOTENCY_CONFLICT"
    assert await bodies(grace, conversation) == ["hello"]


async def test_a_start_is_repeated(parley: Parley, ada: Client, grace: Client) -> None:
    """It is the same, if the first message says the same; a digest of that is not kept, which would give it away."""
    started = {"isSensitive": True, "title": "t", "firstMessage": {"body": "no", "clientMessageId": "k"}}
    conversation = await ada.start(grace, **started)
    assert await ada.start(grace, **started) == conversation
    await run(parley.database_url, "UPDATE parley.conversation_starts SET seq = seq")
    answer = await ada.run(
        "mutation ($input: StartConversationInput!) { startConversation(input: $input) { errors { ... on UserError { code } } } }",
        input={
            **started,
            "participantIds": [await grace.id()],
            "firstMessage": {"body": "yes", "clientMessageId": "k"},
        },
    )
    assert answer["startConversation"]["errors"] == [{"code": "IDEMPOTENCY_CONFLICT"}]


async def _errors(client: Client, other: Client, **more: object) -> list[Json]:
    answer = await client.run(
        """mutation ($input: StartConversationInput!) { startConversation(input: $input) { errors {
            __typename ... on UserError { path } ... on ConversationExistsError { conversation { id isSensitive } } } } }""",
        input={"participantIds": [await other.id()], **more},
    )
    found: list[Json] = answer["startConversation"]["errors"]
    return found


async def test_it_stays_what_it_is(ada: Client, grace: Client, linus: Client) -> None:
    """A direct conversation that is not sensitive does not pass for one that is; the other way round it does."""
    plain = await ada.start(grace)
    assert await _errors(ada, grace, isSensitive=True) == [
        {
            "__typename": "ConversationExistsError",
            "path": ["input", "isSensitive"],
            "conversation": {"id": plain, "isSensitive": False},
        }
    ]
    sensitive = await ada.start(linus, isSensitive=True)
    assert await linus.start(ada) == sensitive
    assert await bodies(ada, sensitive) == []


async def test_files_are_not_taken(ada: Client, grace: Client) -> None:
    """They would not be encrypted."""
    conversation = await ada.start(grace, isSensitive=True)
    file = (await upload(ada))["id"]
    (error,) = (await ada.send(conversation, "x", attachmentIds=[file]))["errors"]
    assert (error["code"], error["path"]) == ("VALIDATION_ERROR", ["input", "attachmentIds"])


async def test_it_is_read_by_as_few_statements(parley: Parley, ada: Client, grace: Client) -> None:
    """And sent by one."""
    conversation = await ada.start(grace, isSensitive=True)
    page = "query ($id: ID!) { conversation(id: $id) { lastMessage { body } messages { nodes { body replyTo { body } } } } }"
    send = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { errors { __typename } } }"
    assert await statements(parley, ada, send, input={"to": {"conversationId": conversation}, "body": "x"}) == 1
    assert await statements(parley, ada, page, id=conversation) == 1


async def test_without_keys_there_are_none(database_url: str) -> None:
    """It is refused, and nothing is started."""
    async with serving(database_url) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        assert await _errors(ada, grace, isSensitive=True) == [
            {"__typename": "ValidationError", "path": ["input", "isSensitive"]}
        ]
        assert (await ada.run("{ conversations { totalCount } }"))["conversations"]["totalCount"] == 0


async def test_keys_are_changed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by both, written by the new one, encrypted anew in pieces, even if that is interrupted; then the old one may go."""
    async with serving(database_url, encryption_keys=KEYS) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversations = [await ada.start(grace, isSensitive=True, title=str(number)) for number in range(3)]
        for conversation in conversations:
            await ada.send_all(conversation, *map(str, range(5)))
        message = (await ada.send(conversations[0], "before"))["message"]["id"]
        await edit(ada, message, "after")
        assert (await schedule(ada, conversations[2], "later"))["errors"] == []
    both, new = (
        Keyring({"two": base64.b64decode(TWO), "one": base64.b64decode(ONE)}),
        Keyring({"two": base64.b64decode(TWO)}),
    )
    async with serving(database_url, encryption_keys=f"two:{TWO},{KEYS}") as parley:
        ada = parley.user("ada")
        await ada.send(conversations[1], "new")
        monkeypatch.setattr(rotation, "_TOGETHER", 2)

        def interrupt(total: int) -> None:
            if total >= 6:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await rotation.rotate(database_url, both, told=interrupt)
        with pytest.raises(UnusableKeysError, match="no key 'one'"):
            await try_on(database_url, new)
        assert await rotation.rotate(database_url, both, told=lambda _: None) == 18 - 6
        assert await rotation.rotate(database_url, both, told=lambda _: None) == 0
    await try_on(database_url, new)
    async with serving(database_url, encryption_keys=f"two:{TWO}") as parley:
        ada = parley.user("ada")
        expected = [[*map(str, range(5)), more] for more in ("after", "new")] + [[*map(str, range(5))]]
        assert [await bodies(ada, conversation) for conversation in conversations] == expected
    for table in ("message_edits", "scheduled_messages"):
        assert await rows(database_url, f"SELECT FROM parley.{table} WHERE body LIKE 'aesgcm1.two.%'") == [()]


async def test_the_command_line_knows_of_keys(database_url: str, tmp_path: Path) -> None:
    """A server without one that is needed does not start, and says which; they can be tried, and changed."""
    async with serving(database_url, encryption_keys=KEYS) as parley:
        conversation = await parley.user("ada").start(parley.user("grace"), isSensitive=True)
        await parley.user("ada").send(conversation, "hello")

    def said(*arguments: str, keys: str) -> tuple[int, str]:
        ended = command(tmp_path, *arguments, DATABASE_URL=database_url, TOKEN_SECRET=TOKEN, ENCRYPTION_KEYS=keys)
        return ended.returncode, ended.stdout + ended.stderr

    code, text = await asyncio.to_thread(said, "serve", keys=f"two:{TWO}")
    assert (code, text.splitlines()[0][:50]) == (1, "parley: PARLEY_ENCRYPTION_KEYS has no key 'one', and"[:50])
    assert len(text.splitlines()) == 1
    code, text = await asyncio.to_thread(said, "check-config", "--keys", keys=f"one:{TWO}")
    assert (code, "the key 'one' in PARLEY_ENCRYPTION_KEYS is another one" in text) == (1, True)
    code, text = await asyncio.to_thread(said, "rotate-keys", keys=f"two:{TWO},{KEYS}")
    assert (code, text) == (0, "1 texts were encrypted anew; everything is encrypted by 'two'\n1 texts\n")
    code, _ = await asyncio.to_thread(said, "check-config", "--keys", keys=f"two:{TWO}")
    assert code == 0


async def test_a_key_that_is_wrong_or_missing_stops_the_start(database_url: str) -> None:
    """It says which; but only where something is encrypted."""
    good, other = Keyring({"one": base64.b64decode(ONE)}), Keyring({"one": base64.b64decode(TWO)})
    for ring in (good, other, good):
        await try_on(database_url, ring)
    async with serving(database_url, encryption_keys=KEYS) as parley:
        await parley.user("ada").start(parley.user("grace"), isSensitive=True)
    await try_on(database_url, good)
    with pytest.raises(UnusableKeysError, match="the key 'one' in PARLEY_ENCRYPTION_KEYS is another one"):
        await try_on(database_url, other)
    for ring in (Keyring({}), Keyring({"two": base64.b64decode(TWO)})):
        with pytest.raises(UnusableKeysError, match="no key 'one'"):
            await try_on(database_url, ring)


async def test_what_a_group_says_of_itself_is_sealed_too(parley: Parley, ada: Client, grace: Client) -> None:
    """In words, and what is pinned is read as any other."""
    linus = parley.user("linus", name="Linus from Finland")
    conversation = await ada.start(grace, title="Oak", isSensitive=True)
    roles(await add(ada, conversation, linus))
    assert await bodies(grace, conversation) == ["Ada Lovelace added Linus from Finland"]
    message = (await ada.send(conversation, SECRET))["message"]["id"]
    assert pinned(await pin(grace, message)) == [SECRET]
    stored = await rows(parley.database_url, "SELECT body FROM parley.messages")
    assert not [body for (body,) in stored if "added" in body or SECRET in body]
