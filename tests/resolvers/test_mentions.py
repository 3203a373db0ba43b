"""Whom a body mentions, by its text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.mentions import MOST, handles


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", []),
        ("@ada", ["ada"]),
        ("@ada @grace @ada", ["ada", "grace"]),
        ("Thanks, @ada! And (@grace), @ada's, @linus.", ["ada", "grace", "linus"]),
        ("@ada.lovelace @grace-hopper @linus_t @a+b", ["ada.lovelace", "grace-hopper", "linus_t", "a+b"]),
        ("@ada@example.com", ["ada@example.com"]),
        ("ada@example.com https://a.example/@ada", []),
        ("@{auth0|5f7c} @{Ada Lovelace} @{}", ["auth0|5f7c", "Ada Lovelace"]),
        ("@@ada @ @. @-ada", ["ada"]),
        ("@é @Ада @数学", ["é", "Ада", "数学"]),
    ],
)
@pytest.mark.parametrize("written", ["PLAIN", "MARKDOWN"])
def test_handles(body: str, found: list[str], written: str) -> None:
    """After an @ that begins a word: what can be a handle, without the punctuation behind it."""
    assert handles(body, written) == found


def test_code_mentions_nobody() -> None:
    """In Markdown; in plain text there is no code. What is emphasised or linked is still text."""
    body = "**@ada** `@grace` [@linus](https://a.example) \\@joe\n\n    @margaret\n\n```\n@dorothy\n```"
    assert handles(body, "MARKDOWN") == ["ada", "linus", "joe"]
    assert handles(body, "PLAIN") == ["ada", "grace", "linus", "joe", "margaret", "dorothy"]


def test_so_many_and_no_more() -> None:
    """The first hundred."""
    body = " ".join(f"@user{number}" for number in range(150))
    assert handles(body, "PLAIN") == [f"user{number}" for number in range(MOST)]


_words = st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=6)
_handles = st.builds(
    "".join, st.lists(st.one_of(_words, st.sampled_from([".", "-", "_", "@", "+"])), max_size=6)
).flatmap(lambda inside: st.builds(lambda first, last: f"{first}{inside}{last}", _words, _words))
_before = st.sampled_from(["", " ", "(", "hello, ", "ada: ", "\n", "*", '"', "“", "!"])
_after = st.sampled_from(["", " ", ".", ", hello", "! ", "'s", ")", "\n", "…", "*", ": x", ".) ", "-", "@ "])


@given(_before, _handles, _after, st.booleans())
def test_whoever_is_named_is_found(before: str, handle: str, after: str, is_braced: bool) -> None:
    """A handle of letters, digits and what may stand between them, wherever it stands; in braces any handle."""
    named = f"@{{{handle}}}" if is_braced else f"@{handle}"
    assert handles(f"{before}{named}{after}", "PLAIN") == [handle]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="{}"), min_size=1, max_size=255))
def test_any_handle_in_braces(handle: str) -> None:
    """Whatever a host application's keys look like."""
    assert handles(f"hello @{{{handle}}}!", "PLAIN") == [handle]
