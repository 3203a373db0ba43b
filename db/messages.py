"""Statements about messages."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, repeat
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import LateralFromClause

from db import attachments, mentions, notices, participants, reactions, replies, tables, users
from db.encryption import unseal_messages
from db.keys import MessageKey
from db.pool import Connection
from db.rows import CachedMessage, Conversation, Message, User, Watermarks
from db.statements import Record, Statement


@dataclass(frozen=True, slots=True)
class MessageParts:
    """What is read along with a message: in the same statement, or lists of its own by one further statement each."""

    sender: bool = False
    status: bool = False
    reply_to: "MessageParts | None" = None
    reactions: bool = False
    reactors: bool = False
    """Who they are that reacted."""
    mentions: bool = False
    reply_count: bool = False
    leaders: bool = False
    attachments: bool = False
    notice: bool = False
    """What a message of the system says, for programs."""

    @property
    def has_lists(self) -> bool:
        """Whether any takes a statement of its own."""
        own = self.reactions or self.mentions or self.reply_count or self.leaders or self.attachments or self.notice
        return own or (self.reply_to is not None and self.reply_to.has_lists)

    @property
    def joined(self) -> "MessageParts":
        """Those that change the statement."""
        return MessageParts(self.sender, self.status, self.reply_to and self.reply_to.joined)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is wanted but the message itself and who sent it: then it may be remembered (db/cache.py)."""
        return not (self.status or self.reply_to or self.has_lists)


@dataclass(frozen=True, slots=True)
class Window:
    """The messages of a conversation from `low` to `high`, both seqs included."""

    conversation: UUID
    low: int
    high: int


LARGEST = 2**31 - 1
"""Of PostgreSQL's integer, which a seq is."""


@dataclass(frozen=True, slots=True)
class Pane:
    """A page of messages, by whatever there is in a conversation: at most `size` of those from `low` to `high`.

    It has the first of them, or else the last; or those around a seq. No hole in seq: a page is arithmetic, which is
    done here twice, for what has been read and for what is to be read.
    """

    size: int
    is_forward: bool = False
    low: int = 1
    high: int = LARGEST
    around: int | None = None

    def window(self, conversation: Conversation) -> Window:
        """Where its low is above its high there are none."""
        key, first_seq, last_seq = conversation.key, conversation.first_seq, conversation.last_seq
        if self.around is not None:
            low = max(min(self.around - self.size // 2, last_seq - self.size + 1), first_seq)
            return Window(key, low, min(low + self.size - 1, last_seq))
        low, high = max(self.low, first_seq), min(self.high, last_seq)
        if self.is_forward:
            return Window(key, low, min(high, low + self.size - 1))
        return Window(key, max(low, high - self.size + 1), high)

    def of(
        self, conversation: ColumnElement[Any], first_seq: ColumnElement[int], last_seq: ColumnElement[int]
    ) -> Select[Any]:
        """The same in a statement with `values`, for a pane of the same `shape`: the messages, by seq.

        `first_seq` may be null, which GREATEST and LEAST pass over. A COALESCE would make them a filter behind the policy,
        with all of the history before it, for PostgreSQL does not know that one leaks nothing (contain_leaked_vars).
        """
        size, given_low, given_high = (bindparam(f"pane_{name}", type_=BigInteger) for name in ("size", "low", "high"))
        low: ColumnElement[int] = given_low
        top: ColumnElement[int] = func.least(given_high, last_seq)
        if self.around is not None:
            low = func.greatest(func.least(low, last_seq - size + 1), first_seq)
            top = last_seq
        elif self.is_forward:
            low = func.greatest(low, first_seq)
        else:
            low = func.greatest(low, first_seq, top - size + 1)
        message = tables.messages
        page = select(message).where(message.c.conversation_id == conversation, message.c.seq >= low)
        # A limit, and no upper bound: of a range between two values that it does not know the planner expects one row,
        # and would look for the viewer's membership once a message.
        count = func.greatest(func.least(top - low + 1, size), 0)
        return page.order_by(message.c.seq).limit(count)

    @property
    def shape(self) -> "Pane":
        """What of it changes the statement."""
        return Pane(0, self.is_forward, around=0 if self.around is not None else None)

    @property
    def values(self) -> dict[str, object]:
        low = self.low if self.around is None else self.around - self.size // 2
        return {"pane_size": self.size, "pane_low": low, "pane_high": self.high}


def watermark_columns(marks: FromClause) -> list[ColumnElement[Any]]:
    """Aggregates over the participants of a conversation: the fields of rows.Watermarks."""
    ranked = [
        func.array_agg(aggregate_order_by(column, order))
        for order in (marks.c.last_read_seq, marks.c.last_delivered_seq)
        for column in (marks.c.user_id, order)
    ]
    readers, read, receivers, delivered = ranked
    return [
        readers[1].label("last_reader"),
        read[1].label("read"),
        read[2].label("read_next"),
        receivers[1].label("last_receiver"),
        delivered[1].label("delivered"),
        delivered[2].label("delivered_next"),
    ]


def _watermarks(conversation: ColumnElement[Any]) -> LateralFromClause:
    """One row: how far the participants of `conversation` are."""
    marks = tables.participants
    return select(*watermark_columns(marks)).where(marks.c.conversation_id == conversation).lateral("watermarks")


def _own_columns(message: FromClause) -> list[ColumnElement[Any]]:
    """What makes a Message, without its parts."""
    return [
        message.c.conversation_id,
        message.c.seq,
        message.c.sender_id,
        message.c.client_message_id,
        message.c.kind,
        message.c.format,
        message.c.body,
        message.c.reply_to_seq,
        message.c.created_at,
        message.c.edited_at,
        message.c.deleted_at,
        message.c.warning,
    ]


class MessageColumns:
    """The columns and joins that a message with its parts takes, and how to read them back."""

    def __init__(self, parts: MessageParts, name: str = "message", marks: Sequence[ColumnElement[Any]] = ()) -> None:
        self.message = message = tables.messages.alias(name)
        self._sender = tables.users.alias(f"{name}_sender") if parts.sender else None
        self._target = MessageColumns(parts.reply_to, f"{name}_target", marks) if parts.reply_to else None
        self._own = _own_columns(message)
        self._marks = list(marks) if parts.status else []

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        return [
            *self._own,
            *(users.columns(self._sender) if self._sender is not None else ()),
            *self._marks,
            *(self._target.columns if self._target else ()),
        ]

    def join(self, source: FromClause) -> FromClause:
        """`source`, which holds the message itself, with its parts."""
        if self._sender is not None:
            source = source.outerjoin(self._sender, self._sender.c.id == self.message.c.sender_id)
        if self._target:
            target = self._target.message
            is_target = and_(
                target.c.conversation_id == self.message.c.conversation_id, target.c.seq == self.message.c.reply_to_seq
            )
            source = self._target.join(source.outerjoin(target, is_target))
        return source

    def senders(self, parts: MessageParts) -> list[int]:
        """The places of the keys of senders that these parts want, where the columns are those of bare messages."""
        return _places(parts, len(self._own), _SENDER)

    def read(self, record: Record, at: int = 0, kind: type[Message] = Message) -> Message | None:
        """The message whose columns begin at `at`; None where the join found none."""
        if record[at] is None:
            return None
        end = at + len(self._own)
        message = kind(*record[at:end])
        if self._sender is not None:
            message.user = users.read(record, end)
            end += users.WIDTH
        if self._marks:
            message.watermarks = Watermarks(*record[end : end + len(self._marks)])
            end += len(self._marks)
        if self._target:
            message.reply_to = self._target.read(record, end)
        return message


class MessageArrays:
    """A page of one conversation's messages, those that they answer, those that these answer, and so on, within one row.

    They are an array of each column: a row of its own for a message costs PostgreSQL and the driver more than what is in it.
    """

    def __init__(self, parts: MessageParts, pane: Pane, conversation: FromClause, membership: FromClause) -> None:
        """`conversation` holds the conversation's own columns, and `membership` the viewer's, if there is one."""
        first_seq = membership.c.history_from_seq
        wanted = pane.of(conversation.c.id, first_seq, conversation.c.last_seq).correlate(conversation, membership)
        page = wanted.subquery("page")
        self._parts = [parts]
        self.lists = [select(*map(users.array, _columns_inside(page))).lateral("messages")]
        while (reply_to := self._parts[-1].reply_to) is not None:
            target = tables.messages.alias(f"target_{len(self.lists)}")
            is_target = and_(
                target.c.conversation_id == conversation.c.id,
                target.c.seq == func.any(self.lists[-1].c.reply_to_seq),
            )
            answered = select(*map(users.array, _columns_inside(target))).where(is_target)
            self._parts.append(reply_to)
            self.lists.append(answered.lateral(f"targets_{len(self.lists)}"))
        self._starts = list(accumulate((len(arrays.c) for arrays in self.lists), initial=0))

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        return [column for arrays in self.lists for column in arrays.c]

    @property
    def senders(self) -> list[int]:
        """The places of the keys of senders who are wanted among the columns."""
        return [start + _SENDER_INSIDE for start, parts in zip(self._starts, self._parts, strict=False) if parts.sender]

    def join(self, source: FromClause) -> FromClause:
        """`source`, which holds the conversation, with its messages."""
        for arrays in self.lists:
            source = source.join(arrays, true())
        return source

    def read(
        self, record: Record, at: int, people: Mapping[UUID, User], conversation: UUID, marks: Watermarks | None
    ) -> list[Message]:
        """The messages whose columns begin at `at`, by seq."""
        found: list[Message] = []
        for depth in reversed(range(len(self.lists))):
            targets = {message.seq: message for message in found}
            parts = self._parts[depth]
            arrays = [array or () for array in record[at + self._starts[depth] : at + self._starts[depth + 1]]]
            found = list(map(CachedMessage if parts.is_plain else Message, repeat(conversation), *arrays))
            for message in found if parts.sender else ():
                if message.sender_key is not None:
                    message.user = people.get(message.sender_key)
            for message in found if parts.status else ():
                message.watermarks = marks
            for message in found if targets else ():
                if message.reply_to_seq is not None:
                    message.reply_to = targets.get(message.reply_to_seq)
        return found


def _columns_inside(message: FromClause) -> list[ColumnElement[Any]]:
    """What makes a Message of a conversation that is known."""
    return _own_columns(message)[1:]


_SENDER, _SENDER_INSIDE = 2, 1
"""The place of sender_id in a message's own columns, and in those of one whose conversation is known."""


def _places(parts: MessageParts | None, width: int, place: int) -> list[int]:
    """Where it is in the columns of a message, of the one that it answers, and so on, if their senders are wanted."""
    found, at = [], place
    while parts is not None:
        if parts.sender:
            found.append(at)
        parts, at = parts.reply_to, at + width
    return found


def bare(parts: MessageParts) -> MessageParts:
    """Without what many messages share and `complete` adds."""
    return MessageParts(reply_to=bare(parts.reply_to) if parts.reply_to else None)


def complete(message: Message, parts: MessageParts, people: Mapping[UUID, User], marks: Watermarks | None) -> None:
    """Give it the sender and the watermarks, as the parts want them, and so whatever it answers."""
    if parts.sender and message.sender_key is not None:
        message.user = people.get(message.sender_key)
    if parts.status:
        message.watermarks = marks
    if parts.reply_to and message.reply_to is not None:
        complete(message.reply_to, parts.reply_to, people, marks)


def needs_watermarks(parts: MessageParts | None) -> bool:
    return parts is not None and (parts.status or needs_watermarks(parts.reply_to))


def with_watermarks(
    source: FromClause, conversation: ColumnElement[Any], parts: MessageParts | None
) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """`source` joined to the watermarks of its conversations, and their columns, where the parts need them."""
    if not needs_watermarks(parts):
        return source, []
    marks = _watermarks(conversation)
    return source.join(marks, true()), list(marks.c)


def marked(asked: FromClause, parts: MessageParts) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """The rows of `asked`, a few that name their conversation_id, with watermarks where the parts need them."""
    source, marks = with_watermarks(asked, asked.c.conversation_id, parts)
    # Materialised, or the watermarks would be gathered once a message instead of once a conversation.
    rows = select(*asked.c, *marks).select_from(source).cte("marked").prefix_with("MATERIALIZED")
    return rows, [rows.c[str(mark.key)] for mark in marks]


@lru_cache
def _window(parts: MessageParts) -> tuple[Statement, MessageColumns]:
    asked = (
        func.unnest(
            bindparam("conversations", type_=ARRAY(Uuid)),
            bindparam("lows", type_=ARRAY(Integer)),
            bindparam("highs", type_=ARRAY(Integer)),
        )
        .table_valued(column("conversation_id", Uuid), column("low", Integer), column("high", Integer), name="asked")
        .render_derived(name="asked")
    )
    windows, marks = marked(asked, parts)
    columns = MessageColumns(parts, marks=marks)
    message = columns.message
    inside = and_(
        message.c.conversation_id == windows.c.conversation_id, message.c.seq.between(windows.c.low, windows.c.high)
    )
    statement = (
        select(*columns.columns)
        .select_from(columns.join(windows.join(message, inside)))
        .order_by(message.c.conversation_id, message.c.seq)
    )
    return Statement(statement), columns


async def window(
    connection: Connection, windows: Sequence[Window], parts: MessageParts, kind: type[Message] = Message
) -> list[Message]:
    """The messages in the windows that may be seen, by conversation and seq."""
    statement, columns = _window(parts.joined)
    records = await statement.all(
        connection,
        conversations=[asked.conversation for asked in windows],
        lows=[asked.low for asked in windows],
        highs=[asked.high for asked in windows],
    )
    found = [message for record in records if (message := columns.read(record, kind=kind)) is not None]
    await add_lists(connection, found, parts)
    return found


_LISTS: dict[
    str, tuple[Callable[[Connection, list[MessageKey]], Awaitable[Mapping[MessageKey, Any]]], Callable[[], Any]]
] = {
    "mentions": (mentions.of, list),
    "reply_count": (replies.counts, int),
    "attachments": (attachments.of_messages, list),
}
"""Parts that messages have by their keys: how they are read, and what those have that have none."""


async def add_lists(connection: Connection, messages: Iterable[Message], parts: MessageParts | None) -> None:
    """Give messages that were read just now, and what they answer, what else there is to them.

    They are unsealed, and get the lists that their parts want: one statement for each sort of list.
    """
    messages = list(messages)
    unseal_messages(connection.keyring, messages)
    if parts is None or not parts.has_lists:
        return
    wanted = list(_with_parts(messages, parts))
    reacted = [(message, each.reactors) for message, each in wanted if each.reactions]
    if reacted:
        with_users = any(reactors for _, reactors in reacted)
        groups = await reactions.groups(connection, _keys(message for message, _ in reacted), with_users=with_users)
        for message, _ in reacted:
            message.reactions = groups.get(message.key, [])
    for name, (read, nothing) in _LISTS.items():
        if having := [message for message, each in wanted if getattr(each, name)]:
            found = await read(connection, _keys(having))
            for message in having:
                setattr(message, name, found.get(message.key, nothing()))
    if led := [message for message, each in wanted if each.leaders]:
        leaders = await participants.leaders(connection, {message.conversation_key for message in led})
        for message in led:
            message.leaders = leaders.get(message.conversation_key, {})
    await _add_notices(connection, [message for message, each in wanted if each.notice and message.kind == "SYSTEM"])


async def _add_notices(connection: Connection, messages: Sequence[Message]) -> None:
    if messages:
        said = await notices.by_keys(connection, [message.key for message in messages])
        for message in messages:
            message.notice = said.get(message.key)


def _keys(messages: Iterable[Message]) -> list[MessageKey]:
    """Each once: two events may be about one message."""
    return list(dict.fromkeys(message.key for message in messages))


def _with_parts(messages: Iterable[Message], parts: MessageParts) -> Iterator[tuple[Message, MessageParts]]:
    """The messages and, as far as their parts go, what they answer."""
    for message in messages:
        yield message, parts
        if parts.reply_to and message.reply_to is not None:
            yield from _with_parts([message.reply_to], parts.reply_to)
