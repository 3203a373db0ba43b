"""The one direct conversation of two people and a context."""

from uuid import UUID

from db import starts
from db.keys import new_key, new_sensitive_key
from db.pool import Connection
from db.starts import Context, NewConversation, Pair
from resolvers import blocking, restrictions


async def find_or_create(
    connection: Connection,
    viewer: UUID,
    other: UUID,
    path: tuple[str, ...],
    context: Context | None = None,
    *,
    sensitive: bool = False,
) -> tuple[UUID, bool]:
    """Its key, and whether it was made just now, sensitive if that is wanted.

    Racing callers meet in one row; runs inside a transaction. Raises RefusedError where the viewer may not start one with
    the other, who stands at `path` of the input.
    """
    pair = Pair.of(viewer, other, context)
    existing = await starts.find_pair(connection, pair)
    if existing is not None:
        return existing, False
    await restrictions.refuse_viewer(connection, viewer, path[:1])
    await blocking.refuse_pair(connection, viewer, other, path)
    key = new_sensitive_key() if sensitive else new_key()
    if not await starts.claim_pair(connection, pair, key):
        racer = await starts.find_pair(connection, pair)
        if racer is None:
            raise RuntimeError("the pair is claimed but cannot be found")
        return racer, False
    await starts.create(connection, NewConversation(key, viewer, (other,), "DIRECT", context=context))
    return key, True
