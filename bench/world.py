"""The same rows behind several servers, each with a database of its own."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import dataset as rows
from bench import peers
from bench.dataset import Dataset
from bench.machine import BenchError
from bench.operations import FLOOR, PARLEY, PLAIN, Dialect
from bench.peers import Peer, Postgres
from db import migrate

NAMES = ("floor", "node", "tutorial", "anew", "parley")

ANEW = "anew"
"""Parley that remembers nothing of what it reads."""

_PARLEYS: dict[str, dict[str, Any]] = {"parley": {}, ANEW: {"cache_size": "0"}}
"""With their settings."""

_DIALECTS = {"floor": FLOOR, "node": PLAIN, "tutorial": PLAIN, ANEW: PARLEY, "parley": PARLEY}

_HOLES = """
SELECT count(*) FROM {schema}.conversations c
LEFT JOIN (
    SELECT conversation_id, count(*) AS there, min(seq) AS lowest, max(seq) AS highest
    FROM {schema}.messages GROUP BY conversation_id
) m ON m.conversation_id = c.id
WHERE (coalesce(m.there, 0), coalesce(m.highest, 0)) <> (c.last_seq, c.last_seq) OR m.lowest <> 1
"""
_IS_SEARCHED = "SELECT conversation_id IS NULL FROM parley.search_state"
_TURN = 0.2  # seconds
_PATIENCE = 300.0  # seconds; 200,000 messages take 15
_SENT = "SELECT count(*) FROM {schema}.messages WHERE client_message_id LIKE $1 || '%'"


@dataclass(frozen=True, slots=True)
class Server:
    """A peer with its rows."""

    peer: Peer
    dialect: Dialect
    url: str
    """Of its database."""
    schema: str

    @property
    def name(self) -> str:
        return self.peer.name

    def holes(self) -> int:
        """Conversations whose messages are not seq 1, 2, 3 … up to their last, each once."""
        return int(self._value(_HOLES))

    def sent(self, prefix: str) -> int:
        """Messages with a key of this prefix."""
        return int(self._value(_SENT, prefix))

    def _value(self, statement: str, *values: object) -> Any:  # noqa: ANN401  (a row's)
        return asyncio.run(_fetch(self.url, statement.format(schema=self.schema), values))


@contextmanager
def servers(postgres: Postgres, dataset: Dataset, names: Sequence[str] = NAMES) -> Iterator[list[Server]]:
    """Running, with the data set loaded. A Node server that cannot be had is left out, and said so."""
    with ExitStack() as stack:
        if set(names) - _PARLEYS.keys():
            rows.load_plain(postgres.database("plain"), dataset)
        started = []
        for name in names:
            try:
                started.append(stack.enter_context(_server(postgres, dataset, name)))
            except BenchError as error:
                if name != "node":
                    raise
                print(f"  left out: {error}")
        yield started


@contextmanager
def _server(postgres: Postgres, dataset: Dataset, name: str) -> Iterator[Server]:
    is_parley = name in _PARLEYS
    if is_parley:
        url = postgres.database(name)
        asyncio.run(migrate.upgrade(url))
        rows.load_parley(url, dataset)
        running = peers.parley(postgres, name, database_url=url, **_PARLEYS[name])
    else:
        url = postgres.database(name, template="bench_plain")
        running = {"floor": peers.floor, "node": peers.node, "tutorial": peers.tutorial}[name](postgres, url)
    with running as peer:
        if is_parley:
            _await_search(url)
        yield Server(peer, _DIALECTS[name], url, "parley" if is_parley else "public")


def _await_search(url: str) -> None:
    """Rows that nobody sent are taken into the search, once and beside what is served: it is none of what is measured."""
    deadline = time.monotonic() + _PATIENCE
    while not asyncio.run(_fetch(url, _IS_SEARCHED, ())):
        if time.monotonic() > deadline:
            raise BenchError("the search does not take in the data set")
        time.sleep(_TURN)


async def _fetch(url: str, statement: str, values: Sequence[object]) -> Any:  # noqa: ANN401
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()
