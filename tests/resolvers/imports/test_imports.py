"""An import from its lines to the rows, what it says, and what a second run does."""

import gzip
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from sqlalchemy import make_url

from resolvers.imports import ImportFailedError
from tests import histories
from tests.histories import conversation, counts, message, rejects, run, snapshot, user, write

DATA = Path(__file__).parents[4] / "shared" / "data"
PEOPLE = [user("ada"), user("grace"), user("linus")]
ROOM = conversation("room", "ada", "grace")
SENT = datetime.fromisoformat(histories.SENT)
STARTED = datetime.fromisoformat(histories.STARTED)


async def test_a_history_becomes_conversations(database_url: str, history: Path) -> None:
    """Order in the file is seq order, and times, replies, edits, reactions and keys are kept."""
    write(
        history,
        *PEOPLE,
        ROOM,
        message("m1", "room", "ada", created_at="2016-07-02T12:00:05Z"),
        message("m2", "room", "grace", reply_to="m1", edited_at="2016-07-03T00:00:00Z"),
        message("m3", "room", "ada", reactions=[{"emoji": "🎉", "user": "grace"}]),
    )
    summary = await run(database_url, history)
    assert counts(summary) == {"user": (3, 3, 0, 0), "conversation": (1, 1, 0, 0), "message": (3, 3, 0, 0)}
    assert summary.exit_code == 0
    rows = await snapshot(database_url)
    [(key, *_)] = rows["conversations"]
    assert not any(rows.pop(table) for table in ("mentions", "message_edits", "attachments"))
    first, later = SENT + timedelta(seconds=5), SENT + timedelta(hours=12)
    assert rows == {
        "users": [("ada", "Ada", None, []), ("grace", "Grace", None, []), ("linus", "Linus", None, [])],
        "conversations": [(key, "GROUP", "Room", "ada", STARTED, first, 3, 4)],
        "imported_conversations": [("room", key)],
        "direct_conversations": [],
        "memberships": [(key, "ada", None, False, None), (key, "grace", None, False, None)],
        "participants": [
            (key, "ada", "OWNER", STARTED, 3, None, 3),
            (key, "grace", "MEMBER", STARTED, 3, None, 3),
        ],
        "messages": [
            (key, 1, "ada", "m1", "TEXT", "PLAIN", "I am m1", None, first, None, None),
            (key, 2, "grace", "m2", "TEXT", "PLAIN", "I am m2", 1, SENT, later, None),
            (key, 3, "ada", "m3", "TEXT", "PLAIN", "I am m3", None, SENT, None, None),
        ],
        "reactions": [(key, 3, "🎉", "grace", SENT)],
        "events": [
            (key, 1, "ConversationStarted", STARTED, "ada", None, None),
            (key, 2, "MessageSent", first, "ada", 1, None),
            (key, 3, "MessageSent", SENT, "grace", 2, None),
            (key, 4, "MessageSent", SENT, "ada", 3, None),
        ],
    }


async def test_a_direct_conversation_is_its_pairs(database_url: str, history: Path) -> None:
    """It has no owner and no title, and the pair is entered."""
    write(history, *PEOPLE, conversation("d", "grace", "ada", kind="direct"))
    await run(database_url, history)
    rows = await snapshot(database_url)
    [(key, kind, title, *_)] = rows["conversations"]
    assert (kind, title, [row[2] for row in rows["participants"]]) == ("DIRECT", None, ["MEMBER", "MEMBER"])
    assert rows["direct_conversations"] == [("ada", "grace", "", "", key)]


RICH = [
    user("ada") | {"avatar_url": "https://example.org/ada.png"},
    user("grace"),
    user("linus"),
    conversation(
        "room",
        "ada",
        "grace",
        context={"type": "gig", "id": "7", "title": "Moths", "url": "https://example.org/7"},
        roles={"ada": "admin", "grace": "owner"},
        history="from_joining",
        former_participants=["linus"],
    ),
    conversation("gig", "ada", "grace", kind="direct", context={"type": "gig", "id": "7"}),
    conversation("pair", "ada", "grace", kind="direct"),
    conversation("alone", "linus", None, kind="direct"),  # type: ignore[arg-type]
    message("m1", "room", None, "Ada added Grace", kind="system"),  # type: ignore[arg-type]
    message(
        "m2",
        "room",
        "linus",
        "**@grace** and @linus, `@ada`",
        format="markdown",
        edited_at="2016-07-04T00:00:00Z",
        edits=[
            {"body": "hallo", "edited_at": "2016-07-03T00:00:00Z"},
            {"body": "*hello*", "format": "markdown", "edited_at": "2016-07-04T00:00:00Z"},
        ],
    ),
    message("m3", "room", "grace", deleted_at="2016-07-03T00:00:00Z") | {"body": ""},
    message(
        "m4",
        "room",
        "ada",
        reply_to="m3",
        attachments=[
            {
                "filename": "moth.png",
                "content_type": "image/png",
                "size": 3,
                "checksum": "ab" * 32,
                "width": 4,
                "height": 5,
            },
            {"filename": "notes.txt", "content_type": "text/plain", "size": 0, "checksum": "cd" * 32},
        ],
    )
    | {"body": ""},
]


async def test_all_that_a_message_can_be_is_taken_over(database_url: str, history: Path) -> None:
    """Kinds, formats, tombstones, what was said before, files as they are told of; nobody who wrote, and who has left."""
    summary = await run(database_url, write(history, *RICH))
    assert rejects(history) == []
    rows = await snapshot(database_url)
    room = next(key for source, key in rows["imported_conversations"] if source == "room")
    third, fourth = SENT + timedelta(hours=12), SENT + timedelta(hours=36)
    assert rows["users"][0] == ("ada", "Ada", "https://example.org/ada.png", [])
    assert [row[4:] for row in rows["messages"]] == [
        ("SYSTEM", "PLAIN", "Ada added Grace", None, SENT, None, None),
        ("TEXT", "MARKDOWN", "**@grace** and @linus, `@ada`", None, SENT, fourth, None),
        ("TEXT", "PLAIN", "", None, SENT, None, third),
        ("TEXT", "PLAIN", "", 3, SENT, None, None),
    ]
    assert [row[2] for row in rows["messages"]] == [None, "linus", "grace", "ada"]
    assert rows["mentions"] == [(room, 2, "grace")]  # who has left is mentioned no more
    assert rows["message_edits"] == [
        (room, 2, 1, "hallo", "PLAIN", third),
        (room, 2, 2, "*hello*", "MARKDOWN", fourth),
    ]
    assert rows["attachments"] == [
        (room, 4, 1, "ada", "moth.png", "image/png", 3, "ab" * 32, 4, 5),
        (room, 4, 2, "ada", "notes.txt", "text/plain", 0, "cd" * 32, None, None),
    ]
    assert [row[1:3] for row in rows["participants"] if row[0] == room] == [("ada", "ADMIN"), ("grace", "OWNER")]
    assert sorted(row[:4] for row in rows["direct_conversations"]) == [
        ("ada", "grace", "", ""),
        ("ada", "grace", "gig", "7"),
    ]
    query = (
        "SELECT context_type, context_id, context_title, context_url, history FROM parley.conversations WHERE id = $1"
    )
    assert await histories.fetch(database_url, query, room) == [
        ("gig", "7", "Moths", "https://example.org/7", "FROM_JOINING")
    ]
    assert summary.exit_code == 0
    again = await run(database_url, history)
    assert sum(count.already_there for count in again.counts.values()) == len(RICH)
    assert await snapshot(database_url) == rows


@pytest.mark.parametrize(
    ("id_", "field", "value", "shown"),
    [
        ("m1", "kind", "notification", "notification"),
        ("m2", "format", "plain", "plain"),
        ("m2", "edits", [{"body": "hey", "edited_at": "2016-07-03T00:00:00Z"}], None),
        ("m3", "deleted_at", "2016-07-04T00:00:00Z", "2016-07-04 00:00:00+00"),
        ("m4", "attachments", [], None),
        ("room", "context", {"type": "gig", "id": "8"}, "gig 8"),
        ("room", "history", "all", "all"),
        ("room", "roles", {"ada": "owner"}, "owner, member"),
    ],
)
async def test_each_new_field_is_compared(
    database_url: str, history: Path, id_: str, field: str, value: object, shown: str | None
) -> None:
    """A later run names the one that differs; what is left out says nothing about edits and files."""
    await run(database_url, write(history, *RICH))
    before = await snapshot(database_url)
    changed = [line | {field: value} if line["id"] == id_ else line for line in RICH]
    if field == "attachments":
        changed[-1]["attachments"] = [{"filename": "x", "content_type": "a/b", "size": 1, "checksum": "ab" * 32}]
    assert (await run(database_url, write(history, *changed))).exit_code == 1
    found = rejects(history)[0]
    assert found[1] == field
    assert found[2].startswith("differs from the database")
    assert shown in {None, found[3]}
    assert await snapshot(database_url) == before


async def test_what_people_changed_since_is_no_contradiction(database_url: str, history: Path) -> None:
    """A title and who is there move on; what those who left had written is found."""
    write(history, *PEOPLE, ROOM, message("m1", "room", "ada"), message("m2", "room", "grace"))
    await run(database_url, history)
    await histories.fetch(database_url, "UPDATE parley.conversations SET title = 'Hall', revision = revision + 1")
    await histories.fetch(
        database_url,
        "INSERT INTO parley.events (conversation_id, revision, kind, at)"
        " SELECT id, revision, 'ConversationChanged', now() FROM parley.conversations",
    )
    for table in ("participants", "memberships"):
        query = f"DELETE FROM parley.{table} WHERE user_id = (SELECT id FROM parley.users WHERE handle = 'grace')"
        await histories.fetch(database_url, query)
    assert counts(await run(database_url, history)) == {
        "user": (3, 0, 3, 0),
        "conversation": (1, 0, 1, 0),
        "message": (2, 0, 2, 0),
    }


async def test_a_second_run_adds_nothing(database_url: str, history: Path) -> None:
    """Every line is found to be there."""
    write(history, *PEOPLE, ROOM, message("m1", "room", "ada"), message("m2", "room", "ada", reply_to="m1"))
    await run(database_url, history)
    before = await snapshot(database_url)
    assert counts(await run(database_url, history)) == {
        "user": (3, 0, 3, 0),
        "conversation": (1, 0, 1, 0),
        "message": (2, 0, 2, 0),
    }
    assert await snapshot(database_url) == before


async def test_a_longer_file_continues(database_url: str, history: Path) -> None:
    """What is new is appended, and may answer what was there."""
    old = [*PEOPLE, ROOM, message("m1", "room", "ada")]
    await run(database_url, write(history, *old))
    new = [message("m2", "room", "grace", reply_to="m1"), message("m3", "room", "ada", reply_to="m2")]
    assert counts(await run(database_url, write(history, *old, *new)))["message"] == (3, 2, 1, 0)
    messages = (await snapshot(database_url))["messages"]
    assert [(row[1], row[3], row[7]) for row in messages] == [(1, "m1", None), (2, "m2", 1), (3, "m3", 2)]


async def test_a_file_may_continue_another(database_url: str, tmp_path: Path) -> None:
    """Users, conversations and reply targets may be known from an earlier import alone."""
    await run(database_url, write(tmp_path / "a", *PEOPLE, ROOM, message("m1", "room", "ada")))
    summary = await run(database_url, write(tmp_path / "b", message("m2", "room", "grace", reply_to="m1")))
    assert counts(summary) == {"message": (1, 1, 0, 0)}
    assert [row[7] for row in (await snapshot(database_url))["messages"]] == [None, 1]


async def test_a_conversation_is_as_active_as_its_newest_message(database_url: str, history: Path) -> None:
    """Whatever the order of times in the file."""
    late = message("m1", "room", "ada", created_at="2016-08-01T00:00:00Z")
    await run(database_url, write(history, *PEOPLE, ROOM, late, message("m2", "room", "ada")))
    assert (await snapshot(database_url))["conversations"][0][5] == datetime(2016, 8, 1, tzinfo=UTC)


async def test_a_profile_from_a_token_is_kept(database_url: str, history: Path) -> None:
    """An import names only who has no name yet, and does not call that an error."""
    await histories.fetch(
        database_url,
        "INSERT INTO parley.users (id, handle, name, created_at) VALUES"
        " (gen_random_uuid(), 'ada', 'Countess', now()), (gen_random_uuid(), 'grace', NULL, now())",
    )
    assert counts(await run(database_url, write(history, *PEOPLE))) == {"user": (3, 1, 2, 0)}
    names = [row[1] for row in (await snapshot(database_url))["users"]]
    assert names == ["Countess", "Grace", "Linus"]


async def test_repeated_lines_are_already_there(database_url: str, history: Path) -> None:
    """The same line twice in one file is one row."""
    lines = [user("ada"), conversation("c", "ada"), message("m", "c", "ada")]
    assert counts(await run(database_url, write(history, *lines, *lines))) == {
        "user": (2, 1, 1, 0),
        "conversation": (2, 1, 1, 0),
        "message": (2, 1, 1, 0),
    }


async def test_a_dry_run_says_all_and_writes_nothing(database_url: str, history: Path) -> None:
    """No row and no file; the report goes to the screen, whole."""
    write(history, user("ada"), *[b"oops\n"] * 30, conversation("c", "ada"), message("m", "c", "ada"))
    screen = io.StringIO()
    summary = await run(database_url, history, dry_run=True, console=Console(file=screen, width=120))
    assert counts(summary) == {
        "user": (1, 1, 0, 0),
        "conversation": (1, 1, 0, 0),
        "message": (1, 1, 0, 0),
        "other": (30, 0, 0, 30),
    }
    assert screen.getvalue().count("history.ndjson:") == 30
    assert not any((await snapshot(database_url)).values())
    assert list(history.parent.iterdir()) == [history]


async def test_the_screen_shows_the_first_twenty(database_url: str, history: Path) -> None:
    """All of them are in the file."""
    write(history, *[b"oops\n"] * 30)
    screen = io.StringIO()
    await run(database_url, history, console=Console(file=screen, width=120))
    said = screen.getvalue()
    assert "history.ndjson:20: the line is not JSON at column 1: Expecting value: oops" in said
    assert "history.ndjson:21:" not in said
    assert "… and 10 more rejected lines" in said
    assert len(rejects(history)) == 30


async def test_an_old_report_goes_away(database_url: str, history: Path) -> None:
    """A run without rejects leaves none of an earlier one."""
    await run(database_url, write(history, b"oops\n"))
    await run(database_url, write(history, user("ada")))
    assert list(history.parent.iterdir()) == [history]


async def test_reports_name_lines_of_other_files(database_url: str, tmp_path: Path) -> None:
    """Several files are one run, and each has its report."""
    one, two = write(tmp_path / "one", b"\n", user("ada")), write(tmp_path / "two", user("ada", "Eve"))
    await run(database_url, one, two)
    assert (rejects(one), rejects(two)) == (
        [],
        [(1, "name", "differs from line 2 of one, which has the same id", "Eve")],
    )


async def test_bom_crlf_and_blank_lines_do_no_harm(database_url: str, history: Path) -> None:
    """Blank lines count for nothing."""
    line = json.dumps(user("ada")).encode()
    summary = await run(database_url, write(history, b"\xef\xbb\xbf", line, b"\r\n\r\n \r\n"))
    assert (counts(summary), summary.blank_lines) == ({"user": (1, 1, 0, 0)}, 2)


async def test_a_database_that_is_not_there_is_told(database_url: str, history: Path) -> None:
    """In words, and with no password."""
    with pytest.raises(ImportFailedError, match=r'^the database does not go on: database "nowhere" does not exist$'):
        await run(make_url(database_url).set(database="nowhere").render_as_string(hide_password=False), write(history))


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not here")
async def test_a_real_history_is_imported_whole(database_url: str) -> None:
    """Every line of the small data set, with seqs, revisions and events that fit, and nothing unread."""
    expected = json.loads((DATA / "small.counts.json").read_text())["counts"]
    summary = await run(database_url, DATA / "small.ndjson.gz")
    assert counts(summary) == {
        type_: (expected[f"{type_}s"], expected[f"{type_}s"], 0, 0) for type_ in ("user", "conversation", "message")
    }
    assert await histories.broken(database_url) == []
    rows = await snapshot(database_url)
    assert len(rows["memberships"]) == len(rows["participants"]) == expected["memberships"]
    assert len(rows["reactions"]) == expected["reactions"]
    assert sum(row[7] is not None for row in rows["messages"]) == expected["replies"]
    newest = {row[0]: row[6] for row in rows["conversations"]}
    assert all(row[4] == row[6] == newest[row[0]] for row in rows["participants"])


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not here")
async def test_messages_keep_the_order_of_the_file(database_url: str) -> None:
    """In each conversation seq counts the messages as they come in the file."""
    await run(database_url, DATA / "small.ndjson.gz")
    order: dict[str, list[str]] = {}
    with gzip.open(DATA / "small.ndjson.gz") as file:
        for line in map(json.loads, file):
            if line["type"] == "message":
                order.setdefault(line["conversation"], []).append(line["id"])
    query = """
        SELECT source_id, array_agg(client_message_id ORDER BY seq)
        FROM parley.messages JOIN parley.imported_conversations USING (conversation_id) GROUP BY 1"""
    assert dict(await histories.fetch(database_url, query)) == order


_ids = st.sampled_from(["a", "b", "c", "\0", "", "é"])
_lines = st.lists(
    st.one_of(
        st.builds(user, _ids, _ids).map(json.dumps).map(str.encode),
        st.builds(
            lambda id_, people, kind: json.dumps(conversation(id_, *people, kind=kind)).encode(),
            _ids,
            st.lists(_ids, max_size=3),
            st.sampled_from(["group", "direct"]),
        ),
        st.builds(
            lambda id_, room, sender, reply_to, body: json.dumps(
                message(id_, room, sender, body, reply_to=reply_to)
            ).encode(),
            _ids,
            _ids,
            _ids,
            reply_to=st.none() | _ids,
            body=_ids,
        ),
        st.binary(),
    ),
    max_size=20,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=_lines)
async def test_whatever_is_in_a_file_the_summary_adds_up(
    database_url: str, tmp_path: Path, lines: Iterable[bytes]
) -> None:
    """Rows that came are lines that were imported, and a second run changes neither rows nor rejects."""
    history = write(tmp_path / "history", b"\n".join(lines))
    before = await snapshot(database_url)
    summary = await run(database_url, history)
    after = await snapshot(database_url)
    for type_, count in summary.counts.items():
        assert count.lines == count.imported + count.already_there + count.rejected
        assert count.imported == len(after.get(f"{type_}s", [])) - len(before.get(f"{type_}s", []))
        assert count.already_there >= 0
    assert await histories.broken(database_url) == []
    found = rejects(history)
    assert len(found) == sum(count.rejected for count in summary.counts.values())
    again = await run(database_url, history)
    assert sum(count.imported for count in again.counts.values()) == 0
    assert (await snapshot(database_url), rejects(history)) == (after, found)
