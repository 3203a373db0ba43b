"""Lines that contradict each other or the database: each is rejected for its reason, in every run."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests import histories
from tests.histories import conversation, counts, message, rejects, run, snapshot, user, write

pytestmark = pytest.mark.untraced

PEOPLE = [user("ada"), user("grace"), user("linus")]
ROOM = conversation("room", "ada", "grace")
SENT = datetime.fromisoformat(histories.SENT)
STARTED = datetime.fromisoformat(histories.STARTED)


# Each line, alone behind these, is rejected with this field, reason and value.
_BEFORE: list[dict[str, Any]] = [
    *PEOPLE,
    ROOM,
    conversation("pair", "ada", "linus", kind="direct"),
    message("m1", "room", "ada"),
]
_UNKNOWN = "is unknown: no {} line before this one has that id, nor has the "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (user("ada", "Eve"), ("name", "differs from line 1, which has the same id", "Eve")),
        (conversation("c", "ada", "eve"), ("participants[1]", _UNKNOWN.format("user") + "database", "eve")),
        (conversation("room", "ada"), ("participants", "differs from line 4, which has the same id", "ada")),
        (
            conversation("room", "ada", "grace", title="Hall"),
            ("title", "differs from line 4, which has the same id", "Hall"),
        ),
        (
            conversation("room", "ada", "grace", roles={"grace": "owner"}),
            ("roles", "differs from line 4, which has the same id", "member, owner"),
        ),
        (
            conversation("room", "ada", "grace", context={"type": "gig", "id": "7"}),
            ("context", "differs from line 4, which has the same id", "gig 7"),
        ),
        (
            conversation("c", "ada", former_participants=["eve"]),
            ("former_participants[0]", _UNKNOWN.format("user") + "database", "eve"),
        ),
        (
            conversation("pair2", "linus", "ada", kind="direct"),
            ("participants", "have a direct conversation already, on line 5", "linus, ada"),
        ),
        (message("m1", "room", "ada", "x"), ("body", "differs from line 6, which has the same id", "x")),
        (message("m1", "room", "ada", kind="system"), ("kind", "differs from line 6, which has the same id", "system")),
        (
            user("ada") | {"avatar_url": "https://x.y/z"},
            ("avatar_url", "differs from line 1, which has the same id", "https://x.y/z"),
        ),
        (message("m1", "room", "grace"), ("sender", "differs from line 6, which has the same id", "grace")),
        (message("m1", "pair", "ada"), ("conversation", "differs from line 6, which has the same id", "pair")),
        (message("m", "hall", "ada"), ("conversation", _UNKNOWN.format("conversation") + "database", "hall")),
        (message("m", "room", "linus"), ("sender", "is no participant of the conversation", "linus")),
        (
            message("m", "room", "eve"),
            ("sender", "is unknown: neither a user line nor the database has that id", "eve"),
        ),
        (
            message("m", "room", "ada", created_at="2016-06-30T00:00:00Z"),
            (
                "created_at",
                "is older than its conversation, which was created at 2016-07-01 00:00:00+00",
                "2016-06-30 00:00:00+00",
            ),
        ),
        (
            message("m", "room", "ada", reactions=[{"emoji": "👍", "user": "linus"}]),
            ("reactions[0].user", "is no participant of the conversation", "linus"),
        ),
        (message("m", "room", "ada", reply_to="m0"), ("reply_to", _UNKNOWN.format("message") + "conversation", "m0")),
        (message("m", "pair", "ada", reply_to="m1"), ("reply_to", "is in another conversation", "m1")),
        (message("m", "room", "ada", reply_to="m"), ("reply_to", "is the message itself", "m")),
    ],
)
async def test_a_contradiction_is_rejected_in_every_run(
    database_url: str, history: Path, line: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """With the field, the reason and the value; all other lines land, and a second run says the same."""
    write(history, *_BEFORE, line)
    assert (await run(database_url, history)).exit_code == 1
    assert rejects(history) == [(len(_BEFORE) + 1, *expected)]
    before = await snapshot(database_url)
    assert [row[3] for row in before["messages"]] == ["m1"]
    assert (await run(database_url, history)).exit_code == 1
    assert rejects(history) == [(len(_BEFORE) + 1, *expected)]
    assert await snapshot(database_url) == before


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [b'{"type":"user","id":"eve"}\n', conversation("c", "ada", "eve"), message("m", "c", "ada")],
            [
                (2, "name", "is missing", None),
                (3, "participants[1]", "was rejected on line 2: name is missing", "eve"),
                (
                    4,
                    "conversation",
                    "was rejected on line 3: participants[1] was rejected on line 2: name is missing",
                    "c",
                ),
            ],
        ),
        (
            [conversation("c", "ada"), message("m1", "c", "ada", " "), message("m2", "c", "ada", reply_to="m1")],
            [(3, "body", "is empty", " "), (4, "reply_to", "was rejected on line 3: body is empty", "m1")],
        ),
        (
            [
                conversation("c", "ada"),
                message("m1", "c", "ada", reply_to="m0"),
                message("m2", "c", "ada", reply_to="m1"),
                message("m3", "c", "ada", reply_to="m2"),
                message("m1", "c", "ada", reply_to="m0"),
            ],
            [
                (3, "reply_to", _UNKNOWN.format("message") + "conversation", "m0"),
                *(
                    (
                        line,
                        "reply_to",
                        "goes back to line 3, which was rejected: reply_to "
                        + _UNKNOWN.format("message")
                        + "conversation",
                        target,
                    )
                    for line, target in ((4, "m1"), (5, "m2"))
                ),
                (
                    6,
                    "id",
                    "repeats line 3, which was rejected: reply_to " + _UNKNOWN.format("message") + "conversation",
                    "m1",
                ),
            ],
        ),
    ],
)
async def test_what_depends_on_a_rejected_line_is_rejected(
    database_url: str, history: Path, lines: list[dict[str, Any] | bytes], expected: list[tuple[object, ...]]
) -> None:
    """With the reason of the line where it began."""
    await run(database_url, write(history, user("ada"), *lines))
    assert rejects(history) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([conversation("c", "eve"), user("eve")], ("participants[0]", "is declared only later, on line 6", "eve")),
        (
            [message("m", "c", "ada"), conversation("c", "ada")],
            ("conversation", "is declared only later, on line 6", "c"),
        ),
        (
            [message("m", "room", "ada", reply_to="n"), message("n", "room", "ada")],
            ("reply_to", "comes only later, on line 6", "n"),
        ),
    ],
)
async def test_a_reference_to_a_later_line_is_rejected_in_every_run(
    database_url: str, history: Path, lines: list[dict[str, Any]], expected: tuple[str, str, str]
) -> None:
    """Also when an earlier run has brought that later line into the database."""
    write(history, *PEOPLE, ROOM, *lines)
    await run(database_url, history)
    assert rejects(history) == [(5, *expected)]
    before = await snapshot(database_url)
    await run(database_url, history)
    assert rejects(history) == [(5, *expected)]
    assert await snapshot(database_url) == before


async def test_a_changed_line_is_rejected_in_a_later_run(database_url: str, history: Path) -> None:
    """The database keeps what it has, and says what differs."""
    write(history, *PEOPLE, ROOM, message("m1", "room", "ada"), message("m2", "room", "ada"))
    await run(database_url, history)
    before = await snapshot(database_url)
    write(
        history,
        *PEOPLE,
        conversation("room", "ada", "grace", "linus"),
        message("m1", "room", "ada", "other"),
        message("m2", "room", "grace"),
    )
    await run(database_url, history)
    assert rejects(history) == [
        (4, "participants", "differs from the database, which has this conversation already", "ada, grace, linus"),
        (5, "body", "differs from the database, which has this message already", "other"),
        (6, "id", "is in the database already, in conversation room and from ada", "m2"),
    ]
    assert await snapshot(database_url) == before


async def test_what_was_edited_since_is_no_contradiction(database_url: str, history: Path) -> None:
    """What people did in Parley after the import is newer than the file."""
    write(history, *PEOPLE, ROOM, message("m1", "room", "ada"), message("m2", "room", "ada"))
    await run(database_url, history)
    await histories.fetch(
        database_url,
        "UPDATE parley.messages SET body = CASE seq WHEN 1 THEN 'new' ELSE '' END,"
        " edited_at = CASE seq WHEN 1 THEN now() END, deleted_at = CASE seq WHEN 2 THEN now() END",
    )
    assert counts(await run(database_url, history))["message"] == (2, 0, 2, 0)
