"""One statement per root field, its nested connections included, whatever the size of the page."""

import pytest

from db import events
from tests.flow.client import Client, Parley

LOOK = events._LOOK.text

pytestmark = pytest.mark.usefixtures("common_server")

MESSAGE = (
    "id seq body status createdAt sender { id name } replyTo { id body status sender { name } replyTo { id body } }"
)
CONVERSATION = f"""id kind title displayTitle context {{ type id }} createdAt lastActivityAt messageCount eventCursor
    viewerState {{ role unreadCount canSend }} lastMessage {{ {MESSAGE} }}"""


async def statements(parley: Parley, client: Client, query: str, **variables: object) -> int:
    """How many SQL statements a request runs, beside those that begin and end transactions, and the hub's own looks."""
    await client.run(query, **variables)  # whatever a connection or a user costs the first time
    await told(parley, client)
    parley.statements.clear()
    await client.run(query, **variables)
    return len([text for text in await told(parley, client) if not text.startswith(("BEGIN", "COMMIT"))])


async def told(parley: Parley, client: Client) -> list[str]:
    """The statements of the requests so far, but for the hub's own looks."""
    await client.run("{ __typename }")  # the driver tells of a statement a moment after it: at the latest now
    return [text for text in parley.statements if text != LOOK]


@pytest.fixture
async def chat(ada: Client, grace: Client) -> str:
    """A long conversation with replies."""
    conversation = await ada.start(grace)
    await ada.send_all(conversation, *map(str, range(60)))
    message = (await grace.send(conversation, "question"))["message"]["id"]
    for client in (ada, grace) * 5:
        message = (await client.send(conversation, "answer", replyToId=message))["message"]["id"]
    return conversation


@pytest.fixture
async def people(parley: Parley, ada: Client, grace: Client) -> None:
    """Twelve conversations of ada with messages."""
    for number in range(12):
        conversation = await ada.start(grace, parley.user(f"user{number}"), title=str(number))
        await grace.send_all(conversation, "one", "two")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("{ __typename }", 0),
        ("{ viewer { user { id handle name avatarUrl } } }", 0),
        ("{ viewer { user { id } unreadCount unreadConversationCount } }", 1),
        ("{ users { totalCount nodes { id name } edges { cursor } pageInfo { hasNextPage } } }", 1),
        ("{ conversations { totalCount } }", 1),
        (f"{{ conversations {{ totalCount nodes {{ {CONVERSATION} }} pageInfo {{ hasNextPage }} }} }}", 1),
        ("{ a: conversations { totalCount } b: users { totalCount } c: viewer { unreadCount } }", 3),
    ],
)
async def test_a_root_field_is_one_statement(
    parley: Parley, ada: Client, chat: str, people: None, query: str, count: int
) -> None:
    """With everything that can be joined to it; what the token already told costs none."""
    assert await statements(parley, ada, query) == count


PAGE = f"""query ($id: ID!, $size: Int!, $before: String) {{ conversation(id: $id) {{ {CONVERSATION}
    messages(last: $size, before: $before) {{
        totalCount edges {{ cursor node {{ {MESSAGE} }} }} pageInfo {{ hasPreviousPage startCursor }} }}
    participants(first: 20) {{ totalCount nodes {{ role user {{ name }} }} }} }} }}"""


@pytest.mark.parametrize("size", [1, 50, 100])
async def test_a_page_is_one_statement_whatever_its_size(parley: Parley, ada: Client, chat: str, size: int) -> None:
    """The conversation, its messages with senders, reply targets and status, its participants; the page before too."""
    assert await statements(parley, ada, PAGE, id=chat, size=size) == 1
    newest = (await ada.run(PAGE, id=chat, size=1))["conversation"]["messages"]
    before = newest["pageInfo"]["startCursor"]
    assert await statements(parley, ada, PAGE, id=chat, size=size, before=before) == 1


async def test_what_cannot_be_a_page_is_not_read(parley: Parley, ada: Client, grace: Client, chat: str) -> None:
    """A size or a cursor that is refused is so by its field, beside the conversation, whose statement is the only one."""
    other = (await ada.run(PAGE, id=await ada.start(grace, title="other"), size=1))["conversation"]["eventCursor"]
    for variables in ({"size": 0}, {"size": 1, "before": other}):
        answer = await ada.post(PAGE, id=chat, **variables)
        assert answer["data"] == {"conversation": None}
        assert [error["path"] for error in answer["errors"]] == [["conversation", "messages"]]


@pytest.mark.parametrize("size", [1, 12])
async def test_an_inbox_is_one_statement_whatever_its_size(
    parley: Parley, ada: Client, chat: str, people: None, size: int
) -> None:
    """The conversations, all their participants, all their messages."""
    query = f"""query ($size: Int!) {{ conversations(first: $size) {{ totalCount nodes {{ {CONVERSATION}
        participants(first: 3) {{ totalCount nodes {{ role user {{ name }} }} }}
        messages(last: 5) {{ nodes {{ {MESSAGE} }} }} }} }} }}"""
    assert await statements(parley, ada, query, size=size) == 1


async def test_pages_after_a_cursor_are_read_together(parley: Parley, ada: Client, chat: str) -> None:
    """What cannot be read along is one statement more: participants after a cursor, several pages of one conversation."""
    query = "query ($id: ID!) { conversation(id: $id) { participants(first: 1) { edges { cursor } } } }"
    (edge,) = (await ada.run(query, id=chat))["conversation"]["participants"]["edges"]
    query = """query ($id: ID!, $after: String) { conversation(id: $id) { participants(after: $after) {
        nodes { user { name } } } } }"""
    assert await statements(parley, ada, query, id=chat, after=edge["cursor"]) == 2


async def test_a_connection_that_is_only_counted(parley: Parley, ada: Client, chat: str) -> None:
    """The number of messages is known with the conversation: no statement of its own."""
    query = "query ($id: ID!) { conversation(id: $id) { messages { totalCount } } }"
    assert await statements(parley, ada, query, id=chat) == 1


async def test_pages_of_one_conversation_are_read_together(parley: Parley, ada: Client, chat: str) -> None:
    """Two pages with the same fields are one statement beside the conversation's."""
    query = """query ($id: ID!) { conversation(id: $id) {
        a: messages(first: 5) { nodes { id body } } b: messages(last: 5) { nodes { id body } } } }"""
    assert await statements(parley, ada, query, id=chat) == 2


async def test_the_conversation_of_every_message_is_read_once(parley: Parley, ada: Client, chat: str) -> None:
    """Fifty messages ask for the conversation they are of: one statement beside theirs."""
    query = f"""query ($id: ID!) {{ conversation(id: $id) {{ messages {{ nodes {{
        {MESSAGE} conversation {{ title displayTitle viewerState {{ unreadCount }} }} }} }} }} }}"""
    assert await statements(parley, ada, query, id=chat) == 2


async def test_nodes_are_one_statement_for_each_type(parley: Parley, ada: Client, grace: Client, people: None) -> None:
    """However many ids there are."""
    data = await ada.run("{ conversations { nodes { id lastMessage { id } participants { nodes { user { id } } } } } }")
    nodes = data["conversations"]["nodes"]
    ids = [node["id"] for node in nodes] + [node["lastMessage"]["id"] for node in nodes]
    ids += [person["user"]["id"] for person in nodes[0]["participants"]["nodes"]]
    query = """query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { name }
        ... on Conversation { title lastMessage { body } } ... on Message { body sender { name } } } }"""
    assert await statements(parley, ada, query, ids=ids) == 3


async def test_a_send_is_one_statement_and_one_for_its_answer(parley: Parley, ada: Client, grace: Client) -> None:
    """And none for what is not asked for; a repeat costs the same."""
    conversation = await ada.start(grace)
    document = "mutation ($input: SendMessageInput!) {{ sendMessage(input: $input) {{ {} errors {{ __typename }} }} }}"
    request = {"to": {"conversationId": conversation}, "body": "hello"}
    counts = [
        await statements(parley, ada, document.format(selection), input=sent)
        for sent in (request, {**request, "clientMessageId": "k"})
        for selection in ("deduplicated", f"message {{ {MESSAGE} }}", f"conversation {{ {CONVERSATION} }}")
    ]
    assert counts == [1, 2, 2, 1, 2, 2]


async def test_marks_are_one_statement(parley: Parley, ada: Client, grace: Client, people: None) -> None:
    """One conversation or all."""
    conversation = await ada.start(grace)
    mark = "mutation ($id: ID!) { markRead(input: { conversationId: $id }) { errors { __typename } } }"
    assert await statements(parley, ada, mark, id=conversation) == 1
    assert await statements(parley, ada, "mutation { markAllRead { conversationCount } }") == 1


async def test_naming_the_viewer_is_no_statement_of_its_own(parley: Parley, ada: Client, chat: str) -> None:
    """What reads one thing is one round trip: the statement names the viewer itself."""
    query = "query ($id: ID!) { conversation(id: $id) { id } }"
    await ada.run(query, id=chat)
    await told(parley, ada)
    parley.statements.clear()
    await ada.run(query, id=chat)
    (text,) = await told(parley, ada)
    assert "set_config('parley.viewer'" in text
