"""Content checks: the word list, repetitions, and a host application's own."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.rows import User
from resolvers.checks import FAILED, Allow, Check, CheckError, Checks, Failure, Flag, Guarded, Reject, Verdict, load
from resolvers.contents import Content
from resolvers.errors import RefusedError
from resolvers.floods import Repetitions
from resolvers.words import WordList

ADA, GRACE = (User(UUID(int=number), name, None, None) for number, name in enumerate(("ada", "grace")))
HERE, THERE = UUID(int=10), UUID(int=11)
WORDS = WordList(["# not to be said", "", "darn", "Dang it", "?heck", "Fuß"])


async def said(check: Check, body: str, sender: User = ADA, where: UUID | None = HERE, key: str | None = None) -> str:
    """The name of the verdict."""
    return type(await check.check(Content(body, client_message_id=key), sender, where)).__name__


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("good morning", "Allow"),
        ("darn", "Reject"),
        ("Oh, DARN!", "Reject"),
        ("*darn*", "Reject"),
        ("_darn_", "Reject"),
        ("d4rn", "Reject"),
        ("d@rn it", "Reject"),
        ("da\u200brn", "Reject"),
        ("\uff44\uff41\uff52\uff4e", "Reject"),
        ("darning socks", "Allow"),
        ("goddarn", "Allow"),
        ("dang", "Allow"),
        ("dang,  it", "Reject"),
        ("it dang", "Allow"),
        ("what the heck?", "Flag"),
        ("heck and darn", "Reject"),
        ("FUSS", "Reject"),
        ("10 of 13", "Allow"),
        ("", "Allow"),
    ],
)
async def test_words_count_as_a_whole(body: str, verdict: str) -> None:
    """In any case and form, as letters or digits; parts of other words do not."""
    assert await said(WORDS, body) == verdict


@given(st.text(max_size=200))
async def test_no_text_is_too_strange_for_the_word_list(body: str) -> None:
    """And a word of the list beside it is found."""
    assert await said(WORDS, body) in {"Allow", "Flag", "Reject"}
    assert await said(WORDS, f"{body} darn {body}") == "Reject"


def test_a_word_list_is_a_file(tmp_path: Path) -> None:
    """In UTF-8, with or without its mark."""
    path = tmp_path / "words"
    path.write_text("\ufeffdarn\n?heck\n", encoding="utf-8")
    assert asyncio.run(said(WordList.read(path), "darn")) == "Reject"


async def test_the_same_may_be_said_a_few_times() -> None:
    """By one sender, in any conversation, in a while; a client's repeat does not count."""
    now = 0.0
    check = Repetitions(most=2, seconds=10, clock=lambda: now)
    assert [await said(check, "buy", key="k") for _ in range(5)] == ["Allow"] * 5
    assert await said(check, " BUY ", where=THERE) == "Allow"
    assert await said(check, "buy", where=None) == "Reject"
    assert await said(check, "buy", key="k") == "Allow"
    assert [await said(check, "buy", sender=GRACE), await said(check, "sell")] == ["Allow", "Allow"]
    now = 10.0
    assert await said(check, "buy") == "Allow"


class Said:
    """Says what it is told to, or does something else."""

    def __init__(self, does: object = None) -> None:
        self.does = does

    async def check(self, _content: Content, _sender: User, _conversation: UUID | None) -> Verdict:
        if self.does == "sleep":
            await asyncio.sleep(60)
        if isinstance(self.does, Exception):
            raise self.does
        return self.does  # type: ignore[return-value]


@pytest.mark.parametrize("does", [ValueError("no"), "sleep", "allow", None, TimeoutError()])
@pytest.mark.parametrize(("failure", "verdict"), [("allow", Allow), ("flag", Flag), ("reject", Reject)])
async def test_a_check_that_fails_decides_nothing(does: object, failure: Failure, verdict: type) -> None:
    """Whether it raises, takes too long or says nonsense: the setting decides."""
    guarded = Guarded(Said(does), seconds=0.01, failure=failure)
    assert type(await guarded.check(Content("hello"), ADA, HERE)) is verdict


async def test_one_that_rejects_decides() -> None:
    """Before it and without it, warnings add up."""
    flagging = [Said(Flag("One.")), Said(Allow()), Said(Flag(FAILED))]
    assert await Checks(flagging).examine(Content("x"), ADA, HERE, ("input",)) == f"One. {FAILED}"
    with pytest.raises(RefusedError) as refused:
        await Checks([*flagging, Said(Reject("no"))]).examine(Content("x"), ADA, HERE, ("input",))
    (error,) = refused.value.errors
    assert (error.code, error.message, error.path) == ("CONTENT_REJECTED", "no", ("input", "body"))
    assert await Checks([Said(Reject("no"))]).examine(Content("x", kind="NOTIFICATION"), ADA, HERE, ()) is None


def test_a_check_is_named_by_where_it_can_be_imported() -> None:
    """What cannot be imported or checks nothing is told at once."""
    assert isinstance(load(f"{__name__}:Said"), Said)
    for path in (f"{__name__}:Nobody", "nowhere.at.all:Said", "nonsense", f"{__name__}:dict"):
        with pytest.raises(CheckError, match=path):
            load(path)
