"""What one line of an imported history must be, and how it becomes a row. What takes other lines is checked in `db`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson

from db import keys
from db.imports import ConversationLine, Line, MessageLine, Reject, UserLine
from resolvers import mentions
from resolvers.imports import fields, ndjson
from resolvers.imports.bad_lines import BadLineError, parse_again, refuse_unstorable, unstorable
from resolvers.imports.fields import MAXIMUM_KEY
from resolvers.starting import LONGEST_TITLE

MAXIMUM_MESSAGE_KEY: Final = 128
MAXIMUM_NAME: Final = 200
MAXIMUM_TITLE: Final = LONGEST_TITLE
RAW: Final = 200
"""Bytes of a line that are kept to show which it was."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(days=1)  # how far in the future a time may lie
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_FIELDS: Final = {  # type → fields that must be there, fields that may be
    "user": (frozenset(("type", "id", "name")), frozenset(("avatar_url",))),
    "conversation": (
        frozenset(("type", "id", "title", "kind", "participants", "created_at")),
        frozenset(("context", "roles", "history", "former_participants", "is_sensitive")),
    ),
    "message": (
        frozenset(("type", "id", "conversation", "sender", "body", "created_at", "reply_to")),
        frozenset(("reactions", "edited_at", "kind", "format", "edits", "deleted_at", "attachments")),
    ),
}
_RARE: Final = _FIELDS["message"][1] - {"reactions", "edited_at"}
TYPES: Final = tuple(_FIELDS)
OTHER: Final = "other"
"""Stands for the type of a line that does not say, or names none of them."""


class History:
    """Reads lines of a history as they were at `now`; a message has at most `max_body_length` characters."""

    def __init__(self, *, max_body_length: int, now: datetime) -> None:
        self._max_body_length = max_body_length
        self._latest = now + _CLOCKS_DIFFER
        self._readers: dict[str, Callable[[dict[str, Any], int, bytes], Line]] = {
            "user": self._user,
            "conversation": self._conversation,
            "message": self._message,
        }

    def read(self, line: ndjson.Line, position: int) -> tuple[str, Line]:
        """The line's type, and what it says or why it is rejected. `position` is its place in the whole run."""
        record: dict[str, Any] = {}
        try:
            record, is_suspect = _parse(line)
            if is_suspect:
                refuse_unstorable(record)
            type_ = _check_fields(record)
            return type_, self._readers[type_](record, position, line.data[:RAW])
        except BadLineError as bad:
            type_, id_ = _identify(record)
            return type_, Reject(position, type_, id_, bad.reason, bad.field, bad.value, line.data[:RAW])

    def _user(self, record: dict[str, Any], position: int, raw: bytes) -> UserLine:
        id_ = fields.key("id", record["id"], MAXIMUM_KEY)
        name = fields.label("name", record["name"], MAXIMUM_NAME)
        avatar_url = fields.address("avatar_url", record.get("avatar_url"))
        return UserLine(position, fields.plain("id", id_), name, avatar_url, keys.new_key(), raw)

    def _conversation(self, record: dict[str, Any], position: int, raw: bytes) -> ConversationLine:
        id_ = fields.plain("id", fields.key("id", record["id"], MAXIMUM_KEY))
        title = None if record["title"] is None else fields.label("title", record["title"], MAXIMUM_TITLE)
        kind = fields.choice("kind", record["kind"], fields.KINDS)
        if record.get("is_sensitive"):
            raise BadLineError("cannot be kept: an import encrypts nothing", "is_sensitive", record["is_sensitive"])
        former = record.get("former_participants")
        there = fields.participants(record["participants"], kind, may_be_empty=former is not None)
        gone = [] if former is None else fields.people("former_participants", former)
        for person in set(there) & set(gone):
            raise BadLineError("is a participant", "former_participants", person)
        created_at = self._time("created_at", record["created_at"])
        return ConversationLine(
            position,
            id_,
            conversation_key(id_, created_at),
            kind,
            # A direct conversation bears no title of its own: everybody sees the other's name.
            title if kind == "GROUP" else None,
            there,
            fields.roles(record.get("roles"), there, kind),
            gone,
            *fields.context(record.get("context")),
            fields.choice("history", record.get("history"), fields.HISTORIES, "ALL"),
            created_at,
            raw,
        )

    def _message(self, record: dict[str, Any], position: int, raw: bytes) -> MessageLine:
        id_ = fields.key("id", record["id"], MAXIMUM_MESSAGE_KEY)
        conversation = fields.key("conversation", record["conversation"], MAXIMUM_KEY)
        sender = None if record["sender"] is None else fields.key("sender", record["sender"], MAXIMUM_KEY)
        may_be_blank = record.get("deleted_at") is not None or record.get("attachments")
        body = (fields.text if may_be_blank else fields.key)("body", record["body"], self._max_body_length)
        created_at = self._time("created_at", record["created_at"])
        reply_to = record["reply_to"]
        if reply_to is not None:
            reply_to = fields.key("reply_to", reply_to, MAXIMUM_MESSAGE_KEY)
        edited_at = self._later("edited_at", record, created_at)
        emojis, reactors = fields.reactions(record["reactions"]) if record.get("reactions") is not None else ([], [])
        if _RARE.isdisjoint(record):  # which is nearly all
            said = mentions.handles(body, "PLAIN") if "@" in body else []
            return MessageLine(
                *(position, id_, conversation, sender, "TEXT", "PLAIN", body, created_at, edited_at, None, reply_to),
                *(emojis, reactors, said, None, None, [], raw),
            )
        written = fields.choice("format", record.get("format"), fields.FORMATS, "PLAIN")
        edits = fields.edits(record.get("edits"), self._max_body_length, self._time, created_at, edited_at)
        files, file_keys = fields.attachments(record.get("attachments"))
        if files and sender is None:
            raise BadLineError("are somebody's: they need a sender", "attachments", record["attachments"])
        return MessageLine(
            position,
            id_,
            conversation,
            sender,
            fields.choice("kind", record.get("kind"), fields.MESSAGE_KINDS, "TEXT"),
            written,
            body,
            created_at,
            edited_at,
            self._deleted_at(record, created_at),
            reply_to,
            emojis,
            reactors,
            mentions.handles(body, written),
            orjson.dumps(edits).decode() if edits else None,
            orjson.dumps(files).decode() if files else None,
            file_keys,
            raw,
        )

    def _deleted_at(self, record: dict[str, Any], created_at: datetime) -> datetime | None:
        deleted_at = self._later("deleted_at", record, created_at)
        if deleted_at is not None:
            for field in ("body", "reactions", "edits", "attachments"):
                if record.get(field):
                    raise BadLineError("must be empty in a message that was deleted", field, record[field])
        return deleted_at

    def _later(self, field: str, record: dict[str, Any], created_at: datetime) -> datetime | None:
        """A time that need not be there."""
        if record.get(field) is None:
            return None
        time = self._time(field, record[field])
        if time < created_at:
            raise BadLineError("lies before created_at", field, record[field])
        return time

    def _time(self, field: str, value: object) -> datetime:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise BadLineError("must be a time like 2016-07-31T12:00:00Z (RFC 3339)", field, value)
        try:
            time = datetime.fromisoformat(value.upper())
            if time < _EARLIEST:
                raise BadLineError("lies before 1970", field, value)
            if time > self._latest:
                raise BadLineError("lies in the future", field, value)
        except (ValueError, OverflowError) as error:
            raise BadLineError(f"is no time that exists: {error}", field, value) from error
        return time


def conversation_key(source_id: str, created_at: datetime) -> UUID:
    """A UUIDv7 of the conversation's own time, whose random bits come from its source id: equal in every run."""
    milliseconds = int(created_at.timestamp() * 1000)
    digest = sha256(source_id.encode()).digest()
    version_and_random = 0x7000 | int.from_bytes(digest[:2]) & 0x0FFF
    variant_and_random = 0x8000_0000_0000_0000 | int.from_bytes(digest[2:10]) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=milliseconds << 80 | version_and_random << 64 | variant_and_random)


def _parse(line: ndjson.Line) -> tuple[dict[str, Any], bool]:
    """The line's JSON object, and whether there may be text in it that no database can keep."""
    if line.fault is not None:
        raise BadLineError(line.fault)
    try:
        record, is_suspect = orjson.loads(line.data), b"\\u0000" in line.data
    except orjson.JSONDecodeError:
        record, is_suspect = parse_again(line), True
    if not isinstance(record, dict):
        raise BadLineError("must be a JSON object", None, record)
    return record, is_suspect


def _check_fields(record: dict[str, Any]) -> str:
    type_ = record.get("type")
    if not isinstance(type_, str) or type_ not in _FIELDS:
        if "type" not in record:
            raise BadLineError("is missing", "type")
        raise BadLineError('must be "user", "conversation" or "message"', "type", type_)
    required, optional = _FIELDS[type_]
    names = record.keys()
    if names != required:
        for name in sorted(required - names):
            raise BadLineError("is missing", name)
        for name in sorted(names - required - optional):
            raise BadLineError(f"is not a field of a {type_}", name, record[name])
    return type_


def _identify(record: dict[str, Any]) -> tuple[str, str | None]:
    """The type and id of a line that is rejected, as far as it says: lines that refer to it want to know why."""
    type_, id_ = record.get("type"), record.get("id")
    known = type_ if isinstance(type_, str) and type_ in _FIELDS else OTHER
    return known, id_ if isinstance(id_, str) and len(id_) <= MAXIMUM_KEY and not unstorable(id_) else None
