"""One emoji: what a reaction is."""

import re
from functools import cache

import emoji

_SHORTCODE = re.compile(r":[\w+-]{1,62}:", re.ASCII)
_PRESENTATIONS = {ord("\ufe0e"): None, ord("\ufe0f"): None}
"""The variation selectors of text and of emoji, which change how a character looks and not which it is."""


def normalised(text: str) -> str | None:
    """The emoji that the text is, in its one full form (Unicode's fully-qualified); None where it is anything else.

    Sequences count as they are recommended for interchange: with skin tone, joined ones, flags, keycaps.
    """
    return _emojis().get(text.translate(_PRESENTATIONS))


def imported(text: str) -> str | None:
    """The same for histories, where an emoji may be a shortcode like :bow:; one that only its system knew stays as it is."""
    if not _SHORTCODE.fullmatch(text):
        return normalised(text)
    return normalised(emoji.emojize(text, language="alias")) or text


@cache
def _emojis() -> dict[str, str]:
    """Every emoji by itself without variation selectors."""
    whole = (emoji.STATUS["component"], emoji.STATUS["fully_qualified"])
    return {text.translate(_PRESENTATIONS): text for text, data in emoji.EMOJI_DATA.items() if data["status"] in whole}
