"""Statements about conversations."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from db import tables, users
from db.conversation_parts import Columns, ConversationParts
from db.keys import is_sensitive
from db.messages import (
    MessageArrays,
    MessageColumns,
    add_lists,
    bare,
    complete,
    watermark_columns,
)
from db.paging import Rows
from db.pool import Connection
from db.rows import (
    NAMES_SHOWN,
    Conversation,
    ConversationContext,
    Participant,
    User,
    ViewerState,
    Watermarks,
)
from db.statements import Record, Statement
from db.views import fellows

_conversations = tables.conversations
_memberships = tables.memberships
_participants = tables.participants
_users = tables.users
_viewer = bindparam("viewer", type_=Uuid)

# Once a statement: it refers to nothing outside.
_IS_RESTRICTED = (
    select(_users.c.id)
    .where(_users.c.id == _viewer, _users.c.restricted_until > func.statement_timestamp())
    .exists()
    .label("is_restricted")
)


class Reading:
    """A statement that reads conversations with their parts, and how to read them back."""

    def __init__(
        self,
        parts: ConversationParts,
        own: FromClause,
        source: FromClause,
        people: FromClause,
        membership: FromClause | None = None,
        before: Sequence[ColumnElement[Any]] = (),
        order: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        """`source` holds the conversations with all their columns, as `own`; the columns `before` come first in their list.

        `people` are the participants who may be seen. `membership`, if it is in the source too, holds the viewer's.
        """
        self._parts = parts
        self._people = people
        self._at = len(before)
        if membership is None and parts.needs_membership:
            membership = _memberships.alias("membership")
            is_membership = and_(membership.c.conversation_id == own.c.id, membership.c.user_id == _viewer)
            source = source.outerjoin(membership, is_membership)
        columns, source = self._columns(own, source, membership)
        self._last: MessageColumns | None = None
        if parts.last_message:
            self._last = last = MessageColumns(bare(parts.last_message), "last_message")
            is_last = and_(last.message.c.conversation_id == own.c.id, last.message.c.seq == own.c.last_seq)
            source = last.join(source.outerjoin(last.message, is_last))
            self._last_at = len(columns)
            columns += last.columns
        self._messages: MessageArrays | None = None
        if parts.messages and membership is not None:
            pane, wanted = parts.messages
            self._messages = page = MessageArrays(wanted, pane, own, membership)
            source = page.join(source)
            self._messages_at = len(columns)
            columns += page.columns
        named = [column.label(f"column_{index}") for index, column in enumerate([*before, *columns])]
        self._statement = Statement(select(*named, *users.changed_since()).select_from(source).order_by(*order))
        self._lists, self._keys = self._wanted()

    def _wanted(self) -> tuple[list[int], list[int]]:
        """The places in a record of lists of users' keys, and of single ones."""
        lists, keys = [], []
        if self._parts.needs_people:
            lists.append(self._at + _OWN)
        if self._last and self._parts.last_message:
            keys += [self._at + self._last_at + place for place in self._last.senders(self._parts.last_message)]
        if self._messages:
            lists += [self._at + self._messages_at + place for place in self._messages.senders]
        return lists, keys

    def _keys_of_people(self, records: Sequence[Record]) -> list[UUID]:
        """The keys of all users whom the records speak of."""
        found: list[UUID | None] = []
        for record in records:
            for place in self._lists:
                found += record[place] or ()
            found += [record[place] for place in self._keys]
        return [key for key in found if key is not None]  # what the system says nobody sent

    def _columns(
        self, own: FromClause, source: FromClause, membership: FromClause | None
    ) -> tuple[list[ColumnElement[Any]], FromClause]:
        columns = own_columns(own)
        if self._parts.needs_people:
            first = _first_participants(own, self._people, self._parts.columns_of_people)
            columns += first.c
            source = source.join(first, true())
        if self._parts.needs_membership and membership is not None:
            columns.append(membership.c.history_from_seq.label("first_seq"))
        if self._parts.viewer_state and membership is not None:
            mine = _participants.alias("mine")
            is_mine = and_(mine.c.conversation_id == own.c.id, mine.c.user_id == _viewer)
            source = source.outerjoin(mine, is_mine)
            columns += [
                mine.c.role,
                _IS_RESTRICTED,
                mine.c.last_read_seq,
                mine.c.last_delivered_seq,
                *state_columns(membership),
            ]
        if tally := self._tally():
            everybody = select(*tally).where(self._people.c.conversation_id == own.c.id).lateral("tally")
            columns += everybody.c
            source = source.join(everybody, true())
        return columns, source

    def _tally(self) -> list[ColumnElement[Any]]:
        """What is counted over all participants of a conversation."""
        counts: list[ColumnElement[Any]] = []
        if self._parts.needs_count:
            counts.append(func.count().label("total"))
        if self._parts.others:
            counts.append(func.count().filter(self._people.c.user_id != _viewer).label("others"))
        return [*counts, *(watermark_columns(self._people) if self._parts.needs_watermarks else ())]

    async def all(
        self, connection: Connection, viewer: UUID | None, parts: ConversationParts, **values: object
    ) -> tuple[list[Record], dict[UUID, Conversation]]:
        """The records as they are, and the conversations in them by their keys."""
        cache = connection.cache
        records = await self._statement.all(
            connection, viewer=viewer, users_horizon=cache.users.horizon, **parts.values, **values
        )
        if records:
            cache.users.look(*records[0][-2:])
        people = await users.find(connection, self._keys_of_people(records)) if self._lists or self._keys else {}
        members: dict[UUID, Participant] = {}
        if parts.participants and not parts.participants[1]:
            members = {key: Participant.of(user) for key, user in people.items()}
        found: dict[UUID, Conversation] = {}
        for record in records:
            if (key := record[self._at]) is not None:
                found[key] = self._read(record[self._at :], people, members, viewer, parts)
        await _add_lists(connection, found.values(), parts)
        return records, found

    def _read(
        self,
        record: Record,
        people: Mapping[UUID, User],
        members: Mapping[UUID, Participant],
        viewer: UUID | None,
        parts: ConversationParts,
    ) -> Conversation:
        key, kind, title, history, edition, created_at, last_activity_at, last_seq, revision, is_blocked, *context = (
            record[:_OWN]
        )
        conversation = Conversation(
            key,
            kind,
            title,
            ConversationContext(*context) if context[0] is not None else None,
            created_at,
            last_activity_at,
            last_seq,
            revision,
            history,
        )
        rest = iter(record[_OWN:])
        first: list[Sequence[Any]] = []
        if parts.needs_people:
            first = [next(rest) or () for _ in range(1 + len(parts.columns_of_people))]
        if parts.needs_membership:
            _begin(conversation, next(rest), edition, viewer)
        if parts.viewer_state:
            state = list(islice(rest, _STATE))
            conversation.viewer_state = _viewer_state(
                state, last_seq, (key, viewer) if viewer else None, is_blocked=is_blocked
            )
        total = next(rest) if parts.needs_count else None
        if parts.others:
            conversation.others_count = next(rest)
            others = (people[user].name for user in first[0] if user != viewer)
            conversation.others = tuple(islice(others, NAMES_SHOWN))
        if parts.participants is not None:
            cut, wanted = parts.participants
            if wanted:
                columns = dict(zip(wanted, first[1:], strict=True))
                shown = Participant.several(key, map(people.__getitem__, first[0][: cut.size]), columns)
            else:
                shown = list(map(members.__getitem__, first[0][: cut.size]))
            more = len(first[0]) > cut.size
            rows = Rows(shown, has_previous=False, has_next=more, total=total)
            conversation.along_participants = parts.participants, rows
        marks = None
        if parts.needs_watermarks:
            marks = Watermarks(*islice(rest, _WATERMARKS))
        if self._last and parts.last_message and (last := self._last.read(record, self._last_at)) is not None:
            complete(last, parts.last_message, people, marks)
            conversation.last_message = last
        if self._messages and parts.messages:
            page = self._messages.read(record, self._messages_at, people, key, marks)
            conversation.along_messages = parts.messages, page
        return conversation


def _begin(conversation: Conversation, first_seq: int | None, edition: int, viewer: UUID | None) -> None:
    """Where it begins for the viewer, who is no member where that is null; nobody is, and sees all of it."""
    conversation.first_seq = first_seq or 1
    if (first_seq is not None or viewer is None) and not conversation.is_sensitive:
        conversation.edition = edition


async def _add_lists(connection: Connection, found: Collection[Conversation], parts: ConversationParts) -> None:
    """Give the messages that were read with conversations what else there is to them."""
    if not (parts.last_message or parts.messages):
        return
    is_sealed = any(is_sensitive(each.key) for each in found)
    if parts.last_message and (is_sealed or parts.last_message.has_lists):
        await add_lists(connection, [last for each in found if (last := each.last_message)], parts.last_message)
    if parts.messages and (is_sealed or parts.messages[1].has_lists):
        pages = (each.along_messages[1] for each in found if each.along_messages)
        await add_lists(connection, [message for page in pages for message in page], parts.messages[1])


_OWN = 14
"""Columns of a conversation without its parts."""

_STATE = 8
"""Columns of a ViewerState, and whether the viewer is restricted."""

_WATERMARKS = 6
"""Columns of Watermarks."""


def own_columns(conversation: FromClause) -> list[ColumnElement[Any]]:
    """What makes a Conversation, without its parts."""
    return [
        conversation.c.id,
        conversation.c.kind,
        conversation.c.title,
        conversation.c.history,
        conversation.c.edition,
        conversation.c.created_at,
        conversation.c.last_activity_at,
        conversation.c.last_seq,
        conversation.c.revision,
        conversation.c.is_blocked,
        conversation.c.context_type,
        conversation.c.context_id,
        conversation.c.context_title,
        conversation.c.context_url,
    ]


def state_columns(membership: FromClause) -> list[ColumnElement[Any]]:
    """What of a ViewerState is the user's own."""
    return [
        membership.c.archived_seq,
        membership.c.is_pinned,
        membership.c.muted_until,
        membership.c.unread_from_seq,
    ]


def _viewer_state(
    record: Sequence[Any], last_seq: int, seat: tuple[UUID, UUID] | None, *, is_blocked: bool
) -> ViewerState | None:
    """None: who has no role is no member."""
    role, is_restricted, *state = record
    if role is None:
        return None
    found = ViewerState(role, last_seq, *state)
    found.seat = seat
    found.can_send = not (is_blocked or is_restricted)
    return found


def _first_participants(conversation: FromClause, people: FromClause, wanted: Columns) -> LateralFromClause:
    """One row: the first who joined, in that order, as an array of their keys and of each column."""
    first = (
        select(people)
        .where(people.c.conversation_id == conversation.c.id)
        .order_by(people.c.joined_at, people.c.user_id)
        .limit(bindparam("people_limit", type_=Integer))
        .correlate(conversation)
        .subquery("first")
    )
    return select(*(users.array(first.c[name]) for name in ("user_id", *wanted))).lateral("members")


@lru_cache
def _by_keys(parts: ConversationParts, people: FromClause) -> Reading:
    asked = (
        func.unnest(bindparam("keys", type_=ARRAY(Uuid)))
        .table_valued(column("key", Uuid), name="asked")
        .render_derived(name="asked")
    )
    own = _conversations.alias("conversation")
    return Reading(parts, own, asked.join(own, own.c.id == asked.c.key), people)


@lru_cache
def _by_key(parts: ConversationParts, people: FromClause) -> Reading:
    """One by itself: an array the planner takes for ten, and plans all that follows for ten times as much."""
    own = _conversations.alias("own")
    conversation = select(*own_columns(own)).where(own.c.id == bindparam("key", type_=Uuid)).subquery("conversation")
    return Reading(parts, conversation, conversation, people)


async def by_keys(
    connection: Connection, viewer: UUID | None, keys: Sequence[UUID], parts: ConversationParts
) -> dict[UUID, Conversation]:
    """Those of the conversations that the viewer may see; parts that are a viewer's own need one."""
    people = _participants if connection.sees_all else fellows
    if len(keys) == 1:
        _, found = await _by_key(parts.shape, people).all(connection, viewer, parts, key=keys[0])
    else:
        _, found = await _by_keys(parts.shape, people).all(connection, viewer, parts, keys=list(keys))
    return found
