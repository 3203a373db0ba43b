"""Erasing a person: nothing that is kept names them any more, and nobody can tell what was theirs.

It goes on while servers run. What a server that still knows them writes meanwhile is found in the next round; the last
step takes their row away, on which all that is theirs depends.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from db import erasures
from db.erasures import Erasure, Text
from db.pool import Connection, Database
from resolvers.wakeups import CHANNEL
from storage import Storage

SOMEBODY: Final = "[erased]"
"""What stands in place of a name."""

_TOGETHER = 200  # messages, or reactions, of a transaction
_ROUNDS = 20


class ErasureFailedError(Exception):
    """What is left of a person is still there; the same command run again goes on."""


async def erase(database: Database, storage: Storage, handle: str, *, keeps_messages: bool) -> bool:
    """Erase whoever has this handle, or go on where that broke off; False where there is nobody. Raises ErasureFailedError.

    `keeps_messages`: those stay, without a name; otherwise tombstones of them do.
    """
    async with database.system() as connection:
        async with connection.transaction():
            erasure = await erasures.begin(connection, handle, keeps_messages=keeps_messages)
        if erasure is None:
            return False
        if erasure.keeps_messages != keeps_messages:
            kept = "keep" if erasure.keeps_messages else "delete"
            raise ErasureFailedError(f"{handle!r} is being erased already, with --messages {kept}: go on with that")
        for _ in range(_ROUNDS):
            await _round(connection, erasure, storage)
            if await erasures.end(connection, erasure):
                await erasures.wake(connection, CHANNEL)
                return True
    raise ErasureFailedError(
        f"a server still writes in the name of {handle!r}: revoke their tokens, and run this again"
    )


async def _round(connection: Connection, erasure: Erasure, storage: Storage) -> None:
    theirs = await erasures.conversations(connection, erasure)
    for conversation in theirs:
        async with connection.transaction():
            await erasures.leave(connection, erasure, conversation)
        await _all(connection, partial(erasures.forget_messages, connection, erasure, conversation, _TOGETHER))
        await _all(connection, partial(erasures.forget_reactions, connection, erasure, conversation, _TOGETHER))
    await erasures.wake(connection, CHANNEL)
    for text in await erasures.texts(connection, erasure, theirs):
        body = replaced(erasure, text)
        if body != text.body:
            async with connection.transaction():
                await erasures.replace(connection, text, body)
    for conversation in theirs:
        async with connection.transaction():
            await erasures.forget_in_log(connection, erasure, conversation)
    async with connection.transaction():
        await erasures.forget_everywhere(connection, erasure)
    for key in await erasures.files(connection, erasure):
        await storage.remove(key)
        await erasures.forget_file(connection, erasure, key)
    await erasures.wake(connection, CHANNEL)


async def _all(connection: Connection, piece: Callable[[], Awaitable[bool]]) -> None:
    has_more = True
    while has_more:
        async with connection.transaction():
            has_more = await piece()


def replaced(erasure: Erasure, text: Text) -> str:
    """The text without their name: where it mentions them, and where the system says it."""
    handle = re.escape(erasure.handle)
    # As resolvers/mentions.py finds it: not where a longer handle begins with this one.
    mention = rf"(?<![\w/])@(?:\{{{handle}\}}|{handle}(?!\w|[.@+-]+\w))"
    body = re.sub(mention, f"@{SOMEBODY}", text.body)
    if text.kind == "SYSTEM":
        name = re.escape(erasure.name or erasure.handle)
        body = re.sub(rf"(?<!\w){name}(?!\w)", SOMEBODY, body)
    return body
