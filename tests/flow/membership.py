"""Somebody is removed from a conversation, as whoever removes them has to write it: rights and event in one transaction."""

import asyncpg

from db.keys import parse_conversation_id
from resolvers.wakeups import CHANNEL, Hint, Kind, encode
from tests.flow.client import Parley

_REMOVE = """
    WITH gone AS (
        DELETE FROM parley.memberships m USING parley.users u
        WHERE m.user_id = u.id AND m.conversation_id = $1 AND u.handle = $2 RETURNING u.id
    ), seat AS (
        DELETE FROM parley.participants p USING gone WHERE p.conversation_id = $1 AND p.user_id = gone.id
    ), conversation AS (
        UPDATE parley.conversations SET revision = revision + 1 WHERE id = $1 RETURNING revision
    ), event AS (
        INSERT INTO parley.events (conversation_id, revision, kind, at, data)
        SELECT $1, revision, 'ParticipantsChanged', now(), jsonb_build_object('removed', jsonb_build_array(gone.id))
        FROM conversation, gone
    )
    SELECT revision FROM conversation
"""


async def remove(parley: Parley, conversation: str, handle: str) -> None:
    key = parse_conversation_id(conversation)
    connection = await asyncpg.connect(parley.database_url)
    try:
        revision = await connection.fetchval(_REMOVE, key, handle)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, encode([Hint(Kind.EVENT, key, revision)]))
    finally:
        await connection.close()
