"""The plan of each hot statement, with few messages and with many: `python -m bench.parts.plans > docs/statements.md`."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from db import events, inbox, memberships, messages, migrate, participants, recall
from db.conversation_parts import ConversationParts
from db.embedded import EmbeddedPostgres
from db.inbox import Filter
from db.messages import MessageParts, Pane, Window
from db.paging import Cut
from db.pool import Connection, Database

_SIZES = (200_000, 2_000_000)  # messages
_INBOXES = (20, 500, 10_000)  # conversations of one user
_PEOPLE, _CONVERSATIONS = 200, 500

_SEED = """
CREATE TEMP TABLE person AS SELECT n, gen_random_uuid() AS id FROM generate_series(1, {people}) n;
CREATE TEMP TABLE room AS SELECT n, gen_random_uuid() AS id, 2 + n % 19 AS size FROM generate_series(1, {rooms}) n;
CREATE TEMP TABLE member AS
    SELECT room.id AS room, person.id AS person, room.n, size, min(k) AS k
    FROM room CROSS JOIN generate_series(0, 19) k JOIN person ON person.n = 1 + (room.n * 7 + k * 11) % {people}
    WHERE k < size GROUP BY 1, 2, 3, 4;
INSERT INTO parley.users (id, handle, name, created_at) SELECT id, 'person' || n, 'Person ' || n, now() FROM person;
INSERT INTO parley.conversations (id, kind, title, created_at, last_activity_at, last_seq, revision)
    SELECT id, 'GROUP', 'Room ' || n, now(), now() - n * interval '1 minute', {each}, {each} + 1 FROM room;
INSERT INTO parley.memberships (user_id, conversation_id, xact) SELECT person, room, 1 FROM member;
INSERT INTO parley.participants (conversation_id, user_id, joined_at, last_read_seq, last_delivered_seq)
    SELECT room, person, now(), greatest(0, {each} - k), {each} FROM member;
INSERT INTO parley.messages (conversation_id, seq, sender_id, client_message_id, body, reply_to_seq, created_at)
    SELECT room, seq, person, 'k' || seq, repeat('as usual ', 10), CASE WHEN seq % 10 = 0 THEN seq - 3 END, now()
    FROM generate_series(1, {each}) seq JOIN member ON k = seq % size;
INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq, xact)
    SELECT conversation_id, seq + 1, 'MessageSent', created_at, sender_id, seq, 1 FROM parley.messages;
"""

# One more person, in so many conversations of two without messages.
_BUSY = """
WITH person AS (
    INSERT INTO parley.users (id, handle, created_at) VALUES (gen_random_uuid(), 'busy{rooms}', now()) RETURNING id
), room AS (
    INSERT INTO parley.conversations (id, kind, title, created_at, last_activity_at)
    SELECT gen_random_uuid(), 'GROUP', 'Busy ' || n, now(), now() - n * interval '1 second'
    FROM generate_series(1, {rooms}) n RETURNING id
), membership AS (
    INSERT INTO parley.memberships (user_id, conversation_id, xact) SELECT person.id, room.id, 1 FROM person, room
)
INSERT INTO parley.participants (conversation_id, user_id, joined_at) SELECT room.id, person.id, now() FROM person, room
"""

_HEAD = """# The hot statements, and their plans

What PostgreSQL does for each request that matters, with {small:,} messages and with {large:,} ({people} people in {rooms}
conversations of two to twenty). `.venv/bin/python -m bench.parts.plans > docs/statements.md` makes this document, so that
a plan that changes shows as a difference.

Each line is a step that reads: what, how many rows, and how often. `buffers` are pages of 8 kB. Every statement is one
round trip, and names its viewer itself (`db/statements.py`). The viewer's conversations, and who takes part in one, come from
views that begin with the viewer's memberships (`db/views.py`). Elsewhere a `policy` is row level security: of conversations
and participants each row is looked up in the memberships, of messages and what belongs to them the memberships are read once
and kept as a hash. So what a statement costs grows with its page, for messages with how many conversations its viewer is in,
and not with how long they are; the inbox also sorts all of its owner's conversations. Users are remembered
(`db/cache.py`), and so are last messages and members of an inbox: what stands here is read each time.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as it was run."""

    name: str
    text: str
    arguments: tuple[Any, ...]


async def _run(url: str) -> None:
    plans: dict[str, list[str]] = {}
    for size in _SIZES:
        admin = await asyncpg.connect(url)
        await admin.execute("DROP DATABASE IF EXISTS plans")
        await admin.execute("CREATE DATABASE plans")
        await admin.close()
        there = url.replace("/parley?", "/plans?")
        await migrate.upgrade(there)
        await _fill(there, _SEED.format(people=_PEOPLE, rooms=_CONVERSATIONS, each=size // _CONVERSATIONS))
        for asked in await _statements(there):
            plans.setdefault(asked.name, []).append(f"{size:,} messages\n\n{await _plan(there, asked)}")
    for rooms in _INBOXES:
        await _fill(there, _BUSY.format(rooms=rooms))
        (inbox,) = [asked for asked in await _statements(there, f"busy{rooms}") if asked.name == "Inbox"]
        plans.setdefault("Inbox, by the conversations of its owner", []).append(
            f"{rooms:,} conversations\n\n{await _plan(there, inbox)}"
        )
    out = [_HEAD.format(small=_SIZES[0], large=_SIZES[1], people=_PEOPLE, rooms=_CONVERSATIONS)]
    out += [f"## {name}\n\n" + "\n\n".join(each) + "\n" for name, each in plans.items()]
    sys.stdout.write("\n".join(out))


async def _fill(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SET session_replication_role = replica"
    )  # the foreign keys hold; checking them takes long
    await connection.execute(script)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _statements(url: str, handle: str = "person1") -> list[Asked]:
    """The hot statements, each run once in the name of this user."""
    told: list[Any] = []
    database = await Database.open(url, pool_size=1, cache_size=10_000, observe=told.append)
    async with database.system() as connection:
        viewer, room, last = await _subject(connection, handle)
    message = MessageParts(sender=True, status=True, reply_to=MessageParts(sender=True))
    page = ConversationParts(
        viewer_state=True, messages=(Pane(50), message), participants=(Cut(20, counted=True), ("role", "last_read_seq"))
    )
    same = replace(page, messages=(Pane(50), MessageParts(sender=True)))
    line = ConversationParts(viewer_state=True, last_message=MessageParts(sender=True), participants=(Cut(20), ()))
    runs: dict[str, Callable[[Connection], Awaitable[object]]] = {
        "Page of 50 messages, and participants": lambda c: recall.by_keys(c, viewer, [room], page),
        "Page of 50 messages that are remembered, and participants": lambda c: recall.by_keys(c, viewer, [room], same),
        "Inbox": lambda c: inbox.page(c, viewer, Cut(20), Filter(), line),
        "Unread counts": inbox.unread,
        "A message, after it was sent": lambda c: messages.window(c, [Window(room, last, last)], message),
        "Membership": lambda c: memberships.find(c, viewer, room),
        "Participants, a page after another": lambda c: participants.page(c, [room], Cut(20)),
        "Events after a revision": lambda c: events.after(c, {room: last - 50}, 100, needs=frozenset({"status"})),
    }
    found = []
    for name, run in runs.items():
        for _ in range(2):  # the first time the driver asks for types, and what is remembered is read
            told.clear()
            async with database.viewer(viewer) as connection:
                await run(connection)
            await asyncio.sleep(0)
        (query,) = told
        found.append(Asked(name, query.query, query.args))
    await database.close()
    return found


async def _subject(connection: Connection, handle: str) -> tuple[UUID, UUID, int]:
    """A user, the busiest of their conversations, and its newest seq."""
    record = await connection.driver.fetchrow(
        "SELECT m.user_id, c.id, c.last_seq FROM parley.users u JOIN parley.memberships m ON m.user_id = u.id "
        "JOIN parley.conversations c ON c.id = m.conversation_id WHERE u.handle = $1 "
        "ORDER BY c.last_seq DESC, c.title LIMIT 1",
        handle,
    )
    return record[0], record[1], record[2]


async def _plan(url: str, asked: Asked) -> str:
    settings = {"role": migrate.APP_ROLE, "plan_cache_mode": "force_generic_plan", "jit": "off"}
    connection = await asyncpg.connect(url, server_settings=settings)
    # EXPLAIN of a statement with parameters plans it for just these; of one that is executed it shows the plan for all.
    await connection.execute(f"PREPARE asked AS {asked.text}")
    arguments = ", ".join(map(_literal, asked.arguments))
    explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) EXECUTE asked"
    for _ in range(2):  # what was not in memory is now
        (found,) = orjson.loads(await connection.fetchval(f"{explain} ({arguments})" if arguments else explain))
    await connection.close()
    plan = found["Plan"]
    buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    lines = [line for child in plan["Plans"][1].get("Plans", [plan["Plans"][1]]) for line in _lines(child, 0)]
    return "\n".join(["```text", f"{plan['Actual Rows']:.0f} rows, {buffers} buffers", *lines, "```"])


def _literal(value: object) -> str:
    """As SQL has it: keys, numbers, times, and lists of them."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return f"'{value}'"


def _lines(plan: dict[str, Any], depth: int) -> Iterator[str]:
    """The steps that read something, and what is beneath them."""
    kind, of = plan["Node Type"], plan.get("Index Name") or plan.get("Relation Name") or plan.get("CTE Name")
    reads = of is not None and kind != "Bitmap Heap Scan"
    if reads and plan["Actual Loops"]:
        policy = "policy: " if plan.get("Parent Relationship") == "SubPlan" else ""
        yield f"{'  ' * depth}{policy}{kind} {of}: {plan['Actual Rows']:.0f} rows x {plan['Actual Loops']}"
    for child in plan.get("Plans", ()):
        yield from _lines(child, depth + int(reads))


def main() -> None:
    """Make the data in a PostgreSQL of its own, and print the document."""
    argparse.ArgumentParser(prog="python -m bench.parts.plans", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres", fsync=False) as server:
        asyncio.run(_run(server.url))


if __name__ == "__main__":
    main()
