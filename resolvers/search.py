"""Searching messages, and taking them into the search."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from db import search, search_index
from db.keys import MessageKey
from db.messages import MessageParts
from db.pool import Connection, Database
from db.rows import Message, User
from db.search import BEGIN_MARK, END_MARK, NEWEST_OF_ALL, Hit, Query, Search, Wanted
from resolvers import cursors, messages
from resolvers.errors import BadUserInputError
from resolvers.jobs import Job
from resolvers.pages import PageArguments, PageInfo
from resolvers.service import Service

DEFAULT_SIZE = 20
LONGEST_QUERY = 200
"""Characters."""
RANKED = 500
"""Of so many hits, the newest, the order of ranks is made."""

_INTERVAL = 0.5  # seconds until what was sent is looked for
_BATCH = 500  # messages that are taken in together

_UNFINISHED = re.compile(r"(?:^|\s)(?!-)\S*?([^\W_]+)$")


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, as an edge of its connection."""

    cursor: str
    node: Message
    rank: float
    snippet: str


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found."""

    edges: list[Found]
    has_previous: bool
    has_next: bool

    @property
    def nodes(self) -> list[Message]:
        return [edge.node for edge in self.edges]

    @property
    def page_info(self) -> PageInfo:
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=self.edges[0].cursor if self.edges else None,
            end_cursor=self.edges[-1].cursor if self.edges else None,
        )


@dataclass(frozen=True, slots=True)
class Extras:
    """What is wanted beside the messages themselves."""

    parts: MessageParts
    snippet: bool
    rank: bool


_NOTHING = Results([], has_previous=False, has_next=False)
_Ranked = tuple[float, Hit]
"""A hit and how well it fits: its place where the best come first."""


async def messages_found(
    service: Service, viewer: User, wanted: Wanted, arguments: PageArguments, *, by_rank: bool, extras: Extras
) -> Results:
    """The messages that the viewer may see and is searching for, best or newest first.

    `wanted.query` is what was typed. Raises BadUserInputError or BadCursorError.
    """
    if len(wanted.query) > LONGEST_QUERY:
        raise BadUserInputError(f"query: at most {LONGEST_QUERY} characters, not {len(wanted.query)}")
    size = arguments.size(DEFAULT_SIZE)
    name = cursors.search(viewer.key, (wanted, by_rank))
    after = cursors.to_hit(name, arguments.after) if arguments.after is not None else None
    async with service.database.system() as connection:
        query = await search.parse(connection, wanted.query, _unfinished(wanted.query))
        rooms = await search.rooms(connection, viewer.key, wanted.conversation) if query else []
        if query is None or not rooms:
            return _NOTHING
        searching = _Searching(connection, Search(replace(wanted, query=query.text), rooms, query.entries), size)
        page = await (searching.by_rank(after) if by_rank else searching.newest(after, ranked=extras.rank))
    edges = await _edges(service, viewer, name, query, page.hits, extras)
    return Results(edges, page.has_previous, page.has_next)


def _unfinished(query: str) -> str:
    """The last word, where somebody may still be typing it: it is neither quoted, nor excluded, nor `or`."""
    found = _UNFINISHED.search(query)
    if found is None or query.count('"') % 2 or found[1].lower() == "or":
        return ""
    return found[1]


@dataclass(frozen=True, slots=True)
class _Page:
    hits: list[_Ranked]
    has_previous: bool
    has_next: bool


class _Searching:
    """One search, and its two orders."""

    def __init__(self, connection: Connection, searched: Search, size: int) -> None:
        self._connection = connection
        self._search = searched
        self._size = size

    async def newest(self, after: _Ranked | None, *, ranked: bool) -> _Page:
        """Without `ranked` all ranks are zero."""
        if after is None:
            hits = await self._newest(NEWEST_OF_ALL, self._size + 1)
            has_previous = False
        else:
            _, place = after
            hits = await self._newest(place, self._size + 2)
            has_previous = hits[:1] == [place]
            if has_previous:
                hits = hits[1:]
            else:  # it was deleted meanwhile
                has_previous = any(hit > place for hit in await self._newest(NEWEST_OF_ALL, 1))
        shown = hits[: self._size]
        ranks = await search.ranks(self._connection, self._search.wanted.query, shown) if ranked else {}
        return _Page([(ranks.get(hit, 0.0), hit) for hit in shown], has_previous, has_next=len(hits) > self._size)

    async def by_rank(self, after: _Ranked | None) -> _Page:
        hits = await self._newest(NEWEST_OF_ALL, RANKED)
        ranks = await search.ranks(self._connection, self._search.wanted.query, hits)
        ordered = sorted(((rank, hit) for hit, rank in ranks.items()), reverse=True)
        rest = [each for each in ordered if each < after] if after else ordered
        return _Page(rest[: self._size], len(rest) < len(ordered), len(rest) > self._size)

    async def _newest(self, start: Hit, size: int) -> list[Hit]:
        return await search.newest(self._connection, self._search, start, size)


async def _edges(
    service: Service, viewer: User, name: str, query: Query, ranked: Sequence[_Ranked], extras: Extras
) -> list[Found]:
    """What was found, as the viewer may see it."""
    hits = [hit for _, hit in ranked]
    keys = [MessageKey(hit.conversation, hit.seq) for hit in hits]
    nodes = await messages.by_keys(service, viewer.key, keys, extras.parts) if keys else []
    snippets: dict[tuple[UUID, int], str] = {}
    if hits and extras.snippet:
        async with service.database.viewer(viewer.key) as connection:
            snippets = await search.snippets(connection, query, hits)
    return [
        Found(cursors.from_hit(name, rank, hit), node, rank, _marked(snippets.get((hit.conversation, hit.seq), "")))
        for (rank, hit), node in zip(ranked, nodes, strict=True)
        if node is not None  # deleted since it was found
    ]


def _marked(snippet: str) -> str:
    """As HTML that is safe anywhere in a page's text."""
    return html.escape(snippet).replace(BEGIN_MARK, "<mark>").replace(END_MARK, "</mark>")


def job(database: Database, configuration: str) -> Job:
    """Takes messages into the search, a moment after they were sent, by this text search configuration.

    All messages are taken in again where it is another one than before. Of processes that are configured differently the
    one that started last is followed.
    """
    has_begun = False

    async def work() -> bool:
        nonlocal has_begun
        async with database.system() as connection:
            if not has_begun:
                await search_index.begin(connection, configuration)
                has_begun = True
            return await search_index.advance(connection, _BATCH)

    return Job("search", _INTERVAL, work)
