"""The one direct conversation of two people and a context."""

from uuid import UUID

from db import starts
from db.keys import new_key
from db.pool import Connection
from db.starts import Context, NewConversation, Pair


async def find_or_create(
    connection: Connection, viewer: UUID, other: UUID, context: Context | None = None
) -> tuple[UUID, bool]:
    """Its key, and whether it was made just now. Racing callers meet in one row; runs inside a transaction."""
    pair = Pair.of(viewer, other, context)
    existing = await starts.find_pair(connection, pair)
    if existing is not None:
        return existing, False
    key = new_key()
    if not await starts.claim_pair(connection, pair, key):
        racer = await starts.find_pair(connection, pair)
        if racer is None:
            raise RuntimeError("the pair is claimed but cannot be found")
        return racer, False
    await starts.create(connection, NewConversation(key, viewer, (other,), "DIRECT", context=context))
    return key, True
