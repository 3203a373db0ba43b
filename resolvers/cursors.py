"""Opaque places: in a connection, and in an event log.

A cursor is its connection's position and a checksum over position and connection, so one that was altered, or belongs
to another connection, is recognised. It is no secret and no signature: a forged one leads only to rows its bearer sees.
"""

import base64
import binascii
import struct
import zlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from db.keys import MessageKey, conversation_id, message_id, user_id
from db.search import Hit
from resolvers.errors import BadCursorError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = 8  # bytes
_ENTRY = 16 + _NUMBER  # bytes: a conversation and its revision
_LARGEST = 2**63 - 1  # of PostgreSQL's bigint
_CHECKSUM = 4  # bytes
_HIT = struct.Struct("!dqi")
_SHOWN = 60  # characters of a bad cursor that an error message repeats


def messages(conversation: UUID) -> str:
    """The name of a conversation's message connection."""
    return f"messages of {conversation_id(conversation)}"


def participants(conversation: UUID) -> str:
    return f"participants of {conversation_id(conversation)}"


def replies(message: MessageKey) -> str:
    return f"replies to {message_id(message.conversation, message.seq)}"


def readers(message: MessageKey) -> str:
    return f"readers of {message_id(message.conversation, message.seq)}"


def events(conversation: UUID) -> str:
    return f"events of {conversation_id(conversation)}"


def viewer_events(viewer: UUID) -> str:
    return f"events of {user_id(viewer)}"


def scheduled_messages(viewer: UUID) -> str:
    return f"scheduled messages of {user_id(viewer)}"


def mentions(viewer: UUID) -> str:
    return f"mentions of {user_id(viewer)}"


def blocked(viewer: UUID) -> str:
    return f"users blocked by {user_id(viewer)}"


def search(viewer: UUID, wanted: object) -> str:
    """The name of what a viewer finds who searches for what is `wanted`, whose repr tells it from all else."""
    return f"search {sha256(f'{viewer} {wanted!r}'.encode()).hexdigest()[:16]}"


def reports(status: str | None) -> str:
    return f"{status or 'all'} reports"


AUDIT = "audit trail"
CONVERSATIONS = "conversations"
USERS = "users"


def from_number(connection: str, number: int) -> str:
    """A cursor at a seq."""
    return _seal(connection, number.to_bytes(_NUMBER))


def to_number(connection: str, cursor: str) -> int:
    payload = _open(connection, cursor)
    number = int.from_bytes(payload)
    if len(payload) != _NUMBER or number > _LARGEST:
        raise _bad(connection, cursor)
    return number


@lru_cache(1024)  # every subscriber of a conversation is told the same one
def from_place(connection: str, revision: int, horizon: int) -> str:
    """A cursor at a revision, with the horizon of what is no part of the log."""
    return _seal(connection, revision.to_bytes(_NUMBER) + horizon.to_bytes(_NUMBER))


def to_place(connection: str, cursor: str) -> tuple[int, int]:
    payload = _open(connection, cursor)
    revision, horizon = int.from_bytes(payload[:_NUMBER]), int.from_bytes(payload[_NUMBER:])
    if len(payload) != 2 * _NUMBER or max(revision, horizon) > _LARGEST:
        raise _bad(connection, cursor)
    return revision, horizon


def from_places(connection: str, horizon: int, revisions: dict[UUID, int]) -> str:
    """A cursor at a horizon, and at the revisions of conversations that are ahead of it."""
    ahead = b"".join(key.bytes + revision.to_bytes(_NUMBER) for key, revision in revisions.items())
    return _seal(connection, horizon.to_bytes(_NUMBER) + ahead)


def to_places(connection: str, cursor: str) -> tuple[int, dict[UUID, int]]:
    payload = _open(connection, cursor)
    horizon, ahead = int.from_bytes(payload[:_NUMBER]), payload[_NUMBER:]
    entries = [ahead[at : at + _ENTRY] for at in range(0, len(ahead), _ENTRY)]
    revisions = {UUID(bytes=entry[:16]): int.from_bytes(entry[16:]) for entry in entries if len(entry) == _ENTRY}
    if len(payload) < _NUMBER or len(ahead) % _ENTRY or max(horizon, *revisions.values(), 0) > _LARGEST:
        raise _bad(connection, cursor)
    return horizon, revisions


def from_moment(connection: str, moment: datetime, key: UUID) -> str:
    """A cursor at a time, and at a key among equal times."""
    return _seal(connection, ((moment - _EPOCH) // _MICROSECOND).to_bytes(8, signed=True) + key.bytes)


def to_moment(connection: str, cursor: str) -> tuple[datetime, UUID]:
    payload = _open(connection, cursor)
    try:
        microseconds = int.from_bytes(payload[:8], signed=True)
        return _EPOCH + microseconds * _MICROSECOND, UUID(bytes=payload[8:])
    except (ValueError, OverflowError) as error:
        raise _bad(connection, cursor) from error


def from_settled(connection: str, moment: datetime, key: UUID, *, is_settled: bool) -> str:
    """A cursor at a time and a key, among what is settled or what is not."""
    return from_moment(_settled(connection, is_settled), moment, key)


def to_settled(connection: str, cursor: str) -> tuple[bool, datetime, UUID]:
    try:
        return (True, *to_moment(_settled(connection, True), cursor))
    except BadCursorError:
        return (False, *to_moment(connection, cursor))


def from_hit(connection: str, rank: float, hit: Hit) -> str:
    """A cursor at something that was found, with its rank."""
    microseconds = (hit.at - _EPOCH) // _MICROSECOND
    return _seal(connection, _HIT.pack(rank, microseconds, hit.seq) + hit.conversation.bytes)


def to_hit(connection: str, cursor: str) -> tuple[float, Hit]:
    payload = _open(connection, cursor)
    try:
        rank, microseconds, seq = _HIT.unpack(payload[: _HIT.size])
        at = _EPOCH + microseconds * _MICROSECOND
        return rank, Hit(at, UUID(bytes=payload[_HIT.size :]), seq)
    except (struct.error, ValueError, OverflowError) as error:
        raise _bad(connection, cursor) from error


def from_text(connection: str, text: str) -> str:
    return _seal(connection, text.encode())


def to_text(connection: str, cursor: str) -> str:
    try:
        text = _open(connection, cursor).decode()
    except UnicodeDecodeError as error:
        raise _bad(connection, cursor) from error
    if "\0" in text:  # which the database could not compare with
        raise _bad(connection, cursor)
    return text


def _settled(connection: str, is_settled: bool) -> str:
    return f"settled {connection}" if is_settled else connection


def _seal(connection: str, payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload + _checksum(connection, payload)).rstrip(b"=").decode()


def _open(connection: str, cursor: str) -> bytes:
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(connection, cursor) from error
    payload = sealed[:-_CHECKSUM]
    if cursor != _seal(connection, payload):  # which also holds its text to one form: base64 would overlook padding
        raise _bad(connection, cursor)
    return payload


def _checksum(connection: str, payload: bytes) -> bytes:
    return zlib.crc32(payload, zlib.crc32(connection.encode())).to_bytes(_CHECKSUM)


def _bad(connection: str, cursor: str) -> BadCursorError:
    return BadCursorError(f"{cursor[:_SHOWN]!r} is not a cursor of the {connection}")
