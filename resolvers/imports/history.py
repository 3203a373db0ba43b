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
from resolvers.imports import ndjson
from resolvers.imports.bad_lines import BadLineError, parse_again, refuse_unstorable, unstorable
from resolvers.starting import LONGEST_TITLE

MAXIMUM_KEY: Final = 255
"""Characters of the id of a user, who bears it as handle, and of a conversation."""
MAXIMUM_MESSAGE_KEY: Final = 128
MAXIMUM_NAME: Final = 200
MAXIMUM_TITLE: Final = LONGEST_TITLE
MAXIMUM_EMOJI: Final = 64
RAW: Final = 200
"""Bytes of a line that are kept to show which it was."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER: Final = timedelta(days=1)  # how far in the future a time may lie
_DIRECT: Final = 2  # participants of a direct conversation
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_KINDS: Final = {"direct": "DIRECT", "group": "GROUP"}
_FIELDS: Final = {  # type → fields that must be there, fields that may be
    "user": (frozenset(("type", "id", "name")), frozenset[str]()),
    "conversation": (frozenset(("type", "id", "title", "kind", "participants", "created_at")), frozenset[str]()),
    "message": (
        frozenset(("type", "id", "conversation", "sender", "body", "created_at", "reply_to")),
        frozenset(("reactions", "edited_at")),
    ),
}
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
        id_ = _key("id", record["id"], MAXIMUM_KEY)
        name = _label("name", record["name"], MAXIMUM_NAME)
        return UserLine(position, _plain("id", id_), name, keys.new_key(), raw)

    def _conversation(self, record: dict[str, Any], position: int, raw: bytes) -> ConversationLine:
        id_ = _plain("id", _key("id", record["id"], MAXIMUM_KEY))
        title = None if record["title"] is None else _label("title", record["title"], MAXIMUM_TITLE)
        kind = _KINDS.get(record["kind"]) if isinstance(record["kind"], str) else None
        if kind is None:
            raise BadLineError('must be "group" or "direct"', "kind", record["kind"])
        participants = _participants(record["participants"], kind)
        created_at = self._time("created_at", record["created_at"])
        key = conversation_key(id_, created_at)
        # A direct conversation bears no title of its own: everybody sees the other's name.
        kept = title if kind == "GROUP" else None
        return ConversationLine(position, id_, key, kind, kept, participants, created_at, raw)

    def _message(self, record: dict[str, Any], position: int, raw: bytes) -> MessageLine:
        id_ = _key("id", record["id"], MAXIMUM_MESSAGE_KEY)
        conversation = _key("conversation", record["conversation"], MAXIMUM_KEY)
        sender = _key("sender", record["sender"], MAXIMUM_KEY)
        body = _key("body", record["body"], self._max_body_length)
        created_at = self._time("created_at", record["created_at"])
        reply_to = None if record["reply_to"] is None else _key("reply_to", record["reply_to"], MAXIMUM_MESSAGE_KEY)
        edited_at = None
        if record.get("edited_at") is not None:
            edited_at = self._time("edited_at", record["edited_at"])
            if edited_at < created_at:
                raise BadLineError("lies before created_at", "edited_at", record["edited_at"])
        emojis, reactors = _reactions(record.get("reactions"))
        return MessageLine(
            position, id_, conversation, sender, body, created_at, edited_at, reply_to, emojis, reactors, raw
        )

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


def _text(field: str, value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise BadLineError("must be a string", field, value)
    if len(value) > limit:
        raise BadLineError(f"has {len(value):,} characters; at most {limit:,} are allowed", field, value)
    return value


def _key(field: str, value: object, limit: int) -> str:
    text = _text(field, value, limit)
    if not text or text.isspace():
        raise BadLineError("is empty", field, value)
    return text


def _plain(field: str, value: str) -> str:
    if _CONTROL.search(value):
        raise BadLineError("must not contain control characters", field, value)
    return value


def _label(field: str, value: object, limit: int) -> str | None:
    """A name or title; None where it is blank."""
    return _plain(field, _text(field, value, limit)).strip() or None


def _participants(value: object, kind: str) -> list[str]:
    if not isinstance(value, list):
        raise BadLineError("must be a list of user ids", "participants", value)
    people = [_key(f"participants[{index}]", person, MAXIMUM_KEY) for index, person in enumerate(value)]
    if not people:
        raise BadLineError("is empty", "participants", value)
    first = {person: index for index, person in reversed(list(enumerate(people)))}
    for index, person in enumerate(people):
        if first[person] < index:
            raise BadLineError("is there twice", f"participants[{index}]", person)
    if kind == "DIRECT" and len(people) != _DIRECT:
        raise BadLineError(
            f"must be two in a direct conversation, not {len(people)}", "participants", ", ".join(people)
        )
    return people


def _reactions(value: object) -> tuple[list[str], list[str]]:
    """Emojis, and who reacted with each."""
    if value is None:
        return [], []
    if not isinstance(value, list):
        raise BadLineError("must be a list", "reactions", value)
    pairs: dict[tuple[str, str], None] = {}
    for index, reaction in enumerate(value):
        field = f"reactions[{index}]"
        if not isinstance(reaction, dict) or reaction.keys() != {"emoji", "user"}:
            raise BadLineError("must be an object with emoji and user", field, reaction)
        pair = (
            _key(f"{field}.emoji", reaction["emoji"], MAXIMUM_EMOJI),
            _key(f"{field}.user", reaction["user"], MAXIMUM_KEY),
        )
        if pair in pairs:
            raise BadLineError("is there twice", field, f"{pair[0]} {pair[1]}")
        pairs[pair] = None
    return [emoji for emoji, _ in pairs], [reactor for _, reactor in pairs]
