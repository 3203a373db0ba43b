"""A server is killed while messages are due: the other one sends what it did not, and nothing twice."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx

from tests.faults.conftest import Serve
from tests.faults.people import Person
from tests.flow.client import PATIENCE
from tests.flow.database import rows, run

SENDERS, EACH = 8, 25
LATE = timedelta(seconds=2)

_SCHEDULE = """mutation ($input: ScheduleMessageInput!) { scheduleMessage(input: $input) { errors { __typename } } }"""
_SOON = """
    UPDATE parley.scheduled_messages SET send_at = due, due_at = due FROM (
        SELECT user_id AS sender, id AS key, send_at - min(send_at) OVER () + now() + interval '1.5 seconds' AS due
        FROM parley.scheduled_messages) AS soon
    WHERE user_id = sender AND id = key
"""
_PROGRESS = "SELECT count(*) FILTER (WHERE status = 'SENT') FROM parley.scheduled_messages"
_SENT = """
    SELECT s.body, s.seq, count(m.seq), min(m.created_at) - s.send_at
    FROM parley.scheduled_messages s
    LEFT JOIN parley.messages m ON m.conversation_id = s.conversation_id AND m.body = s.body
    GROUP BY s.user_id, s.id
"""
_HISTORY = (
    "SELECT conversation_id, array_agg(seq ORDER BY seq), array_agg(body ORDER BY seq) FROM parley.messages GROUP BY 1"
)


async def _schedule(person: Person, conversation: str, at: datetime) -> None:
    for number in range(EACH):
        payload = await person.ask(
            _SCHEDULE,
            input={
                "to": {"conversationId": conversation},
                "body": f"{person.handle} {number:02}",
                "sendAt": (at + timedelta(milliseconds=number)).isoformat(),
            },
        )
        assert payload["scheduleMessage"]["errors"] == []


async def test_a_server_is_killed_while_messages_are_due(database_url: str, serve: Serve) -> None:
    """kill -9 of one of two: each message is sent once, in its sender's order, within two seconds of its time."""
    servers = [await serve(database_url), await serve(database_url)]
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        people = [Person(http, f"sender{n}", [server.address for server in servers]) for n in range(SENDERS)]
        reader = await Person(http, "reader", [servers[0].address]).id()
        conversations = [await person.start(person.handle, [reader]) for person in people]
        at = datetime.now(UTC) + timedelta(hours=1)
        await asyncio.gather(*map(_schedule, people, conversations, [at] * SENDERS))
    await run(database_url, _SOON)

    async with asyncio.timeout(PATIENCE):
        while not await _progress(database_url):
            pass
        before = await _progress(database_url)
        await servers[0].kill()
        while await _progress(database_url) < SENDERS * EACH:
            pass

    assert before < SENDERS * EACH
    sent = await rows(database_url, _SENT)
    assert {(count, timedelta() <= late < LATE) for _, _, count, late in sent} == {(1, True)}
    for _, seqs, bodies in await rows(database_url, _HISTORY):
        assert seqs == list(range(1, EACH + 1))
        assert bodies == sorted(bodies)


async def _progress(url: str) -> int:
    ((count,),) = await rows(url, _PROGRESS)
    found: int = count
    return found
