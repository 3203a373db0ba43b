"""One emoji and nothing else, in one form."""

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.emojis import imported, normalised

_EMOJIS = st.sampled_from(sorted(emoji.EMOJI_DATA))


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("❤", "❤️"),
        ("❤️", "❤️"),
        ("❤︎", "❤️"),
        ("👍️", "👍"),
        ("👍🏽", "👍🏽"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("🏳‍🌈", "🏳️‍🌈"),
        ("🇩🇪", "🇩🇪"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("1⃣", "1️⃣"),
    ],
)
def test_an_emoji_has_one_form(given: str, form: str) -> None:
    """However it is qualified; with skin tone, joined, a flag, a keycap."""
    assert normalised(given) == form


@pytest.mark.parametrize(
    "text", ["", "a", "1", "#", "👍👍", "🇩", " 👍", "👍\n", ":+1:", "\ufe0f", "\u200d", "👍🏽‍🚀", "👍a"]
)
def test_nothing_else_is_one(text: str) -> None:
    """Neither letters and digits nor several, nor parts of one."""
    assert normalised(text) is None


@given(_EMOJIS)
def test_every_emoji_is_one(text: str) -> None:
    """Of all the library knows, and a form is the form of itself."""
    form = normalised(text)
    assert form is not None
    assert normalised(form) == form


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":bow:", "🙇"), (":+1:", "👍"), ("❤", "❤️"), (":shipit:", ":shipit:"), (":a b:", None), ("x", None)],
)
def test_a_history_may_have_shortcodes(text: str, expected: str | None) -> None:
    """Those that Unicode's lists do not know were their system's own, and stay."""
    assert imported(text) == expected
