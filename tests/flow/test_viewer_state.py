"""The viewer's own side of a conversation: put away, pinned, muted, marked as unread; and every window in step."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.flow.client import Client, Json, Parley, Socket

pytestmark = pytest.mark.usefixtures("common_server")

STATE = "isArchived isPinned mutedUntil unreadCount unreadFromSeq lastReadSeq canSend"
UPDATE = f"""mutation ($input: UpdateViewerStateInput!) {{ updateViewerState(input: $input) {{
    conversation {{ viewerState {{ {STATE} }} }} errors {{ __typename ... on UserError {{ path }} }} }} }}"""
FOLLOW = f"""subscription ($after: String) {{ viewerEvents(after: $after) {{ __typename actor {{ handle }} conversation {{ id }}
    ... on ViewerStateChanged {{ state {{ {STATE} }} }} ... on MessageSent {{ message {{ body }} }} }} }}"""
LATER = datetime.now(UTC) + timedelta(hours=1)


async def change(client: Client, conversation: str, **values: object) -> Json:
    """The viewer's state after it was changed."""
    payload = (await client.run(UPDATE, input={"conversationId": conversation, **values}))["updateViewerState"]
    assert payload["errors"] == []
    found: Json = payload["conversation"]["viewerState"]
    return found


async def inbox(client: Client, **wanted: object) -> list[str]:
    query = """query ($filter: ConversationFilter) { conversations(filter: $filter) { totalCount nodes { id } } }"""
    page = (await client.run(query, filter=wanted))["conversations"]
    assert page["totalCount"] == len(page["nodes"])
    return [node["id"] for node in page["nodes"]]


async def unread(client: Client) -> tuple[int, int]:
    data = (await client.run("{ viewer { unreadCount unreadConversationCount } }"))["viewer"]
    return data["unreadCount"], data["unreadConversationCount"]


async def mark_read(client: Client, conversation: str) -> None:
    await client.run(
        "mutation ($id: ID!) { markRead(input: { conversationId: $id }) { errors { __typename } } }", id=conversation
    )


async def test_what_is_put_away_comes_back_with_a_message(ada: Client, grace: Client) -> None:
    """One conversation with messages and one without; taken out again by hand; the other side sees no difference."""
    talk, silent = await ada.start(grace), await ada.start(grace, title="Silent")
    await grace.send(talk, "hello")
    for conversation in (talk, silent):
        assert (await change(ada, conversation, isArchived=True))["isArchived"]
    assert (await inbox(ada), await inbox(ada, archived=True)) == ([], [talk, silent])
    assert await inbox(grace) == [talk, silent]
    assert await unread(ada) == (1, 1)
    await grace.send(talk, "come back")
    await change(ada, silent, isArchived=False)
    assert (await inbox(ada), await inbox(ada, archived=True)) == ([talk, silent], [])


async def test_what_is_pinned_is_found_by_a_filter(ada: Client, grace: Client) -> None:
    """The order stays that of activity."""
    one, two = await ada.start(grace), await ada.start(grace, title="Two")
    assert (await change(ada, one, isPinned=True))["isPinned"]
    assert (await inbox(ada, pinned=True), await inbox(ada, pinned=False), await inbox(ada)) == (
        [one],
        [two],
        [two, one],
    )
    assert not (await change(ada, one, isPinned=False))["isPinned"]
    assert await inbox(ada, pinned=True) == []


async def test_what_is_muted_does_not_count(ada: Client, grace: Client) -> None:
    """Until then, and not when it is over."""
    one, two = await ada.start(grace), await ada.start(grace, title="Two")
    await grace.send_all(one, "1", "2")
    await grace.send(two, "1")
    state = await change(ada, one, mutedUntil=LATER.isoformat())
    assert datetime.fromisoformat(state["mutedUntil"]) == LATER
    assert (await unread(ada), await inbox(ada, muted=True), await inbox(ada, muted=False)) == ((1, 1), [one], [two])
    await change(ada, one, mutedUntil=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    assert (await unread(ada), await inbox(ada, muted=True)) == ((3, 2), [])
    assert (await change(ada, one, mutedUntil=None))["mutedUntil"] is None


async def test_what_is_marked_as_unread_is_so_until_it_is_read(ada: Client, grace: Client) -> None:
    """It counts from there, and what comes after it too; for others it stays read; markRead and markAllRead end it."""
    conversation = await ada.start(grace)
    await grace.send_all(conversation, "1", "2", "3")
    await mark_read(ada, conversation)
    state = await change(ada, conversation, unreadFromSeq=2)
    assert (state["unreadCount"], state["unreadFromSeq"], state["lastReadSeq"]) == (2, 2, 3)
    assert (await unread(ada), await inbox(ada, unreadOnly=True)) == ((2, 1), [conversation])
    status = "query ($id: ID!) { conversation(id: $id) { lastMessage { status } } }"
    assert (await grace.run(status, id=conversation))["conversation"]["lastMessage"]["status"] == "READ"
    await grace.send(conversation, "4")
    assert await unread(ada) == (3, 1)
    await mark_read(ada, conversation)
    assert (await unread(ada), await inbox(ada, unreadOnly=True)) == ((0, 0), [])
    await change(ada, conversation, unreadFromSeq=4)
    assert (await ada.run("mutation { markAllRead { conversationCount } }"))["markAllRead"] == {"conversationCount": 1}
    assert await unread(ada) == (0, 0)
    await change(ada, conversation, unreadFromSeq=1)
    assert (await change(ada, conversation, unreadFromSeq=None))["unreadCount"] == 0


async def test_what_cannot_be_is_refused(ada: Client, grace: Client, linus: Client) -> None:
    """A message that is not there to be unread, somebody else's conversation, and a time without its zone."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "one")
    for client, values, expected in (
        (ada, {"unreadFromSeq": 2}, ("ValidationError", "unreadFromSeq")),
        (ada, {"unreadFromSeq": 0, "isPinned": True}, ("ValidationError", "unreadFromSeq")),
        (linus, {"isPinned": True}, ("NotFoundError", "conversationId")),
    ):
        payload = (await client.run(UPDATE, input={"conversationId": conversation, **values}))["updateViewerState"]
        (error,) = payload["errors"]
        assert (payload["conversation"], error["__typename"], error["path"][-1]) == (None, *expected)
    for moment in ("2026-11-20T12:00:00", "tomorrow", ""):
        answer = await ada.post(UPDATE, input={"conversationId": conversation, "mutedUntil": moment})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"], moment
    assert not (await change(ada, conversation))["isPinned"]


async def told(socket: Socket, operation: str) -> Json:
    """The next event that is no receipt."""
    while True:
        event: Json = (await socket.next(operation))["viewerEvents"]
        if event["__typename"] != "ReceiptChanged":
            return event


async def test_every_window_is_told(ada: Client, grace: Client) -> None:
    """Those of the viewer and nobody else's; also when a mark is ended by reading; a stream that comes back begins with it."""
    conversation = await ada.start(grace)
    await grace.send(conversation, "hello")
    await mark_read(ada, conversation)
    before = (await ada.run("{ viewer { eventCursor } }"))["viewer"]["eventCursor"]
    async with ada.socket() as one, ada.socket() as two, grace.socket() as other:
        starts = [before, before, (await grace.run("{ viewer { eventCursor } }"))["viewer"]["eventCursor"]]
        sockets = [
            (socket, await socket.subscribe(FOLLOW, after=after))
            for socket, after in zip((one, two, other), starts, strict=True)
        ]
        await ada.send(conversation, "go")
        for socket, operation in sockets:
            assert (await told(socket, operation))["message"]["body"] == "go"
        await change(ada, conversation, isPinned=True, unreadFromSeq=1)
        for socket, operation in sockets[:2]:
            event = await told(socket, operation)
            assert (event["__typename"], event["actor"], event["conversation"]) == (
                "ViewerStateChanged", {"handle": ada.handle}, {"id": conversation},
            )  # fmt: skip
            assert event["state"] == {
                "isArchived": False, "isPinned": True, "mutedUntil": None, "unreadCount": 2, "unreadFromSeq": 1,
                "lastReadSeq": 2, "canSend": True,
            }  # fmt: skip
        await mark_read(ada, conversation)
        for socket, operation in sockets[:2]:
            state = (await told(socket, operation))["state"]
            assert (state["unreadCount"], state["unreadFromSeq"], state["isPinned"]) == (0, None, True)
        await ada.send(conversation, "done")
        assert (await told(other, sockets[2][1]))["message"]["body"] == "done"
        operation = await two.subscribe(FOLLOW, after=before)
        kinds: list[str] = []
        while kinds.count("MessageSent") < 2:
            message = await two.receive()
            if message["id"] == operation:
                kinds.append(message["payload"]["data"]["viewerEvents"]["__typename"])
        assert [kind for kind in kinds if kind != "ReceiptChanged"] == [
            "ViewerStateChanged",
            "MessageSent",
            "MessageSent",
        ]


async def test_it_is_told_over_one_stream_without_a_socket(parley: Parley, ada: Client, grace: Client) -> None:
    """Server-sent events tell it as sockets do."""
    conversation = await ada.start(grace)
    headers = {"Authorization": f"Bearer {ada.token}", "Accept": "text/event-stream"}
    async with parley.http.stream("POST", "/graphql", json={"query": FOLLOW}, headers=headers) as response:
        lines = response.aiter_lines()
        await change(ada, conversation, isArchived=True)
        async for line in lines:
            if "ViewerStateChanged" in line:
                assert '"isArchived":true' in line.replace(" ", "")
                break
