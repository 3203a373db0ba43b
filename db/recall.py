"""What may be remembered of conversations (db/cache.py): taken from memory, or read, and remembered from then on."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from db import conversations, messages, participants, users
from db.cache import Known
from db.conversation_parts import ConversationParts
from db.messages import MessageParts, Window
from db.paging import Rows
from db.pool import Connection
from db.rows import CachedList, CachedMessage, Conversation, Participant, User

MOST_MEMBERS = 101
"""Of a conversation that are remembered: those of the largest page, and one more."""


async def by_keys(
    connection: Connection, viewer: UUID | None, keys: Sequence[UUID], parts: ConversationParts
) -> dict[UUID, Conversation]:
    """Those of the conversations that the viewer may see; parts that are a viewer's own need one."""
    known = connection.cache.find(keys[0]) if len(keys) == 1 else None
    # Where nothing is remembered, one statement reads all of it.
    read = parts.live if known and known.messages else parts
    found = await conversations.by_keys(connection, viewer, keys, read)
    await complete(connection, found.values(), parts, read)
    return found


async def complete(
    connection: Connection, found: Collection[Conversation], parts: ConversationParts, read: ConversationParts
) -> None:
    """Give conversations, of which these parts were `read`, all of `parts`.

    What is not remembered takes one statement for all of them: for messages, for members, and for users.
    """
    if parts.messages and read.messages is None:
        pane, wanted = parts.messages
        pages = await _messages(connection, [(each, pane.window(each)) for each in found], wanted)
        for each, page in zip(found, pages, strict=True):
            each.along_messages = parts.messages, page
    elif parts.recalls_messages:
        for each in found:
            if each.edition is not None and each.along_messages:
                read_now = [message for message in each.along_messages[1] if isinstance(message, CachedMessage)]
                connection.cache.add_messages(each.key, each.edition, read_now)
    if parts.last_message and read.last_message is None:
        newest = [(each, Window(each.key, max(each.last_seq, each.first_seq), each.last_seq)) for each in found]
        pages = await _messages(connection, newest, parts.last_message)
        for each, page in zip(found, pages, strict=True):
            each.last_message = page[0] if page else None
    if parts.participants and read.participants is None:
        pages_of_members = await _members(connection, found, parts.participants[0].size)
        for each, members in zip(found, pages_of_members, strict=True):
            each.along_participants = parts.participants, members


def _known(connection: Connection, found: Iterable[Conversation]) -> list[Known]:
    """What is remembered of each; what may not be told to who asks is as if it were not there."""
    cache = connection.cache
    return [cache.at(each.key, each.edition) if each.edition is not None else Known(0) for each in found]


async def _messages(
    connection: Connection, wanted: Sequence[tuple[Conversation, Window]], parts: MessageParts
) -> list[list[CachedMessage]]:
    """The messages of each window, with their senders if the parts want them."""
    pages = [
        known.window(window.low, window.high)
        for known, (_, window) in zip(_known(connection, [each for each, _ in wanted]), wanted, strict=True)
    ]
    missing = [
        (page, conversation, Window(conversation.key, rest, window.high))
        for page, (conversation, window) in zip(pages, wanted, strict=True)
        if (rest := window.low + len(page)) <= window.high
    ]
    if missing:
        read: dict[UUID, list[CachedMessage]] = {conversation.key: [] for _, conversation, _ in missing}
        windows = [window for _, _, window in missing]
        for message in await messages.window(connection, windows, MessageParts(), CachedMessage):
            if isinstance(message, CachedMessage):
                read[message.conversation_key].append(message)
        for page, conversation, _ in missing:
            found = read[conversation.key]
            page.extend(found)
            if conversation.edition is not None:
                connection.cache.add_messages(conversation.key, conversation.edition, found)
    if parts.sender:
        await _name_senders(connection, [message for page in pages for message in page])
    return pages


async def _name_senders(connection: Connection, found: Iterable[CachedMessage]) -> None:
    """Give messages their senders as they are now, where somebody has changed since they were last looked at."""
    changes = connection.cache.users.changes
    doubtful = [message for message in found if message.checked != changes]
    if not doubtful:
        return
    people = await users.find(connection, {message.sender_key for message in doubtful if message.sender_key})
    for message in doubtful:
        user = people.get(message.sender_key) if message.sender_key else None
        if message.user is not user:
            message.user = user
            message.told.clear()
        message.checked = changes


async def _members(connection: Connection, found: Collection[Conversation], size: int) -> list[Rows[Participant]]:
    """So many of each conversation's participants, of whom nothing is wanted but who they are."""
    known = _known(connection, found)
    missing = [(each, of) for each, of in zip(found, known, strict=True) if of.members is None]
    if missing:
        read = await participants.first(connection, [each.key for each, _ in missing], MOST_MEMBERS)
        for each, of in missing:
            of.members = read.get(each.key, [])
            if each.edition is not None:
                connection.cache.keep(each.key, of)
    changes = connection.cache.users.changes
    lists = [each.lists.get(size) for each in known]
    doubtful = [place for place, each in enumerate(lists) if each is None or each.checked != changes]
    if doubtful:
        keys = {key for place in doubtful for key in (known[place].members or ())[:size]}
        people = await users.find(connection, keys)
        for place in doubtful:
            shown = [people[key] for key in (known[place].members or ())[:size]]
            lists[place] = known[place].keep_list(size, _checked(lists[place], shown, changes))
    return [
        Rows(members or [], has_previous=False, has_next=len(each.members or ()) > size, total=None)
        for each, members in zip(known, lists, strict=True)
    ]


def _checked(members: CachedList[Participant] | None, shown: Sequence[User], changes: int) -> CachedList[Participant]:
    """The list itself where they are the same users still, so that what was told of it holds."""
    if members is None or [id(each.user) for each in members] != list(map(id, shown)):
        return CachedList(map(Participant.of, shown), changes)
    members.checked = changes
    return members
