import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.imports import ConversationLine, Line, MessageLine, Reject, UserLine
from resolvers.imports.history import History, conversation_key
from resolvers.imports.ndjson import Line as Text
from tests import histories

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = History(max_body_length=20, now=NOW)


FILE = {"filename": "moth.png", "content_type": "image/png", "size": 3, "checksum": "ab" * 32}
_NO_FILE = "must be an object with checksum and content_type and filename and size"
_NO_CONTEXT = "must be an object with type and id, and perhaps title and url"


def read(line: dict[str, Any] | bytes, *, is_cut: bool = False) -> Line:
    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    return HISTORY.read(Text(1, data, is_cut=is_cut), 7)[1]


def fault(line: dict[str, Any] | bytes, *, is_cut: bool = False) -> tuple[str | None, str, str | None]:
    """Field, reason and value of a line that has to be rejected."""
    reject = read(line, is_cut=is_cut)
    assert isinstance(reject, Reject)
    return reject.field, reject.reason, reject.value


def message(**others: object) -> dict[str, Any]:
    return histories.message("m", "c", "ada", "hello") | others


def conversation(**others: object) -> dict[str, Any]:
    return histories.conversation("c", "ada", "grace") | others


def test_a_user_becomes_a_row() -> None:
    """Handle and name are taken over, and the line is kept to show it."""
    line = read(b'{"type":"user","id":"ada","name":" Ada Lovelace "}')
    assert isinstance(line, UserLine)
    assert (line.position, line.id, line.name) == (7, "ada", "Ada Lovelace")
    assert line.raw.startswith(b'{"type":"user"')


def test_a_blank_name_is_none() -> None:
    """Who has a blank name is shown by handle."""
    line = read(histories.user("ada", " "))
    assert isinstance(line, UserLine)
    assert line.name is None


def test_a_direct_conversation_loses_its_title() -> None:
    """Everybody sees the other's name instead."""
    line = read(conversation(kind="direct"))
    assert isinstance(line, ConversationLine)
    assert (line.kind, line.title, line.participants) == ("DIRECT", None, ["ada", "grace"])


def test_a_message_becomes_a_row() -> None:
    """Times with an offset are the same instant in UTC, reactions become two lists."""
    line = read(
        message(
            created_at="2016-07-02T14:00:00.123456789+02:00",
            reply_to="l",
            edited_at="2016-07-02T12:00:01Z",
            reactions=[{"emoji": "👍", "user": "grace"}, {"emoji": "🎉", "user": "ada"}],
        )
    )
    assert isinstance(line, MessageLine)
    assert line[:-1] == (
        7,
        "m",
        "c",
        "ada",
        "TEXT",
        "PLAIN",
        "hello",
        datetime(2016, 7, 2, 12, 0, 0, 123456, tzinfo=UTC),
        datetime(2016, 7, 2, 12, 0, 1, tzinfo=UTC),
        None,
        "l",
        ["👍", "🎉"],
        ["grace", "ada"],
        [],
        None,
        None,
        [],
    )


def test_a_byte_order_mark_is_no_part_of_the_line() -> None:
    """Some editors begin a file with one."""
    assert isinstance(read(b"\xef\xbb\xbf" + json.dumps(message()).encode()), MessageLine)


def test_a_written_backslash_u0000_is_no_nul() -> None:
    """Text about NUL is text."""
    line = read(message(body="\\u0000"))
    assert isinstance(line, MessageLine)
    assert line.body == "\\u0000"


@pytest.mark.parametrize(
    ("line", "reason", "value"),
    [
        (b"hello", "is not JSON at column 1: Expecting value", "hello"),
        (b"\x00", "is not JSON at column 1: Expecting value", "\\x00"),
        (b'{"a":"\x00"}', "is not JSON at column 7: Invalid control character at", '\\x00"}'),
        (b'{"a":NaN}', "is not JSON: NaN is no JSON value", None),
        (b"[" * 100_000, "is nested too deeply", None),
        (b'{"name":"\xe9"}', "is not UTF-8 at byte 10: invalid continuation byte", '\\xe9"}'),
        (b"[1]", "must be a JSON object", "a list of 1"),
        (b"null", "must be a JSON object", "null"),
    ],
)
def test_what_is_no_json_object_is_explained(line: bytes, reason: str, value: str | None) -> None:
    """Column or byte, and what stands there."""
    assert fault(line) == (None, reason, value)


def test_a_file_that_was_cut_off_is_named_so() -> None:
    """A last line without line end that is no JSON either."""
    reason = "is not JSON at column 9: Unterminated string starting at; the file ends here without a line end"
    assert fault(b'{"type":"us', is_cut=True) == (None, f"{reason}, as if it had been cut off", '"us')


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"id": "x"}, ("type", "is missing", None)),
        ({"type": "robot"}, ("type", 'must be "user", "conversation" or "message"', "robot")),
        ({"type": ["user"]}, ("type", 'must be "user", "conversation" or "message"', "a list of 1")),
        ({"type": "user", "id": "ada"}, ("name", "is missing", None)),
        (histories.user("ada") | {"age": 36}, ("age", "is not a field of a user", "36")),
        (histories.user("ada") | {"name": 1}, ("name", "must be a string", "1")),
        (histories.user(""), ("id", "is empty", "")),
        (histories.user("a\x1b", "A"), ("id", "must not contain control characters", "a\\x1b")),
        (histories.user("a" * 256), ("id", "has 256 characters; at most 255 are allowed", "a" * 99 + "…")),
        (conversation(kind="chat"), ("kind", 'must be "group" or "direct"', "chat")),
        (conversation(kind=None), ("kind", 'must be "group" or "direct"', "null")),
        (conversation(participants="ada"), ("participants", "must be a list of user ids", "ada")),
        (conversation(participants=[]), ("participants", "is empty", "a list of 0")),
        (conversation(participants=["ada", 5]), ("participants[1]", "must be a string", "5")),
        (conversation(participants=["ada", "ada"]), ("participants[1]", "is there twice", "ada")),
        (
            conversation(kind="direct", participants=["ada"]),
            ("participants", "must be two in a direct conversation, not 1", "ada"),
        ),
        (
            conversation(kind="direct", participants=["ada", "grace", "linus"]),
            ("participants", "must be two in a direct conversation, not 3", "ada, grace, linus"),
        ),
        (message(id="m" * 129), ("id", "has 129 characters; at most 128 are allowed", "m" * 99 + "…")),
        (message(body=""), ("body", "is empty", "")),
        (message(body=" \n"), ("body", "is empty", " \\n")),
        (message(body="x" * 21), ("body", "has 21 characters; at most 20 are allowed", "x" * 21)),
        (message(body="a\0b"), ("body", "contains a NUL character, which no database text can hold", "a\\x00b")),
        (
            message(body="a\ud800b"),
            ("body", "contains half of a surrogate pair, which is no character", "a\\ud800b"),
        ),
        (message(reply_to=5), ("reply_to", "must be a string", "5")),
        (
            message(edited_at=histories.STARTED),
            ("edited_at", "lies before created_at", histories.STARTED),
        ),
        (message(reactions={}), ("reactions", "must be a list", "an object of 0")),
        (message(reactions=[1]), ("reactions[0]", "must be an object with emoji and user", "1")),
        (message(reactions=[{"emoji": "", "user": "ada"}]), ("reactions[0].emoji", "is empty", "")),
        (message(reactions=[{"emoji": "x", "user": "ada"}]), ("reactions[0].emoji", "is no emoji", "x")),
        # The same emoji, with and without the selector of its presentation.
        (
            message(reactions=[{"emoji": emoji, "user": "ada"} for emoji in ("❤️", "❤")]),
            ("reactions[1]", "is there twice", "❤️ ada"),
        ),
        (
            histories.user("ada") | {"avatar_url": "ftp://x"},
            ("avatar_url", "must be an http or https address", "ftp://x"),
        ),
        (message(kind="chat"), ("kind", 'must be "text", "system" or "notification"', "chat")),
        (message(kind=""), ("kind", 'must be "text", "system" or "notification"', "")),
        (message(format="html"), ("format", 'must be "plain" or "markdown"', "html")),
        (message(sender=5), ("sender", "must be a string", "5")),
        (message(deleted_at=histories.SENT), ("body", "must be empty in a message that was deleted", "hello")),
        (
            message(body="", deleted_at=histories.SENT, reactions=[{"emoji": "👍", "user": "ada"}]),
            ("reactions", "must be empty in a message that was deleted", "a list of 1"),
        ),
        (message(body="", deleted_at=histories.STARTED), ("deleted_at", "lies before created_at", histories.STARTED)),
        (
            message(edits=[{"body": "x", "edited_at": histories.SENT}]),
            ("edits[0]", "is of a message that was edited: it needs edited_at", "an object of 2"),
        ),
        (
            message(edited_at=histories.SENT, edits=[{"body": "x", "edited_at": histories.STARTED}]),
            ("edits[0].edited_at", "lies before the one before it", histories.STARTED),
        ),
        (
            message(edited_at=histories.SENT, edits=[{"body": "x", "edited_at": "2016-07-03T00:00:00Z"}]),
            ("edits[0].edited_at", "lies after edited_at", "2016-07-03T00:00:00Z"),
        ),
        (
            message(edited_at=histories.SENT, edits=[{"body": "x" * 21, "edited_at": histories.SENT}]),
            ("edits[0].body", "has 21 characters; at most 20 are allowed", "x" * 21),
        ),
        (
            message(edits=[{"body": "a\0"}]),
            ("edits[0].body", "contains a NUL character, which no database text can hold", "a\\x00"),
        ),
        (message(attachments=["x"]), ("attachments[0]", _NO_FILE, "x")),
        (message(attachments=[FILE | {"x": 1}]), ("attachments[0]", _NO_FILE, "an object of 5")),
        (
            message(attachments=[FILE | {"filename": "../x"}]),
            ("attachments[0].filename", "must be a name without a path or control characters", "../x"),
        ),
        (
            message(attachments=[FILE | {"content_type": "png"}]),
            ("attachments[0].content_type", "must be a type like image/png", "png"),
        ),
        (
            message(attachments=[FILE | {"checksum": "AB"}]),
            ("attachments[0].checksum", "must be SHA-256 as 64 lower-case hexadecimal digits", "AB"),
        ),
        (
            message(attachments=[FILE | {"size": -1}]),
            ("attachments[0].size", "must be a whole number from 0 to 2,147,483,647", "-1"),
        ),
        (
            message(attachments=[FILE | {"width": True}]),
            ("attachments[0].width", "must be a whole number from 1 to 2,147,483,647", "true"),
        ),
        (message(attachments=[FILE] * 101), ("attachments", "are 101; at most 100 are allowed", "a list of 101")),
        (
            message(sender=None, attachments=[FILE]),
            ("attachments", "are somebody's: they need a sender", "a list of 1"),
        ),
        (conversation(history="none"), ("history", 'must be "all" or "from_joining"', "none")),
        (conversation(context="gig"), ("context", _NO_CONTEXT, "gig")),
        (conversation(context={"type": "gig", "id": ""}), ("context.id", "is empty", "")),
        (
            conversation(context={"type": "gig", "id": "7", "url": "javascript:x"}),
            ("context.url", "must be an http or https address", "javascript:x"),
        ),
        (conversation(roles=["ada"]), ("roles", "must be an object of user ids and roles", "a list of 1")),
        (conversation(roles={"ada": "boss"}), ("roles.ada", 'must be "owner", "admin" or "member"', "boss")),
        (conversation(roles={"eve": "owner"}), ("roles.eve", "is no participant of the conversation", "eve")),
        (conversation(roles={"ada": "admin"}), ("roles", "must name an owner", "an object of 1")),
        (
            conversation(kind="direct", roles={}),
            ("roles", "are those of a group; in a direct conversation both are members", "an object of 0"),
        ),
        (conversation(former_participants=["ada"]), ("former_participants", "is a participant", "ada")),
        (conversation(participants=["ada", None]), ("participants[1]", "must be a string", "null")),
    ],
)
def test_a_field_that_is_wrong_is_named(line: dict[str, Any], expected: tuple[str, str, str | None]) -> None:
    """The field, what is wrong with it, and its value shortened."""
    assert fault(line) == expected


_FORM = "must be a time like 2016-07-31T12:00:00Z (RFC 3339)"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("0001-01-01T00:00:00Z", "lies before 1970"),
        ("0001-01-01T00:00:00+23:59", "lies before 1970"),
        ("1969-12-31T23:59:59.999999Z", "lies before 1970"),
        ("2026-01-02T00:00:01Z", "lies in the future"),
        ("9999-12-31T23:59:59-23:59", "lies in the future"),
        ("0000-01-01T00:00:00Z", "is no time that exists: year 0 is out of range"),
        ("2015-02-29T00:00:00Z", "is no time that exists: day is out of range for month"),
        ("2016-01-01T24:00:00Z", "is no time that exists: hour must be in 0..23"),
        ("2016-01-01", _FORM),
        ("2016-01-01T00:00:00", _FORM),
        ("2016-01-01 00:00:00Z", _FORM),
        ("2016-01-01T00:00:00+25:00", _FORM),
        ("٢٠١٦-01-01T00:00:00Z", _FORM),
    ],
)
def test_an_impossible_time_is_rejected(time: str, reason: str) -> None:
    """Before 1970, more than a day in the future, on no calendar, or in another form."""
    assert fault(message(created_at=time)) == ("created_at", reason, time)


def test_clocks_may_differ_by_a_day() -> None:
    """A time a little in the future is somebody's clock."""
    assert isinstance(read(message(created_at="2026-01-02T00:00:00Z")), MessageLine)


def test_a_conversations_key_is_the_same_in_every_run() -> None:
    """A UUIDv7 of its own time and its source id."""
    key = conversation_key("irc.c.ubuntu", datetime(2016, 7, 1, tzinfo=UTC))
    assert (key, key.version, key.variant) == (
        UUID("0155a3c1-4400-7703-be1f-1d80ac3d26e4"),
        7,
        "specified in RFC 4122",
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_mutated = st.builds(
    lambda line, field, value: json.dumps(line | {field: value}).encode(),
    st.sampled_from([histories.user("ada"), conversation(), message()]),
    st.sampled_from(
        [
            *("type", "id", "name", "kind", "participants", "body", "created_at", "reply_to", "reactions", "x"),
            *("avatar_url", "context", "roles", "history", "former_participants", "sender", "format", "edits"),
            *("deleted_at", "attachments"),
        ]
    ),
    _json,
)


@given(st.binary() | _mutated)
def test_no_line_is_too_odd_to_be_judged(data: bytes) -> None:
    """Whatever a line holds, it is a row that can be stored or a reject that can be told."""
    line = read(data)
    texts = [value for value in line if isinstance(value, str)]
    assert all(text.encode() is not None and "\0" not in text for text in texts)
