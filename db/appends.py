"""Messages that take their place in a conversation, each once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, text

from db.pool import Connection, RacedError
from db.statements import Record, Statement


class Draft(NamedTuple):
    """A message as its sender hands it in."""

    conversation: UUID
    sender: UUID
    body: str
    client_message_id: str | None = None
    reply_to_seq: int | None = None
    kind: str = "TEXT"
    format: str = "PLAIN"
    attachments: tuple[UUID, ...] = ()
    """Stored uploads of the sender's, in no message yet."""
    mentions: tuple[str, ...] = ()
    """Handles; those of participants count."""
    warning: str | None = None
    """What a check of the content found."""
    rate: int | None = None
    """Messages a minute that the sender may send; None: any number."""


class Appended(NamedTuple):
    """A message that took its place in the conversation."""

    seq: int
    revision: int
    at: datetime


class Original(NamedTuple):
    """The message that had this client_message_id before, and whether its content is the same."""

    seq: int
    revision: int
    """Of the conversation now, which the message's own does not surpass."""
    same: bool
    """Of what is encrypted the body is never the same: whoever wants to know has to read it."""


class Limited(NamedTuple):
    """The sender's rate is exceeded."""

    retry_after: int
    """Milliseconds."""


Outcome = Appended | Original | Limited | None
"""What became of a draft. None: no such conversation for its sender, or nothing may be sent to it, or there is no such
message to reply to, or no such attachment."""

# The function stands in a migration. It is one statement and so one transaction, where there is none already.
_SEND = Statement(
    text("""
    SELECT seq, revision, at, same, retry_after FROM parley.send_messages(
        :senders, :conversations, :client_message_ids, :kinds, :formats, :bodies, :reply_to_seqs, :warnings, :rates,
        :attached, :attached_to, :mentioned, :mentioned_in, :patience)
    """).bindparams(
        *(bindparam(name, type_=ARRAY(Uuid)) for name in ("senders", "conversations", "attached")),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("client_message_ids", "kinds", "formats", "bodies")),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("warnings", "mentioned")),
        *(bindparam(name, type_=ARRAY(Integer)) for name in ("reply_to_seqs", "rates", "attached_to", "mentioned_in")),
        bindparam("patience", type_=Integer),
    )
)


async def append_all(connection: Connection, drafts: Sequence[Draft], *, patience: int | None = None) -> list[Outcome]:
    """Send messages in one transaction, each once per client_message_id; what became of each, in the same order.

    All of them or, where this raises, none. `patience`: milliseconds for which any one lock is waited for.
    """
    columns: Any = Draft._make(zip(*drafts, strict=True))  # of each field a tuple
    attached = [(key, place) for place, keys in enumerate(columns.attachments, 1) for key in keys]
    mentioned = [(handle, place) for place, handles in enumerate(columns.mentions, 1) for handle in handles]
    records = await _SEND.all(
        connection,
        senders=columns.sender,
        conversations=columns.conversation,
        client_message_ids=columns.client_message_id,
        kinds=_unless_all(columns.kind, "TEXT"),
        formats=_unless_all(columns.format, "PLAIN"),
        bodies=list(map(connection.keyring.stored, columns.conversation, columns.body)),
        reply_to_seqs=_unless_all(columns.reply_to_seq, None),
        warnings=_unless_all(columns.warning, None),
        rates=columns.rate,
        attached=[key for key, _ in attached],
        attached_to=[place for _, place in attached],
        mentioned=[handle for handle, _ in mentioned],
        mentioned_in=[place for _, place in mentioned],
        patience=patience,
    )
    return [_outcome(record) for record in records]


async def append(connection: Connection, draft: Draft) -> Outcome:
    """Send a message; raises RacedError where a transaction is under way that another with this key has overtaken."""
    try:
        (outcome,) = await append_all(connection, [draft])
    except (asyncpg.UniqueViolationError, asyncpg.InsufficientPrivilegeError) as error:
        if connection.is_in_transaction():
            raise RacedError from error
        # While this one waited for the conversation another call with this key committed, or the sender was removed. Now
        # it can be seen.
        (outcome,) = await append_all(connection, [draft])
    return outcome


def _unless_all(values: Sequence[Any], usual: object) -> Sequence[Any] | None:
    """The values; None, which says so to the function, where each is the usual one."""
    return None if values.count(usual) == len(values) else values


def _outcome(record: Record) -> Outcome:
    seq, revision, at, same, retry_after = record
    if retry_after is not None:
        return Limited(retry_after)
    if seq is None:
        return None
    return Appended(seq, revision, at) if at is not None else Original(seq, revision, same)
