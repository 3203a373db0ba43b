"""What a server remembers is never told after it has changed: whoever asks next is told what is."""

import asyncio

import pytest

from tests.flow.client import Client, Parley
from tests.flow.editing import edit
from tests.flow.test_export import change

pytestmark = pytest.mark.usefixtures("common_server")

ADA, GRACE = "Ada Lovelace", "Grace Hopper"

PAGE = """query ($id: ID!) { conversation(id: $id) {
    messages(last: 5) { nodes { seq body sender { name } } } participants(first: 9) { nodes { user { name } } } } }"""
INBOX = """{ conversations(first: 5) { nodes {
    lastMessage { body sender { name } } participants(first: 9) { nodes { user { name } } } } } }"""


async def told(client: Client, id_: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Who said what, and who takes part; the inbox says no other than the page."""
    page, inbox = (await client.run(PAGE, id=id_))["conversation"], await client.run(INBOX)
    said = [(node["sender"]["name"], node["body"]) for node in page["messages"]["nodes"] if node["sender"]]
    people = [node["user"]["name"] for node in page["participants"]["nodes"]]
    (listed,) = inbox["conversations"]["nodes"]
    newest = listed["lastMessage"]
    if newest["sender"]:
        assert (newest["sender"]["name"], newest["body"]) == said[-1]
    assert [node["user"]["name"] for node in listed["participants"]["nodes"]] == people
    return said, sorted(people)


async def test_whoever_asks_next_is_told_what_is(parley: Parley, ada: Client, grace: Client) -> None:
    """A message, an edit, a deletion, another name, somebody new, somebody who left."""
    id_ = await ada.start(grace, title="Engine")
    first = (await ada.send(id_, "one"))["message"]["id"]
    for _ in range(2):
        assert await told(grace, id_) == ([(ADA, "one")], [ADA, GRACE])
    second = (await grace.send(id_, "two"))["message"]["id"]
    assert (await told(grace, id_))[0] == [(ADA, "one"), (GRACE, "two")]
    await edit(ada, first, "one!")
    assert (await told(grace, id_))[0] == [(ADA, "one!"), (GRACE, "two")]
    await change(grace, "deleteMessage", "DeleteMessage", messageId=second)
    assert (await told(ada, id_))[0] == [(ADA, "one!"), (GRACE, "")]
    await change(grace, "updateProfile", "UpdateProfile", name="Admiral")
    assert await told(ada, id_) == ([(ADA, "one!"), ("Admiral", "")], [ADA, "Admiral"])
    linus = parley.user("linus", name="Linus")
    await change(ada, "addParticipants", "AddParticipants", conversationId=id_, participantIds=[await linus.id()])
    assert (await told(linus, id_))[1] == [ADA, "Admiral", "Linus"]
    await change(grace, "removeParticipant", "RemoveParticipant", conversationId=id_, userId=await grace.id())
    assert (await told(ada, id_))[1] == [ADA, "Linus"]
    assert (await grace.run(PAGE, id=id_))["conversation"] is None


async def test_whoever_edits_reads_the_own_edit(ada: Client, grace: Client) -> None:
    """While others ask all the time."""
    id_ = await ada.start(grace, title="Engine")
    message = (await ada.send(id_, "0"))["message"]["id"]
    is_done = asyncio.Event()

    async def ask() -> int:
        count, newest = 0, 0
        while not is_done.is_set():
            (node,) = (await grace.run(PAGE, id=id_))["conversation"]["messages"]["nodes"]
            assert int(node["body"]) >= newest
            newest, count = int(node["body"]), count + 1
        return count

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask()) for _ in range(3)]
        for number in range(1, 30):
            await edit(ada, message, str(number))
            assert (await told(ada, id_))[0] == [(ADA, str(number))]
        is_done.set()
    assert all(each.result() for each in asking)
