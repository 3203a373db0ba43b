"""Statements that search messages.

They run in nobody's name, and say themselves whose conversations they are about: under row level security PostgreSQL looks
at the policy before it lets the search see a row, and an index of words would never be used. What is found is read in the
viewer's name, which holds it to the policies once more.

Two ways lead to hits. Frequent words are soon met on a walk back through the newest entries; rare ones are few in the
index of words. So a search walks first, and asks the index when that did not do. How far it walks follows from what the
index would cost: of M entries one in n has the word. Then `size` hits take a walk of n * size, and the index has M / n.
Where these are alike, the walk is sqrt(size * M), whatever n is, but for what a hit of the index costs in entries of a walk.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, Boolean, DateTime, Integer, Text, Uuid, bindparam, text

from db.pool import Connection
from db.search_words import PART, parted
from db.statements import Record, Statement

_SHORTEST_WALK = 1_000  # entries
_HIT = 8  # entries of a walk that cost what a hit of the index does, whose row is fetched and looked at again
_FIRST = 16  # conversations in the first stretch of a walk; then four times as many, and so on

_MICROSECOND = timedelta(microseconds=1)
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Hit(NamedTuple):
    """A message that was found; in the order of fields it is the position in time, and so among the newest."""

    at: datetime
    conversation: UUID
    seq: int


NEWEST_OF_ALL = Hit(_LATEST, UUID(int=2**128 - 1), 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; None: any."""

    query: str
    """A tsquery as text, with something that has to be there."""
    conversation: UUID | None = None
    sender: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this."""
    has_attachment: bool | None = None

    @property
    def shape(self) -> tuple[bool, bool]:
        """What of it changes the statements."""
        return self.sender is not None, self.has_attachment is not None

    @property
    def values(self) -> dict[str, object]:
        given = {"query": self.query, "sender": self.sender, "has_attachment": self.has_attachment}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody typed, as PostgreSQL understands it."""

    configuration: str
    """The text search configuration of all entries."""
    text: str
    """A tsquery."""
    entries: int
    """How many there are in all, roughly."""


@dataclass(frozen=True, slots=True)
class Room:
    """A conversation of the viewer, as the search sees it."""

    conversation: UUID
    floor: int
    """The first seq that the viewer may see."""
    size: int
    last_activity_at: datetime


_PARSE = Statement(
    text(f"""
    SELECT state.configuration, parsed.query::text, querytree(parsed.query), plainto_tsquery(by.configuration, :last)::text,
        (SELECT c.reltuples::bigint FROM pg_class c WHERE c.oid = 'parley.search_entries'::regclass)
    FROM parley.search_state AS state
    CROSS JOIN LATERAL (SELECT CAST(state.configuration AS regconfig) AS configuration) AS by
    CROSS JOIN LATERAL (SELECT websearch_to_tsquery(by.configuration, {parted(":query")}) AS query) AS parsed
    """).bindparams(bindparam("query", type_=Text), bindparam("last", type_=Text))
)


async def parse(connection: Connection, query: str, last: str) -> Query | None:
    """What somebody means who types `query`; None where nothing in it has to be there, or there is no search yet.

    `last`: the word that is still being typed, which stands for all that begin with it; empty: there is none.
    """
    record = await _PARSE.first(connection, query=query, last=last)
    if record is None:
        return None
    configuration, parsed, required, unfinished, entries = record
    if required in {"", "T"}:
        return None
    if unfinished and parsed.endswith(unfinished) and unfinished.count("'") == 2:  # noqa: PLR2004  (a word by itself)
        parsed += ":*"
    return Query(configuration, parsed, max(entries, 0))


_ROOMS = Statement(
    text("""
    SELECT m.conversation_id, m.history_from_seq, c.last_seq, c.last_activity_at
    FROM parley.memberships m JOIN parley.conversations c ON c.id = m.conversation_id
    WHERE m.user_id = :viewer AND (CAST(:conversation AS uuid) IS NULL OR m.conversation_id = :conversation)
    AND c.last_seq >= m.history_from_seq AND NOT c.is_sensitive
    ORDER BY c.last_activity_at DESC
    """).bindparams(bindparam("viewer", type_=Uuid), bindparam("conversation", type_=Uuid))
)


async def rooms(connection: Connection, viewer: UUID, conversation: UUID | None) -> list[Room]:
    """The viewer's conversations in which something can be found, the last active ones first; or that one alone."""
    return [Room(*record) for record in await _ROOMS.all(connection, viewer=viewer, conversation=conversation)]


_Shape = tuple[bool, bool]

# By itself, or it would be read again for each row.
_QUERY = "(SELECT CAST(CAST(:query AS text) AS tsquery))"
_DURING = "e.at BETWEEN :since AND :at AND (e.at, e.conversation_id, e.seq) <= (:at, :conversation, :seq)"
_PARAMETERS: list[BindParameter[Any]] = [
    bindparam("conversations", type_=ARRAY(Uuid)),
    bindparam("floors", type_=ARRAY(Integer)),
    bindparam("since", type_=DateTime(timezone=True)),
    bindparam("at", type_=DateTime(timezone=True)),
    bindparam("conversation", type_=Uuid),
    bindparam("seq", type_=Integer),
    bindparam("size", type_=Integer),
    bindparam("query", type_=Text),
]
_OF_SENDER, _OF_ATTACHMENT = bindparam("sender", type_=Uuid), bindparam("has_attachment", type_=Boolean)


def _statement(template: str, shape: _Shape) -> Statement:
    """`{matches}` is true of an entry `e` that is a hit, but for where and when it is."""
    matches, parameters = f"e.words @@ {_QUERY}", list(_PARAMETERS)
    of_sender, of_attachment = shape
    if of_sender:
        matches += " AND e.sender_id = :sender"
        parameters.append(_OF_SENDER)
    if of_attachment:
        matches += " AND e.has_attachment = :has_attachment"
        parameters.append(_OF_ATTACHMENT)
    return Statement(text(template.format(matches=matches)).bindparams(*parameters))


# A row for each conversation: a row for each entry would cost more than looking at it.
@lru_cache
def _walking(shape: _Shape) -> Statement:
    template = f"""
        SELECT walked.ats, walked.seqs, walked.count, walked.oldest
        FROM unnest(:conversations, :floors) WITH ORDINALITY AS room(conversation_id, floor, place)
        CROSS JOIN LATERAL (
            SELECT array_agg(entry.at) FILTER (WHERE entry.is_hit) AS ats,
                array_agg(entry.seq) FILTER (WHERE entry.is_hit) AS seqs,
                count(*) AS count, min(entry.at) AS oldest
            FROM (
                SELECT e.at, e.seq, coalesce(e.seq >= room.floor AND {{matches}}, false) AS is_hit
                FROM parley.search_entries e
                WHERE e.conversation_id = room.conversation_id AND {_DURING}
                ORDER BY e.at DESC, e.seq DESC LIMIT :size
            ) AS entry
        ) AS walked
        ORDER BY room.place
        """
    return _statement(template, shape)


# OFFSET 0 keeps the planner from asking each conversation in turn: that would be another walk.
@lru_cache
def _looking_up(shape: _Shape) -> Statement:
    template = f"""
        SELECT hit.at, hit.conversation_id, hit.seq
        FROM (
            SELECT e.at, e.conversation_id, e.seq FROM parley.search_entries e WHERE {{matches}} AND {_DURING} OFFSET 0
        ) AS hit
        JOIN unnest(:conversations, :floors) AS room(conversation_id, floor)
            ON hit.conversation_id = room.conversation_id AND hit.seq >= room.floor
        ORDER BY hit.at DESC, hit.conversation_id DESC, hit.seq DESC LIMIT :size
        """
    return _statement(template, shape)


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, and where."""

    wanted: Wanted
    """Its query is a tsquery, with something that has to be there."""
    rooms: Sequence[Room]
    """In the order of their last activity, the newest first."""
    entries: int
    """How many there are in all, whoever may see them."""

    def values(self, rooms: Sequence[Room], since: datetime, start: Hit, size: int) -> dict[str, object]:
        return {
            **self.wanted.values,
            "conversations": [room.conversation for room in rooms],
            "floors": [room.floor for room in rooms],
            "since": since,
            "at": start.at,
            "conversation": start.conversation,
            "seq": start.seq,
            "size": size,
        }


async def newest(connection: Connection, search: Search, start: Hit, size: int) -> list[Hit]:
    """The newest hits from `start` on, at most `size`, newest first."""
    if search.wanted.until is not None:
        start = min(start, _just_before(search.wanted.until))
    found = await _walk(connection, search, start, size)
    return await _look_up(connection, search, start, size) if found is None else found


def _just_before(moment: datetime) -> Hit:
    """The last place before all that was sent then."""
    return Hit(moment, UUID(int=0), 0)


async def _look_up(connection: Connection, search: Search, start: Hit, size: int) -> list[Hit]:
    """The same, by the index of words."""
    statement, since = _looking_up(search.wanted.shape), search.wanted.since or _EARLIEST
    records = await statement.all(connection, **search.values(search.rooms, since, start, size))
    return [Hit(*record) for record in records]


async def _walk(connection: Connection, search: Search, start: Hit, size: int) -> list[Hit] | None:
    """The same, by looking at every entry from the newest on; None where as many as may be looked at do not tell.

    It goes by stretches of time, each of which ends where the next conversation was last active: whatever is newer is in
    the conversations before that one. The last stretch is all the rest.
    """
    rooms, since = search.rooms, search.wanted.since or _EARLIEST
    there = sum(room.size for room in rooms)
    left = max(_SHORTEST_WALK, math.isqrt(_HIT * size * search.entries))
    may_see_all = there <= left
    statement = _walking(search.wanted.shape)
    hits: list[Hit] = []
    count = _FIRST
    while True:
        is_last = count >= len(rooms)
        end = since if is_last else max(since, rooms[count].last_activity_at + _MICROSECOND)
        among = rooms[:count]
        if end <= start.at:
            # One more than there are is never reached.
            depth = there + 1 if may_see_all else max(1, left // len(among)) if is_last else left
            records = await statement.all(connection, **search.values(among, end, start, depth))
            met = _met(among, records)
            edge = max((oldest for _, _, walked, oldest in records if walked == depth), default=None)
            left -= sum(walked for _, _, walked, _ in records)
            hits += met
            if edge is not None:  # of a conversation that goes on beyond it
                whole = [hit for hit in hits if hit.at > edge]
                return whole[:size] if len(whole) >= size else None
        if is_last or end == since or len(hits) >= size:
            return hits[:size]
        if left < 1 and not may_see_all:
            return None
        start = min(start, _just_before(end))
        count *= 4


def _met(rooms: Sequence[Room], records: Sequence[Record]) -> list[Hit]:
    """The hits that a walk through these conversations met, newest first."""
    hits = [
        Hit(at, room.conversation, seq)
        for room, (ats, seqs, _, _) in zip(rooms, records, strict=True)
        for at, seq in zip(ats or (), seqs or (), strict=True)
    ]
    hits.sort(reverse=True)
    return hits


# 1: divided by one and the logarithm of the message's length.
_RANKS = Statement(
    text(f"""
    SELECT e.at, e.conversation_id, e.seq, ts_rank(e.words, {_QUERY}, 1)
    FROM unnest(:conversations, :ats, :seqs) AS hit(conversation_id, at, seq)
    JOIN parley.search_entries e ON e.conversation_id = hit.conversation_id AND e.at = hit.at AND e.seq = hit.seq
    """).bindparams(
        bindparam("query", type_=Text),
        bindparam("conversations", type_=ARRAY(Uuid)),
        bindparam("ats", type_=ARRAY(DateTime(timezone=True))),
        bindparam("seqs", type_=ARRAY(Integer)),
    )
)


async def ranks(connection: Connection, query: str, hits: Sequence[Hit]) -> dict[Hit, float]:
    """How well each of the hits that are still there fits the query: more is better."""
    if not hits:
        return {}
    records = await _RANKS.all(
        connection,
        query=query,
        conversations=[hit.conversation for hit in hits],
        ats=[hit.at for hit in hits],
        seqs=[hit.seq for hit in hits],
    )
    return {Hit(at, conversation, seq): rank for at, conversation, seq, rank in records}


BEGIN_MARK, END_MARK = "\ufdd0", "\ufdd1"
"""Around what was searched for in a snippet. They are no characters: no text has them, and what has is rid of them."""

_MARKS = f"StartSel={BEGIN_MARK}, StopSel={END_MARK}"
_FRAGMENTS = f"{_MARKS}, MaxFragments=2, MaxWords=30, MinWords=10, FragmentDelimiter= … "
_WHOLE = 300  # characters up to which a message is shown as a whole
_SNIPPETS = Statement(
    text(f"""
    SELECT m.conversation_id, m.seq, ts_headline(
        CAST(CAST(:configuration AS text) AS regconfig),
        {parted(f"translate(left(m.body, 10000), '{BEGIN_MARK}{END_MARK}', '')")},
        {_QUERY},
        CASE WHEN length(m.body) <= {_WHOLE} THEN '{_MARKS}, HighlightAll=true' ELSE '{_FRAGMENTS}' END)
    FROM unnest(:conversations, :seqs) AS hit(conversation_id, seq)
    JOIN parley.messages m ON m.conversation_id = hit.conversation_id AND m.seq = hit.seq
    """).bindparams(
        bindparam("configuration", type_=Text),
        bindparam("query", type_=Text),
        bindparam("conversations", type_=ARRAY(Uuid)),
        bindparam("seqs", type_=ARRAY(Integer)),
    )
)


async def snippets(connection: Connection, query: Query, hits: Sequence[Hit]) -> dict[tuple[UUID, int], str]:
    """Of each message the words around what was searched for, which is between marks."""
    records = await _SNIPPETS.all(
        connection,
        configuration=query.configuration,
        query=query.text,
        conversations=[hit.conversation for hit in hits],
        seqs=[hit.seq for hit in hits],
    )
    return {
        (conversation, seq): snippet.replace(PART, "").replace(END_MARK + BEGIN_MARK, "")
        for conversation, seq, snippet in records
    }
